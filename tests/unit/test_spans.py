"""Spans: what a program named, read, totalled, merged, exported and drawn."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import gilscope
from gilscope.analysis.span_totals import SpanTotals, span_totals
from gilscope.cli import main
from gilscope.export import FORMATS, count
from gilscope.trace.reading.family import on_one_axis
from gilscope.trace.reading.reader import read
from gilscope.trace.writing.merge import merge
from gilscope.trace.writing.pack import pack
from gilscope.view.data.columns import columns_of
from gilscope.view.data.strips import MOST, depths, strips, touched
from gilscope.view.html.picture import svg
from trace_builder import TraceBuilder
from trace_examples import gil_trace, span_trace

if TYPE_CHECKING:
    from pathlib import Path

    from gilscope.trace.model import Trace

LARGE = 5 << 32 | 7  # bytes, more than 32 bits hold


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    """Two threads that pickle; one of them does so inside another span."""
    return read(span_trace().write(tmp_path / "x.gilscope"))


def told(trace: Trace) -> list[tuple[Any, ...]]:
    """Spans with names for numbers."""
    s = trace.spans
    columns = (s.start.tolist(), s.duration.tolist(), s.bytes.tolist())
    names = [s.names[name] for name in s.name.tolist()]
    threads = [trace.thread_name(thread) for thread in s.thread.tolist()]
    return list(zip(threads, names, *columns, strict=True))


EXPECTED = [
    ("MainThread", "send ü", 1_000, 3_000, -1),
    ("MainThread", "pickle", 2_000, 1_000, 70_000),
    ("other", "pickle", 2_500, 6_500, LARGE),
    ("MainThread", "pickle", 5_000, 0, 0),
]


def test_spans_are_read(trace: Trace) -> None:
    """By start, with the exact number of bytes, and apart from the intervals."""
    assert told(trace) == EXPECTED
    assert len(trace.intervals) == 1


def test_spans_are_chosen_by_time_and_thread(trace: Trace) -> None:
    """As intervals are."""
    assert trace.spans.of_thread(2).bytes.tolist() == [LARGE]
    assert trace.spans.between(4_500, 6_000).start.tolist() == [2_500, 5_000]


def test_spans_survive_packing(trace: Trace, tmp_path: Path) -> None:
    """A packed trace has the same."""
    pack(trace.path, tmp_path / "p.gilscope")
    assert told(read(tmp_path / "p.gilscope")) == EXPECTED


def test_spans_survive_merging(trace: Trace, tmp_path: Path) -> None:
    """Those of both traces are there, and those of one name are one in the totals."""
    merge([trace.path, trace.path], tmp_path / "m.gilscope", names=["", "process 1"])
    merged = read(tmp_path / "m.gilscope")
    renamed = {"MainThread": "process 1", "other": "process 1: other"}
    assert sorted(told(merged)) == sorted(
        EXPECTED + [(renamed[thread], *rest) for thread, *rest in EXPECTED]
    )
    assert [one.count for one in span_totals(merged)] == [6, 2]


def test_spans_can_be_moved(trace: Trace) -> None:
    """As a trace of a family is to stand on its axis; alone it stands where it is."""
    moved = trace.spans.shifted(9)
    assert (moved.start - trace.spans.start).tolist() == [9] * 4
    assert (moved.end - trace.spans.end).tolist() == [9] * 4
    assert told(on_one_axis([trace])[0]) == EXPECTED


def test_totals(trace: Trace) -> None:
    """By name; bytes of those that have them."""
    assert span_totals(trace) == [
        SpanTotals("pickle", 3, 7_500, 1_000, 6_500, 6_500, LARGE + 70_000),
        SpanTotals("send ü", 1, 3_000, 3_000, 3_000, 3_000, None),
    ]


def test_no_spans(tmp_path: Path) -> None:
    """A trace of before has none, anywhere."""
    trace = read(gil_trace().write(tmp_path / "x"))
    assert len(trace.spans) == 0
    assert span_totals(trace) == []
    assert strips(trace, {}) == ({}, [])


def test_tables_and_summary(trace: Trace, capsys: pytest.CaptureFixture[str]) -> None:
    """`info`, `top` and CSV have them."""
    assert main(["info", "--json", str(trace.path)]) == 0
    found = json.loads(capsys.readouterr().out)
    facts = found[0] if isinstance(found, list) else found
    first = {"name": "pickle", "count": 3, "bytes": LARGE + 70_000}
    assert facts["spans"][0].items() >= first.items()
    assert main(["info", str(trace.path)]) == 0
    assert "21.5 GB" in capsys.readouterr().out
    assert main(["top", "--by", "span", str(trace.path)]) == 0
    assert "send ü" in capsys.readouterr().out
    out = io.BytesIO()
    FORMATS["csv"].of("spans").write([trace], out)  # type: ignore[attr-defined]
    rows = list(csv.DictReader(io.StringIO(out.getvalue().decode())))
    assert [int(row["bytes"]) for row in rows] == [-1, 70_000, LARGE, 0]
    assert {row["name"] for row in rows} == {"pickle", "send ü"}


def test_chrome_has_slices(trace: Trace) -> None:
    """One a span, on a track of their own, with the bytes."""
    out = io.BytesIO()
    FORMATS["chrome"].write([trace], out)
    events = json.loads(out.getvalue())["traceEvents"]
    spans = [event for event in events if event.get("cat") == "span"]
    assert [(e["name"], e["ts"], e["args"].get("bytes")) for e in spans] == [
        ("send ü", 1.0, None),
        ("pickle", 2.0, 70_000),
        ("pickle", 5.0, 0),
        ("pickle", 2.5, LARGE),
    ]
    tracks = {e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert {"MainThread: spans", "other: spans"} <= tracks
    assert sum(e["ph"] == "X" for e in events) == count([trace]).slices == 5


def test_strips_are_those_of_the_lanes(trace: Trace) -> None:
    """Lane, label and depth of each."""
    (drawn,) = columns_of([trace])
    columns, labels = strips(trace, drawn.lane_of_thread(trace))
    assert labels == ["pickle", "send ü"]
    assert columns["sp_lane"].tolist() == [0, 0, 1, 0]
    assert columns["sp_label"].tolist() == [1, 0, 0, 0]
    assert columns["sp_depth"].tolist() == [0, 1, 0, 0]
    assert columns["sp_bytes"].tolist() == [-1, 70_000, LARGE, 0]


def test_of_too_many_the_longest_are_drawn(tmp_path: Path) -> None:
    """In their order."""
    builder = TraceBuilder(minor=3)
    main_thread = builder.thread("MainThread", main=True)
    for number in range(MOST + 10):
        builder.span(main_thread, "x", 100 * number, 100 * number + 10 + number % 2)
    trace = read(builder.write(tmp_path / "x.gilscope"))
    columns, _ = strips(trace, {1: 0})
    assert len(columns["sp_start"]) == MOST
    assert (np.diff(columns["sp_start"]) > 0).all()
    assert (columns["sp_duration"] == 11).sum() == (MOST + 10) / 2


def test_depth_of_what_ends_together(tmp_path: Path) -> None:
    """What shares its begin or its end with what is around it is inside it."""
    builder = TraceBuilder(minor=3)
    thread = builder.thread("MainThread", main=True)
    for start, end in ((0, 10), (0, 5), (6, 10), (20, 30), (10, 20)):
        builder.span(thread, "x", start, end)
    spans = read(builder.write(tmp_path / "x.gilscope")).spans
    found = dict(zip(zip(spans.start.tolist(), spans.end.tolist(), strict=True), depths(spans).tolist(), strict=True))  # fmt: skip # noqa: E501
    assert found == {(0, 10): 0, (0, 5): 1, (6, 10): 1, (10, 20): 0, (20, 30): 0}


def test_a_span_does_nothing_where_nothing_is_recorded() -> None:
    """It nests, lets exceptions through, and takes any size."""
    with gilscope.span("outer") as outer, gilscope.span("inner", 3):
        outer.bytes = 1 << 80
    with pytest.raises(LookupError), gilscope.span("x"):
        raise LookupError


def test_a_name_is_a_text() -> None:
    """A name of another type raises an error at once."""
    with pytest.raises(TypeError, match="the name of a span must be a str, not bytes"):
        gilscope.span(b"x")  # type: ignore[arg-type]


def test_columns_that_spans_touch(trace: Trace) -> None:
    """Each at least in one, whatever their length; the last one may end with the picture."""
    edges = np.linspace(0, 10_000, 11)
    first, second = (touched(trace.spans.of_thread(thread), edges) for thread in (1, 2))
    assert np.flatnonzero(first).tolist() == [1, 2, 3, 5]
    assert np.flatnonzero(second).tolist() == [2, 3, 4, 5, 6, 7, 8]


def test_the_static_picture_has_them(trace: Trace, tmp_path: Path) -> None:
    """As the page does: a lane with spans differs from the same without."""
    without = TraceBuilder(minor=3, alignment=512)
    thread = without.thread("MainThread", main=True)
    without.thread("other", start=5)
    without.hold(thread, 0, 60_000)
    without.ticks(70_000)
    same = read(without.write(tmp_path / "y.gilscope"))
    with_spans, plain = (svg([("gil", one)]) for one in (trace, same))
    assert with_spans.count("<image ") == plain.count("<image ") == 1
    assert with_spans != plain
