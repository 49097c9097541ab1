"""What is shown of one interval: the other thread, both stacks, source lines."""

from __future__ import annotations

import linecache
from typing import TYPE_CHECKING

import numpy as np

from gilscope.trace.format import Event
from gilscope.trace.reading.reader import read
from gilscope.view.data.details import by_lane, detail, embedded, frames
from trace_builder import TraceBuilder
from trace_examples import callback_trace

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from gilscope.trace.model import Trace


def gil_wait(tmp_path: Path) -> Trace:
    """Return a trace in which one thread holds the GIL and another one waits for it."""
    builder = TraceBuilder()
    builder.gil()
    main = builder.thread("MainThread", main=True)
    worker = builder.thread("worker")
    builder.hold(main, 0, 10_000)
    builder.gil_wait(worker, 4_000, 10_000, peer=main)
    builder.hold(worker, 10_000, 12_000)
    return read(builder.write(tmp_path / "t.gilscope", duration=20_000))


def test_a_gil_wait_was_ended_by_who_gave_it_up(tmp_path: Path) -> None:
    """The hold that ended last before the wait did names the thread."""
    trace = gil_wait(tmp_path)
    row = int(np.flatnonzero(trace.intervals.kind == Event.GIL_WAIT)[0])
    assert trace.thread_name(detail(trace, row)["detail"][1]) == "MainThread"


def test_a_lock_wait_has_the_stacks_of_both_threads(tmp_path: Path) -> None:
    """The waiter's stack comes from the wait, the other one from the wake."""
    trace = read(callback_trace().write(tmp_path / "t.gilscope"))
    intervals = trace.intervals
    row = int(np.flatnonzero((intervals.start == 5_400) & (intervals.kind == Event.LOCK_WAIT))[0])
    found = detail(trace, row)
    mine, theirs = found["stacks"]
    assert [frame[0] for frame in mine][1:] == ["on_event", "Server.work"]
    assert [frame[0] for frame in theirs][1:] == ["on_event", "Server.work"]
    assert trace.thread_name(found["detail"][1]) == "MainThread"


def test_stacks_travel_once(tmp_path: Path) -> None:
    """Intervals with the same stack refer to one."""
    trace = read(callback_trace().write(tmp_path / "t.gilscope"))
    told = embedded(trace)
    assert len(told["rows"]) == len(told["details"])
    assert 0 < len(told["stacks"]) < len(told["rows"])


def test_source_lines_are_shown_of_source_files_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trace may name any file; only lines of sources get out."""
    trace = read(callback_trace().write(tmp_path / "t.gilscope"))
    stack = next(number for number in trace.stacks if len(trace.stacks[number]) > 2)
    [wanted] = [frame for frame in trace.stacks[stack] if frame.name == "on_event"]
    lines = [f"line {number}\n" for number in range(1, 100)]
    monkeypatch.setitem(linecache.cache, wanted.file, (1, None, lines, wanted.file))
    shown = {frame[0]: frame[4] for frame in frames(trace, stack, {})}
    assert shown["on_event"] == f"line {wanted.line}"
    secret = tmp_path / "secret.key"
    secret.write_text("secret\n" * 100)
    builder = TraceBuilder(minor=1)
    main = builder.thread("MainThread", main=True)
    made = builder.stack((builder.code("f", str(secret), 1, "m"), 3))
    builder.wait(main, builder.lock("lock"), 100, 200, stack=made)
    evil = read(builder.write(tmp_path / "e.gilscope"))
    assert "secret\n" not in str(frames(evil, int(evil.intervals.stack[0]), {}))
    assert frames(evil, int(evil.intervals.stack[0]), {})[0][4] == ""


def handed_round(tmp_path: Path) -> Trace:
    """Return a trace in which a lock goes from one thread to the next while another one waits."""
    builder = TraceBuilder()
    names = "MainThread", "second", "third"
    main, second, third = (builder.thread(name, main=name == names[0]) for name in names)
    lock = builder.lock("lock", address=0x10)
    builder.wait(second, lock, 1_000, 4_000)
    builder.wake(main, lock, 2, 4_000)
    builder.wait(third, lock, 2_000, 9_000)
    builder.wake(second, lock, 3, 9_000)
    return read(builder.write(tmp_path / "t.gilscope", duration=20_000))


def test_a_lock_wait_tells_who_had_the_lock_in_turn(tmp_path: Path) -> None:
    """Holds are cut at the ends of the wait; what is asked for one by one and together agrees."""
    trace = handed_round(tmp_path)
    row = int(np.flatnonzero(trace.intervals.duration == 7_000)[0])
    [holds] = detail(trace, row)["detail"][3:]
    named = [(trace.thread_name(thread), start, end) for thread, start, end in holds]
    assert named == [("MainThread", 2_000, 4_000), ("second", 4_000, 9_000)]
    told = embedded(trace)
    assert told["details"][told["rows"].index(row)][3] == holds


def test_who_has_no_lane_is_left_out_of_the_bar() -> None:
    """Threads become lanes, those that ended waits as well as those that had locks."""
    found = by_lane([7, 2, 8, [(1, 0, 10), (2, 10, 30)]], {2: 5})
    assert found == [7, 5, 8, [(5, 10, 30)]]
