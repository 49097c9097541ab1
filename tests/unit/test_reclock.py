"""Traces on the clock of another host."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

import pytest

from gilscope.trace.reading.reader import read
from gilscope.trace.writing.merge import merge
from gilscope.trace.writing.reclock import reclock
from trace_builder import START_MONOTONIC
from trace_examples import callback_trace, drifting_clock, gil_trace, golden_files

if TYPE_CHECKING:
    from pathlib import Path

APART = 1_750_000_000_000_000_000
"""Of the wall clock and the other one, on the host whose clock they get."""


def later(ns: int) -> int:
    """A clock that is 7 s ahead."""
    return ns + 7_000_000_000


def test_all_times_move(tmp_path: Path) -> None:
    """The start is another one; what was recorded is the same from there on."""
    source, target = gil_trace().write(tmp_path / "a.gilscope"), tmp_path / "b.gilscope"
    reclock(source, target, later, realtime_apart_ns=APART)
    before, after = read(source), read(target)
    assert after.start_monotonic_ns == START_MONOTONIC + 7_000_000_000
    assert after.start_realtime_ns == after.start_monotonic_ns + APART
    assert after.intervals.start.tolist() == before.intervals.start.tolist()
    assert after.intervals.duration.tolist() == before.intervals.duration.tolist()
    assert [one.name for one in after.threads] == [one.name for one in before.threads]
    assert (after.problems, after.ended_early) == ((), False)


def test_drift_is_taken_out(tmp_path: Path) -> None:
    """A clock that runs faster by 1 part in 1000 makes everything longer by as much."""
    source, target = drifting_clock().write(tmp_path / "a.gilscope"), tmp_path / "b.gilscope"
    reclock(source, target, lambda ns: ns + ns // 1_000, realtime_apart_ns=APART)
    before, after = read(source), read(target)
    expected = [start + start // 1_000 for start in before.intervals.start.tolist()]
    assert after.intervals.start.tolist() == pytest.approx(expected, abs=2)


def test_remarks_are_problems_of_the_trace(tmp_path: Path) -> None:
    """Behind those that it had."""
    source, target = callback_trace().write(tmp_path / "a.gilscope"), tmp_path / "b.gilscope"
    reclock(source, target, later, realtime_apart_ns=APART, remarks=("compared",))
    reclock(target, tmp_path / "c.gilscope", later, realtime_apart_ns=APART, remarks=("again",))
    assert read(tmp_path / "c.gilscope").problems == ("compared", "again")


@pytest.mark.parametrize("name", list(golden_files()))
def test_any_trace_can_be_copied(tmp_path: Path, name: str) -> None:
    """Also one that is packed, of another minor version, or cut short: events stay the same."""
    source, target = tmp_path / "a.gilscope", tmp_path / "b.gilscope"
    source.write_bytes(golden_files()[name])
    reclock(source, target, later, realtime_apart_ns=APART)
    before, after = read(source), read(target)
    assert after.intervals.start.tolist() == before.intervals.start.tolist()
    assert after.spans.start.tolist() == before.spans.start.tolist()


def test_samples_move_with_the_trace(tmp_path: Path) -> None:
    """Their times are those of the clock, not ticks."""
    builder = gil_trace()
    about = json.dumps(
        {"rate": 100, "by": "py-spy", "ids": "tid", "places": [["a.py", 1, "f"]], "stacks": [[0]]}
    ).encode()
    about += b" " * (-len(about) % 8)
    tid = read(gil_trace().write(tmp_path / "t.gilscope")).threads[0].tid
    row = struct.pack("<QQQII", tid, START_MONOTONIC + 10, START_MONOTONIC + 50, 0, 0)
    builder.chunk(7, struct.pack("<II", len(about), 1) + about + row)
    source, target = builder.write(tmp_path / "a.gilscope"), tmp_path / "b.gilscope"
    reclock(source, target, later, realtime_apart_ns=APART)
    before, after = read(source).samples, read(target).samples
    assert len(before.start) == 1
    assert after.start.tolist() == before.start.tolist()


def test_hosts_merge_on_one_clock(tmp_path: Path) -> None:
    """Traces of two boots do once they have the same clock."""
    here = gil_trace().write(tmp_path / "a.gilscope")
    there = gil_trace().write(tmp_path / "b.gilscope")
    apart = read(here).start_realtime_ns - read(here).start_monotonic_ns
    moved = tmp_path / "c.gilscope"
    reclock(there, moved, lambda ns: ns + 5_000, realtime_apart_ns=apart)
    done = merge([here, moved], tmp_path / "m.gilscope", names=["one", "two"], remarks=["said"])
    assert done.clock == "monotonic"
    assert [process.start_ns for process in done.processes] == [0, 5_000]
    assert read(tmp_path / "m.gilscope").problems == ("said",)
