"""Spans of the program in findings: which task keeps the GIL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.findings import find
from gilscope.analysis.inside_spans import NONE, InsideSpans
from gilscope.trace.reading.reader import read
from trace_builder import SITE_FRAME, TraceBuilder
from trace_examples import span_trace

if TYPE_CHECKING:
    from pathlib import Path

    from gilscope.analysis.findings import Finding

MS = 1_000_000
DIGEST = "792e4323c5d379ad7244e7a0d8f72ca9"


def kept(tmp_path: Path, *names: str) -> Finding:
    """The finding of a thread that keeps the GIL for 100 ms in a span of each of these names."""
    builder = TraceBuilder()
    main, other = builder.thread("MainThread", main=True), builder.thread("waiter")
    builder.gil()
    site = builder.site(builder.module("/lib/minex.so"), 0x40, "checksum")
    stack = builder.stack((site | SITE_FRAME, 0))
    for number, name in enumerate(names):
        start = number * 200 * MS
        end = start + 100 * MS
        builder.hold(main, start, end)
        builder.gil_wait(other, start + 5 * MS, end, peer=main)
        for at in range(10, 100, 10):
            builder.sample(main, start + at * MS, stack, by=other, flags=1)
        builder.hold(other, end, end + MS)
        if name:
            builder.span(main, name, start + 1, end - 1)
    builder.ticks(len(names) * 200 * MS)
    (found,) = [
        one
        for one in find(read(builder.write(tmp_path / "t.gilscope")))
        if one.name == "gil-held-in-native-code"
    ]
    return found


def test_a_finding_names_the_span(tmp_path: Path) -> None:
    """In the evidence, with its share, and at each of the places to look at."""
    found = kept(tmp_path, "parse")
    assert "100% of it in span parse of thread MainThread" in found.evidence
    assert found.intervals[0].note == "holds the GIL, in span parse"


def test_tasks_of_one_kind_are_one_line(tmp_path: Path) -> None:
    """Keys of Dask end in a token: the worst one is named, the token cut short."""
    found = kept(tmp_path, f"hold-{DIGEST}", f"hold-{DIGEST[::-1]}", "other")
    (line,) = [line for line in found.evidence if "hold-" in line]
    assert line.startswith("67% of it in 2 spans such as hold-")
    assert line.endswith("… of thread MainThread")
    assert any("33% of it in span other" in line for line in found.evidence)


def test_without_spans_nothing_is_said(tmp_path: Path) -> None:
    """Findings are what they were."""
    found = kept(tmp_path, "")
    assert not any("span" in line for line in found.evidence)
    assert found.intervals[0].note == "holds the GIL"


def test_the_innermost_span_counts(tmp_path: Path) -> None:
    """Of the thread that is asked for."""
    trace = read(span_trace().write(tmp_path / "t.gilscope"))
    inside = InsideSpans(trace)
    threads = np.array([1, 1, 1, 1, 2], np.int64)
    times = np.array([500, 1_500, 2_500, 3_500, 3_000], np.int64)
    rows = inside.at(threads, times).tolist()
    names = [inside.name(row) if row != NONE else None for row in rows]
    assert names == [None, "send ü", "pickle", "send ü", "pickle"]
