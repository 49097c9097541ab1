"""What is in exports other than timelines, as their readers see it."""

from __future__ import annotations

import csv
import io
import json
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from gilscope.analysis.stacks import short
from gilscope.analysis.states.state import State
from gilscope.analysis.states.thread_states import interval_states
from gilscope.cli import export as command
from gilscope.errors import ExportError, GilscopeError
from gilscope.export import FORMATS, export_file
from gilscope.results import flame_graph
from gilscope.trace.model import TABLES
from gilscope.trace.reading.reader import read
from trace_examples import callback_trace, ft_trace, gil_trace, span_trace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gilscope.trace.model import Trace

TABULAR = ("csv", "parquet", "arrow")


@pytest.fixture
def traces(tmp_path: Path) -> list[Trace]:
    """Three runs."""
    builders = {"gil": gil_trace(), "ft": ft_trace(), "calls": callback_trace()}
    return [read(builder.write(tmp_path / name)) for name, builder in builders.items()]


def exported(name: str, traces: Sequence[Trace]) -> bytes:
    """An export in memory."""
    out = io.BytesIO()
    FORMATS[name].write(traces, out)
    return out.getvalue()


def waited(traces: Sequence[Trace]) -> int:
    """Time that was spent waiting for GILs and locks, ns."""
    return sum(
        int(trace.intervals.duration[np.isin(interval_states(trace), (State.WAITING_GIL, 3))].sum())
        for trace in traces
    )


def test_command_knows_all_formats() -> None:
    """What the command offers is what there is."""
    assert list(command.FORMATS) == list(FORMATS)
    assert list(command.TABLES) == list(TABLES)


def test_speedscope_is_balanced(traces: list[Trace]) -> None:
    """In each profile every slice that opens is closed, in order, within the thread's life."""
    data = json.loads(exported("speedscope", traces))
    assert len(data["profiles"]) == sum(len(trace.threads) for trace in traces) + 2
    for profile in data["profiles"]:
        inside: list[int] = []
        times = [event["at"] for event in profile["events"]]
        assert times == sorted(times)
        for event in profile["events"]:
            assert profile["startValue"] <= event["at"] <= profile["endValue"]
            assert event["frame"] < len(data["shared"]["frames"])
            if event["type"] == "O":
                inside.append(event["frame"])
            else:
                assert inside.pop() == event["frame"]
        assert not inside


def test_speedscope_has_spans(tmp_path: Path) -> None:
    """What the program named is a profile of its own beside the thread's, nested as it was."""
    trace = read(span_trace().write(tmp_path / "spans.gilscope"))
    data = json.loads(exported("speedscope", [trace]))
    frames = [frame["name"] for frame in data["shared"]["frames"]]
    found = {}
    for profile in data["profiles"]:
        if profile["name"].endswith(": spans"):
            opened = [event["frame"] for event in profile["events"] if event["type"] == "O"]
            found[profile["name"].removesuffix(": spans")] = [frames[number] for number in opened]
    spans = trace.spans
    for name, opened in found.items():
        index = next(thread.index for thread in trace.threads if thread.name == name)
        mine = spans.of_thread(index)
        assert opened == [spans.names[number] for number in mine.name.tolist()]
    assert sum(map(len, found.values())) == len(spans) > 0


def test_spans_are_a_table(tmp_path: Path) -> None:
    """For pandas and Arrow, with the names that the program gave them."""
    spans = read(span_trace().write(tmp_path / "spans.gilscope")).spans
    frame, table = spans.to_pandas(), spans.to_arrow()
    assert list(frame.columns) == table.column_names
    assert set(frame["name"]) == {"pickle", "send ü"}
    assert frame["start_ns"].tolist() == table["start_ns"].to_pylist() == spans.start.tolist()


TERMINATED = """
import signal, sys
from gilscope import cli, export

class Exporter:
    suffix = ".json"
    def write(self, traces, out, progress):
        out.write(b"half")
        out.flush()
        signal.raise_signal(signal.SIGTERM)

export.FORMATS["chrome"] = Exporter()
sys.exit(cli.main(["export", sys.argv[1], "--format", "chrome"]))
"""


def test_a_terminated_export_leaves_nothing(tmp_path: Path) -> None:
    """SIGTERM in the middle of it, as of a batch system: no half-written file stays behind."""
    trace = gil_trace().write(tmp_path / "a.gilscope")
    command = [sys.executable, "-c", TERMINATED, str(trace)]
    done = subprocess.run(command, timeout=120, check=False)
    assert done.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == [trace]


def test_firefox_has_spans(tmp_path: Path) -> None:
    """What the program named are markers with its names and times."""
    trace = read(span_trace().write(tmp_path / "spans.gilscope"))
    data = json.loads(exported("firefox", [trace]))
    found = [
        (marker["name"], round(start * 1e6), round(end * 1e6))
        for thread in data["threads"]
        for marker, start, end in zip(
            *(thread["markers"][name] for name in ("data", "startTime", "endTime")), strict=True
        )
        if marker["type"] == "Span"
    ]
    spans = trace.spans
    names = [spans.names[number] for number in spans.name.tolist()]
    wanted = zip(names, spans.start.tolist(), spans.end.tolist(), strict=True)
    assert sorted(found) == sorted(wanted)
    assert "Span" in {schema["name"] for schema in data["meta"]["markerSchema"]}


def test_firefox_markers(traces: list[Trace]) -> None:
    """Each interval and callback is a marker, with the names that CPython gives them."""
    data = json.loads(exported("firefox", traces))
    strings, types = data["shared"]["stringArray"], set()
    known = {schema["name"] for schema in data["meta"]["markerSchema"]}
    total = 0
    for thread in data["threads"]:
        markers = thread["markers"]
        columns = ("data", "name", "startTime", "endTime", "phase", "category")
        assert {len(markers[name]) for name in columns} == {markers["length"]}
        total += markers["length"]
        types |= {
            (strings[n], d["type"]) for n, d in zip(markers["name"], markers["data"], strict=True)
        }
    assert total == sum(len(trace.intervals) + len(trace.callbacks) for trace in traces)
    assert {("Has GIL", "HasGIL"), ("Waiting for GIL", "WaitingforGIL")} <= types
    assert {kind for _, kind in types} <= known


def test_collapsed_adds_up(traces: list[Trace]) -> None:
    """The lines hold all waiting for the GIL and for locks, and the frames in their order."""
    lines = exported("collapsed", traces).decode().splitlines()
    parsed = [re.fullmatch(r"(.+) (\d+)", line) for line in lines]
    assert sum(int(found[2]) for found in parsed if found) == waited(traces)
    stack = "Server.work (app.py:17);on_event (app.py:42);events::Loop::fire(int) (loop.cpp:77)"
    assert any(f"pool;{stack};waiting for dict" in line for line in lines)


def test_flamegraph_is_a_whole_picture(traces: list[Trace]) -> None:
    """The SVG is well-formed, has no script, and says the total in a title."""
    data = exported("flamegraph", traces)
    root = ET.fromstring(data)  # noqa: S314 - our own
    titles = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles[0].startswith("all threads")
    assert b"<script" not in data


@pytest.mark.parametrize(
    ("function", "name"),
    [
        ("main", "main"),
        ("(anonymous namespace)::Log::write(std::string const&)", "Log::write"),
        (
            "std::_Function_handler<void (), f(int)::{lambda()#1}>::_M_invoke(x)",
            "std::_Function_handler::_M_invoke",
        ),
        ("Vector<int>::operator()(int) const", "Vector<int>::operator"),
        ("<T as core::ops::Drop>::drop", "<T as core::ops::Drop>::drop"),
    ],
)
def test_short_names(function: str, name: str) -> None:
    """C++ names lose arguments, those of templates as well; what cannot be told apart is kept."""
    assert short(function) == name


def test_flamegraph_labels_are_short() -> None:
    """A box says function and line; names of Python's are left as they are."""
    assert (
        flame_graph._label("events::Loop::fire(int) (loop.cpp:77)")
        == "events::Loop::fire (loop.cpp:77)"
    )
    assert flame_graph._label("<module> (run.py:3)") == "<module> (run.py:3)"


def test_flamegraph_escapes(traces: list[Trace]) -> None:
    """Names cannot become markup."""
    assert b'worker "1"' not in exported("flamegraph", [traces[1]])
    assert b"worker &quot;1&quot;" in exported("flamegraph", [traces[1]])


@pytest.mark.parametrize("table", TABLES)
def test_csv_has_every_row(table: str, traces: list[Trace], tmp_path: Path) -> None:
    """The CSV of each table is read back as it is."""
    traces = [*traces, read(span_trace().write(tmp_path / "spans"))]
    path = export_file(traces, "csv", tmp_path / "x.csv", table=table)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    expected = [trace.table(table) for trace in traces]
    assert len(rows) == sum(map(len, expected))
    more = {"process", "pid", "trace"} | ({"state"} if table == "intervals" else set())
    assert more | set(expected[0].columns) == set(rows[0])


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("format", ["parquet", "arrow"])
def test_pandas_reads(format: str, table: str, traces: list[Trace], tmp_path: Path) -> None:  # noqa: A002
    """Pandas reads from the file what the trace's own table holds, and where it comes from."""
    pandas, parquet = pytest.importorskip("pandas"), pytest.importorskip("pyarrow.parquet")
    feather = pytest.importorskip("pyarrow.feather")
    trace = traces[2]
    path = export_file([trace], format, tmp_path / "x", table=table)
    read_table = parquet.read_table if format == "parquet" else feather.read_table
    found = read_table(path)
    about = json.loads(found.schema.metadata[b"gilscope"])
    assert about[0]["build"] == "ft"
    expected = trace.table(table).to_pandas()
    if table == "intervals":
        states = [State(state).name for state in interval_states(trace).tolist()]
        expected["state"] = pandas.Categorical(states, categories=dict.fromkeys(states))
    pandas.testing.assert_frame_equal(
        found.to_pandas(), expected, check_dtype=False, check_categorical=False
    )


def test_blocks_of_tables(
    traces: list[Trace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks are a matter of memory: the rows do not depend on them."""
    parquet = pytest.importorskip("pyarrow.parquet")
    whole = export_file(traces, "parquet", tmp_path / "whole")
    monkeypatch.setattr("gilscope.export.tables.BLOCK", 3)
    parts = export_file(traces, "parquet", tmp_path / "parts")
    assert parquet.read_table(parts).to_pylist() == parquet.read_table(whole).to_pylist()


def test_without_pyarrow(
    traces: list[Trace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without pyarrow, one line says what to install, and no file is left."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for name in ("parquet", "arrow"):
        with pytest.raises(GilscopeError, match=r"pip install 'gilscope\[arrow\]'"):
            export_file(traces, name, tmp_path / "out.file")
    assert not list(tmp_path.glob("*out*"))


def test_tables_of_other_formats(traces: list[Trace], tmp_path: Path) -> None:
    """Only formats that hold a table have one to choose, and only those that there are."""
    with pytest.raises(ExportError, match="csv, parquet and arrow"):
        export_file(traces, "perfetto", tmp_path / "x", table="locks")
    with pytest.raises(ExportError, match="choose from intervals"):
        export_file(traces, "csv", tmp_path / "x", table="stacks")


def test_selections(traces: list[Trace]) -> None:
    """Intervals are chosen by time, thread and lock."""
    intervals = traces[2].intervals
    some = intervals.between(5_000, 6_000)
    assert len(some)
    assert (some.start < 6_000).all()
    assert (some.end >= 5_000).all()
    assert set(intervals.of_thread(2).thread.tolist()) == {2}
    assert set(intervals.of_lock(1).what.tolist()) == {1}
    assert len(traces[2].callbacks.of_thread(3)) == 1
    assert len(traces[2].callbacks.between(9_600, 9_700)) == 2


def test_progress(traces: list[Trace], tmp_path: Path) -> None:
    """Timelines tell of each interval once."""
    expected = sum(len(trace.intervals) for trace in traces)
    for name in FORMATS:
        done: list[int] = []
        export_file(traces, name, tmp_path / name, progress=done.append)
        assert sum(done) == expected, name


def test_command_as_json(
    traces: list[Trace], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command says as JSON what it wrote."""
    from gilscope.cli import main  # noqa: PLC0415 - beside the only test of it

    path = tmp_path / "x.csv"
    words = ["export", str(traces[0].path), "--format", "csv", "-o", str(path), "--json"]
    assert main(words) == 0
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert facts["file"] == str(path)
    assert facts["intervals"] == len(traces[0].intervals)
