"""Exports: what is in the files, and that they are there whole or not at all."""

from __future__ import annotations

import errno
import io
import json
import os
from collections import Counter
from typing import TYPE_CHECKING, Any, BinaryIO

import pytest

from gilscope import export
from gilscope.analysis.states.nesting import nested_callbacks
from gilscope.errors import ExportError
from gilscope.export import FORMATS, count, export_file
from gilscope.export.scene import FIRST_MADE_UP_ID, scenes
from gilscope.trace.reading.reader import read
from trace_builder import TraceBuilder
from trace_examples import callback_trace, ft_trace, gil_trace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gilscope.export.progress import Progress
    from gilscope.trace.model import Trace


@pytest.fixture
def traces(tmp_path: Path) -> list[Trace]:
    """Both runs of a comparison."""
    gil = read(gil_trace().write(tmp_path / "gil.gilscope"))
    return [gil, read(ft_trace().write(tmp_path / "ft.gilscope"))]


@pytest.fixture
def calls(tmp_path: Path) -> Trace:
    """A run with callbacks, stacks, spins and native locks."""
    return read(callback_trace().write(tmp_path / "calls.gilscope"))


def exported(name: str, traces: Sequence[Trace]) -> bytes:
    """An export in memory."""
    out = io.BytesIO()
    FORMATS[name].write(traces, out)
    return out.getvalue()


def chrome_events(traces: Sequence[Trace]) -> list[dict[str, Any]]:
    """The events of a Chrome export."""
    events: list[dict[str, Any]] = json.loads(exported("chrome", traces))["traceEvents"]
    return events


def test_count(traces: list[Trace]) -> None:
    """Slices, instants and arrows can be foretold."""
    counts = count(traces)
    assert (counts.slices, counts.instants, counts.flows) == (11 + 5, 2 * 4, 3 + 4)
    assert counts.contentions == 3


def test_chrome_has_what_count_says(traces: list[Trace]) -> None:
    """Each interval is one complete event, each arrow a pair."""
    counts = count(traces)
    phases = Counter(event["ph"] for event in chrome_events(traces))
    assert phases["X"] == counts.slices + counts.instants
    assert phases["s"] == phases["f"] == counts.flows


def test_chrome_slices_nest(traces: list[Trace], calls: Trace) -> None:
    """On each track, a slice ends before its successor begins or lies inside its predecessor."""
    tracks: dict[Any, list[tuple[float, float]]] = {}
    for event in chrome_events([*traces, calls]):
        if event["ph"] == "X" and event["dur"]:
            key = event["pid"], event["tid"]
            tracks.setdefault(key, []).append((event["ts"], event["ts"] + event["dur"]))
    for slices in tracks.values():
        open_until: list[float] = []
        for start, end in sorted(slices, key=lambda slice_: (slice_[0], -slice_[1])):
            while open_until and open_until[-1] <= start:
                open_until.pop()
            assert not open_until or end <= open_until[-1]
            open_until.append(end)


def test_chrome_times_are_exact(traces: list[Trace]) -> None:
    """Times are µs with three decimals, so no ns is lost."""
    events = [event for event in chrome_events(traces) if event.get("name") == "holding the GIL"]
    assert [event["ts"] for event in events[:3]] == [0.0, 30.0, 85.0]
    assert [event["dur"] for event in events[:3]] == [10.0, 30.0, 15.0]
    assert b'"ts":60.100,' in exported("chrome", traces)


def test_chrome_arguments(traces: list[Trace]) -> None:
    """A slice says who held the GIL or ended the wait, where, and what was special."""
    args = [
        event["args"] for event in chrome_events(traces) if event["ph"] == "X" and "args" in event
    ]
    assert {
        "kind": "GIL_WAIT",
        "held by": "MainThread",
        "switch intervals": 1,
    } in args
    assert {
        "kind": "LOCK_WAIT",
        "ended by": 'worker "1"',
        "address": "0x7f000000200a",
        "note": "woke up owning the lock",
    } in args


def test_chrome_callbacks(calls: Trace) -> None:
    """Callbacks have tracks of their own, named after their threads, one slice each."""
    events = chrome_events([calls])
    names = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    found = [
        (names[e["tid"]], e["name"], e["ts"], e["dur"], e["args"])
        for e in events
        if e.get("cat") == "callback"
    ]
    caller = "events::Loop::fire(int) (pybind11)"
    first = {"from": caller, "to get in (ns)": 700}
    assert ("pool: callbacks", "app.on_event", 3.0, 6.0, first) in found
    assert sorted(name for _, name, *_ in found) == [*["app.on_event"] * 2, *["builtins.print"] * 2]
    assert {thread for thread, *_ in found} == {"pool: callbacks", "late: callbacks"}


def test_chrome_stack_and_holder(calls: Trace) -> None:
    """A wait shows its stack, and tells a holder from the thread that ended it."""
    slices = [e for e in chrome_events([calls]) if e["ph"] == "X" and "args" in e]
    by_start = {(e["name"], e["ts"]): e["args"] for e in slices}
    on_dict = by_start["waiting for dict `app.CACHE` (object lock)", 5.4]
    assert on_dict["ended by"] == "MainThread"
    assert on_dict["stack"] == (
        "events::Loop::fire(int) (loop.cpp:77) ← on_event (app.py:42) ← Server.work (app.py:17)"
    )
    on_mutex = by_start["waiting for std::mutex / pthread_mutex `events::queue_mutex`", 3.6]
    assert (on_mutex["held by"], on_mutex["note"]) == ("pool", "timed out, for a reader's share")
    assert ("spinning for dict `app.CACHE` (object lock)", 5.1) in by_start


def test_callbacks_that_overlap_are_made_to_nest(tmp_path: Path) -> None:
    """A callback that would outlast the one around it is cut."""
    builder = TraceBuilder()
    thread = builder.thread(end=500)
    builder.callback(thread, 0, 100)
    builder.callback(thread, 50, 150)
    builder.callback(thread, 50, 90)
    builder.callback(thread, 100, 900)
    ((_, found),) = nested_callbacks(read(builder.write(tmp_path / "x")))
    assert found.starts.tolist() == [0, 50, 50, 100]
    assert found.ends.tolist() == [100, 100, 90, 500]
    assert found.parents.tolist() == [-1, 0, 1, -1]


def test_ids_do_not_collide(traces: list[Trace]) -> None:
    """The same trace twice, and threads that reuse an id, still have tracks of their own."""
    taken = [scene.pid for scene in scenes([*traces, *traces])]
    tids = [tid for scene in scenes([*traces, *traces]) for tid in scene.tids.values()]
    assert len(set(taken)) == 4
    assert len(set(tids)) == len(tids)


def test_reused_thread_id(tmp_path: Path) -> None:
    """A thread whose id another one had before gets one that no real thread can have."""
    builder = TraceBuilder()
    for _ in range(2):
        builder.thread(tid=77)
    (scene,) = scenes([read(builder.write(tmp_path / "x"))])
    assert list(scene.tids.values()) == [77, FIRST_MADE_UP_ID]


@pytest.mark.parametrize("name", FORMATS)
def test_empty_trace(name: str, tmp_path: Path) -> None:
    """A trace without anything gives a file without slices."""
    trace = read(TraceBuilder().write(tmp_path / "x"))
    assert exported(name, [trace]) or name == "collapsed"
    assert count([trace]).slices == 0


@pytest.mark.parametrize("name", FORMATS)
def test_more_than_one_block(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks are a matter of memory; the bytes do not depend on them."""
    trace = read(callback_trace().write(tmp_path / "x"))
    whole = exported(name, [trace])
    monkeypatch.setattr(export.rows, "BLOCK", 2)
    parts = exported(name, [trace])
    if name == "chrome":
        assert sorted(parts.splitlines()) == sorted(whole.splitlines())
    else:
        assert len(parts) == len(whole)


def test_perfetto_is_protobuf(traces: list[Trace]) -> None:
    """The file is a sequence of packets, each of them with its length."""
    data = exported("perfetto", traces)
    at = packets = 0
    while at < len(data):
        assert data[at] == 0x0A
        length = shift = 0
        while True:
            at += 1
            length |= (data[at] & 0x7F) << shift
            shift += 7
            if not data[at] & 0x80:
                break
        at += 1 + length
        packets += 1
    assert at == len(data)
    assert packets > 2 * count(traces).slices


@pytest.mark.parametrize("name", FORMATS)
def test_export_file(name: str, traces: list[Trace], tmp_path: Path) -> None:
    """The file holds what the exporter writes, and nothing else is left in its folder."""
    path = tmp_path / "out" / f"x{FORMATS[name].suffix}"
    path.parent.mkdir()
    assert export_file(traces, name, path) == path
    assert path.read_bytes() == exported(name, traces)
    assert list(path.parent.iterdir()) == [path]


def test_existing_file_is_kept(traces: list[Trace], tmp_path: Path) -> None:
    """Without force, a file that is there stays as it is."""
    path = tmp_path / "x.json"
    path.write_text("mine")
    with pytest.raises(ExportError, match=r"x\.json exists"):
        export_file(traces, "chrome", path)
    assert path.read_text() == "mine"
    export_file(traces, "chrome", path, force=True)
    assert path.read_text() != "mine"


def test_trace_is_never_overwritten(traces: list[Trace]) -> None:
    """An export over its own trace is refused, even by force."""
    with pytest.raises(ExportError, match="is the trace itself"):
        export_file(traces, "chrome", traces[0].path, force=True)


def test_unknown_format(traces: list[Trace], tmp_path: Path) -> None:
    """An unknown format is answered with the known ones."""
    with pytest.raises(ExportError, match="choose from perfetto, chrome"):
        export_file(traces, "xml", tmp_path / "x")


def test_folder_that_is_not_there(traces: list[Trace], tmp_path: Path) -> None:
    """A folder that is missing gives one clear line."""
    with pytest.raises(ExportError, match="No such file or directory"):
        export_file(traces, "chrome", tmp_path / "nowhere" / "x.json")


class FullDisk:
    """An exporter whose disk is full after the first bytes."""

    name, suffix, description = "full", ".full", ""

    def write(self, _traces: Sequence[Trace], out: BinaryIO, _progress: Progress) -> None:
        """Write a little and fail."""
        out.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_full_disk(traces: list[Trace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full, nothing half-written is left behind."""
    monkeypatch.setitem(FORMATS, "full", FullDisk())
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(ExportError, match="No space left on device"):
        export_file(traces, "full", folder / "x")
    assert list(folder.iterdir()) == []
