"""Lanes, totals, hand-overs and checks, on traces of which every interval is known."""

from __future__ import annotations

import gc
from itertools import pairwise
from typing import TYPE_CHECKING
from weakref import ref

import numpy as np
import pytest

from gilscope.analysis.grouping import in_groups
from gilscope.analysis.states.nesting import edges, nested, nested_spans
from gilscope.analysis.states.state import State
from gilscope.analysis.states.thread_states import Lane, lanes
from gilscope.analysis.waits import handover
from gilscope.analysis.waits.contention import (
    blocked_totals,
    check_invariants,
    gil_totals,
    lock_totals,
    thread_totals,
)
from gilscope.analysis.waits.handover import gil_handovers, lock_handovers
from gilscope.trace.reading.reader import read
from trace_builder import TraceBuilder
from trace_examples import ft_trace, gil_trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gilscope.trace.model import Trace

    type Reader = Callable[..., Trace]


@pytest.fixture
def read_built(tmp_path: Path) -> Reader:
    """Write what a builder has, and read it."""

    def write_and_read(builder: TraceBuilder, **options: int) -> Trace:
        return read(builder.write(tmp_path / "x.gilscope", **options))

    return write_and_read


def segments(lane: Lane) -> list[tuple[int, int, State]]:
    """(start, end, state) of each segment."""
    columns = (lane.starts.tolist(), lane.ends.tolist(), map(State, lane.states.tolist()))
    return list(zip(*columns, strict=True))


def test_lane_of_a_gil_build(read_built: Reader) -> None:
    """A life is cut into what the thread was doing, without gaps."""
    lane = lanes(read_built(gil_trace()))[2]
    assert segments(lane) == [
        (2_000, 20_000, State.RUNNING),
        (20_000, 60_100, State.WAITING_GIL),
        (60_100, 62_000, State.HOLDING_GIL),
        (62_000, 70_000, State.WAITING_LOCK),
        (70_000, 80_000, State.HOLDING_GIL),
        (80_000, 90_000, State.RUNNING),
    ]


def test_lane_refers_to_intervals(read_built: Reader) -> None:
    """Each segment names the interval that says so; running needs none."""
    trace = read_built(gil_trace())
    for lane in lanes(trace):
        running = lane.states == State.RUNNING
        assert (lane.refs[running] == -1).all()
        assert (trace.intervals.thread[lane.refs[~running]] == lane.thread.index).all()


def test_lanes_of_a_short_trace_are_worked_out_once(read_built: Reader) -> None:
    """Whoever asks again gets the same, in a list of its own."""
    trace = read_built(gil_trace())
    first, again = lanes(trace), lanes(trace)
    assert first is not again
    assert all(one is other for one, other in zip(first, again, strict=True))


def test_lanes_are_kept_no_longer_than_their_trace(read_built: Reader) -> None:
    """Nothing but the trace keeps them."""
    trace = read_built(gil_trace())
    states = ref(lanes(trace)[0].states)
    del trace
    gc.collect()
    assert states() is None


def test_lanes_of_a_free_threaded_build(read_built: Reader) -> None:
    """Contention, blocking and pauses are different states."""
    main, first, _ = lanes(read_built(ft_trace()))
    assert segments(main)[0] == (0, 40_000, State.BLOCKED)
    states = [state for _, _, state in segments(first) if state != State.RUNNING]
    assert states == [State.WAITING_LOCK, State.STOPPED_WORLD]


def test_lane_of_an_idle_thread(read_built: Reader) -> None:
    """A thread without events runs from its start to its end."""
    builder = TraceBuilder()
    builder.thread(start=10, end=60)
    (lane,) = lanes(read_built(builder, duration=100))
    assert segments(lane) == [(10, 60, State.RUNNING)]


def test_lane_of_a_thread_without_a_life(read_built: Reader) -> None:
    """A thread that was seen at the very end has no segments."""
    builder = TraceBuilder()
    builder.thread(start=100)
    (lane,) = lanes(read_built(builder, duration=100))
    assert len(lane) == 0


def test_intervals_of_no_length_leave_no_trace_in_a_lane(read_built: Reader) -> None:
    """Around a wait of length 0, the same segment goes on."""
    builder = TraceBuilder()
    main = builder.thread()
    builder.hold(main, 10, 50)
    builder.wait(main, builder.lock("mutex"), 20, 20)
    builder.hold(main, 60, 60)
    (lane,) = lanes(read_built(builder, duration=100))
    assert segments(lane) == [
        (0, 10, State.RUNNING),
        (10, 50, State.HOLDING_GIL),
        (50, 100, State.RUNNING),
    ]


def test_overlaps_are_cut(read_built: Reader) -> None:
    """Time stamps that overlap a little still give one state at a time."""
    builder = TraceBuilder()
    main = builder.thread()
    builder.gil_wait(main, 10, 32)
    builder.hold(main, 30, 50)
    builder.wait(main, builder.lock("mutex"), 45, 55)
    (lane,) = lanes(read_built(builder, duration=60))
    assert segments(lane) == [
        (0, 10, State.RUNNING),
        (10, 30, State.WAITING_GIL),
        (30, 45, State.HOLDING_GIL),
        (45, 50, State.WAITING_LOCK),
        (50, 60, State.RUNNING),
    ]


def random_trace(seed: int) -> TraceBuilder:
    """Intervals that overlap at random: worse than any real trace."""
    chance = np.random.default_rng(seed)
    builder = TraceBuilder()
    for thread in range(1, 4):
        builder.thread(start=int(chance.integers(50)), end=int(chance.integers(50, 120)))
        for kind, start, length in zip(
            chance.integers(1, 5, 40), chance.integers(0, 100, 40), chance.integers(0, 20, 40),
            strict=True,
        ):  # fmt: skip
            builder.event(int(kind), thread, int(start), int(start + length), what=1)
    return builder


@pytest.mark.parametrize("seed", range(20))
def test_lanes_have_neither_gaps_nor_overlaps(read_built: Reader, seed: int) -> None:
    """Whatever the intervals, a lane covers its thread's life exactly once."""
    for lane in lanes(read_built(random_trace(seed))):
        if not len(lane):
            assert lane.thread.start_ns == lane.thread.end_ns
            continue
        assert (lane.starts[0], lane.ends[-1]) == (lane.thread.start_ns, lane.thread.end_ns)
        assert (lane.starts[1:] == lane.ends[:-1]).all()
        assert (lane.ends > lane.starts).all()


@pytest.mark.parametrize("seed", range(20))
def test_edges_are_balanced(read_built: Reader, seed: int) -> None:
    """Beginnings and ends are in order of time, and what began last ends first."""
    trace = read_built(random_trace(seed))
    for _, intervals in nested(trace):
        changes = edges(intervals)
        assert (np.diff(changes.times) >= 0).all()
        stack: list[int] = []
        columns = (changes.begins.tolist(), changes.rows.tolist(), changes.after.tolist())
        for begins, row, after in zip(*columns, strict=True):
            if begins:
                stack.append(row)
            else:
                assert stack.pop() == row
            assert after == (stack[-1] if stack else -1)
        assert not stack


def test_edges_of_deep_nesting_are_balanced(read_built: Reader) -> None:
    """Spans lie in spans in spans: each ends before the one around it."""
    builder = TraceBuilder()
    builder.thread()
    for start, end in ((10, 90), (20, 50), (30, 40), (60, 80), (60, 70)):
        builder.span(1, "part", start, end)
    ((_, spans),) = nested_spans(read_built(builder))
    changes = edges(spans)
    assert changes.times.tolist() == [10, 20, 30, 40, 50, 60, 60, 70, 80, 90]
    assert changes.rows.tolist() == [0, 1, 2, 2, 1, 3, 4, 4, 3, 0]
    assert changes.after.tolist() == [0, 1, 2, 1, 0, 3, 4, 3, 0, -1]


def test_every_interval_is_nested_once(read_built: Reader) -> None:
    """Nesting loses no interval and doubles none."""
    trace = read_built(random_trace(1))
    rows = np.concatenate([intervals.rows for _, intervals in nested(trace)])
    assert sorted(rows.tolist()) == list(range(len(trace.intervals)))


def test_gil_totals(read_built: Reader) -> None:
    """Acquisitions and releases are those inside the session."""
    totals = gil_totals(read_built(gil_trace()))
    assert (totals.acquires, totals.releases, totals.forced_releases) == (4, 4, 1)
    assert (totals.held_at_start, totals.held_at_end) == (1, 1)
    assert totals.hold_ns == 10_000 + 19_500 + 30_000 + 19_900 + 15_000
    assert totals.wait_ns == 500 + 6_500 + 19_500 + 40_100 + 14_000


def test_thread_totals(read_built: Reader) -> None:
    """Each thread's waits are its own, in the order of the lanes."""
    main, worker, native = thread_totals(read_built(gil_trace()))
    assert (main.gil_wait_ns, main.gil_hold_ns) == (20_000, 55_000)
    assert (worker.gil_wait_ns, worker.gil_hold_ns) == (20_500, 19_500)
    assert (native.thread.name, native.lock_wait_ns, native.blocked_ns) == ("pool", 8_000, 0)


def test_thread_totals_tell_contention_from_blocking(read_built: Reader) -> None:
    """Waiting for an event and being paused is not waiting for a lock."""
    main, first, second = thread_totals(read_built(ft_trace()))
    assert (main.lock_wait_ns, main.blocked_ns) == (0, 40_000)
    assert (first.lock_wait_ns, first.stopped_ns) == (2_000, 1_500)
    assert second.lock_wait_ns == 4_000 + 1_000


def test_lock_totals(read_built: Reader) -> None:
    """The lock that cost most comes first; only contention counts."""
    found = lock_totals(read_built(ft_trace()))
    summary = [(t.lock.type or t.lock.kind, t.waits, t.wait_ns, t.max_ns) for t in found]
    assert summary == [("dict", 2, 6_000, 4_000), ("mutex", 1, 1_000, 1_000)]


def test_blocked_totals(read_built: Reader) -> None:
    """What is no contention is listed apart."""
    found = blocked_totals(read_built(ft_trace()))
    assert [(t.lock.kind, t.wait_ns) for t in found] == [
        ("simple_queue", 40_000),
        ("stop_the_world", 1_500),
    ]


def test_totals_of_nothing(read_built: Reader) -> None:
    """A trace without events has totals, all of them zero."""
    trace = read_built(TraceBuilder())
    assert gil_totals(trace).acquires == 0
    assert thread_totals(trace) == lock_totals(trace) == blocked_totals(trace) == []
    assert lanes(trace) == check_invariants(trace) == []


def test_sound_traces_have_no_contradictions(read_built: Reader) -> None:
    """The checks pass on what is right."""
    assert check_invariants(read_built(gil_trace())) == []
    assert check_invariants(read_built(ft_trace())) == []


def test_overlapping_holds_are_found(read_built: Reader) -> None:
    """Two threads cannot hold one GIL at a time, not even one inside the other's hold."""
    builder = TraceBuilder()
    main, worker = builder.thread("MainThread", main=True), builder.thread("worker")
    builder.hold(main, 0, 100)
    builder.hold(worker, 20, 30)
    builder.hold(worker, 40, 50)
    (found,) = check_invariants(read_built(builder))
    assert found == "2 holds of GIL 1 overlap, the first at 20 ns (worker)"


def test_holds_of_two_gils_may_overlap(read_built: Reader) -> None:
    """Subinterpreters with GILs of their own run at the same time."""
    builder = TraceBuilder()
    builder.hold(builder.thread(), 0, 100, gil=1)
    builder.hold(builder.thread(), 20, 30, gil=2)
    assert check_invariants(read_built(builder)) == []


def test_wait_without_hold_is_found(read_built: Reader) -> None:
    """A thread that got the GIL holds it before it waits again."""
    builder = TraceBuilder()
    main = builder.thread()
    builder.gil_wait(main, 0, 10)
    builder.gil_wait(main, 20, 30, flags=4)
    builder.gil_wait(main, 40, 50)
    builder.hold(main, 50, 60)
    assert check_invariants(read_built(builder)) == ["1 waits got the GIL, and no hold follows"]


@pytest.mark.parametrize("factor", [1, 1 << 40])
def test_numbers_in_groups(factor: int) -> None:
    """The order is that by group and time, also where their product does not fit 64 bits."""
    groups = [np.array([2, 1, 1]) * factor, np.array([1, 2]) * factor]
    times = [np.array([5, 7, 3]) * factor, np.array([7, 1]) * factor]
    (mine, others), span = in_groups(groups, times)
    assert np.argsort(mine).tolist() == [2, 1, 0]
    assert mine[1] == others[0]
    assert mine[1] < others[1] < mine[0]
    assert (mine // span)[1] == (others // span)[0] != (mine // span)[0]


def test_gil_handovers(read_built: Reader) -> None:
    """The release that allowed an acquisition is that of the hold before it."""
    trace = read_built(gil_trace())
    found = gil_handovers(trace)
    ends = trace.intervals.end[found.causes].tolist()
    starts = trace.intervals.start[found.effects].tolist()
    assert list(zip(ends, starts, strict=True)) == [
        (10_000, 10_500),
        (30_000, 30_000),
        (60_000, 60_100),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_gil_handovers_are_those_of_each_gil(
    read_built: Reader, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Each follows on the hold before it of the same GIL, however far back that is."""
    monkeypatch.setattr(handover, "_BLOCK", 7)
    builder, chance = TraceBuilder(), np.random.default_rng(seed)
    threads = [builder.thread() for _ in range(4)]
    holds = []
    for at in range(0, 4000, 10):
        thread, gil = int(chance.choice(threads)), int(chance.choice([1, 2], p=[0.9, 0.1]))
        builder.gil_wait(thread, at, at + 2, gil=gil)
        builder.hold(thread, at + 2, at + 6, gil=gil)
        holds.append((gil, at + 2, thread))
    expected = set()
    for gil in (1, 2):
        own = [(start, thread) for number, start, thread in holds if number == gil]
        expected |= {(a, b) for (a, x), (b, y) in pairwise(own) if x != y}
    trace = read_built(builder)
    found = gil_handovers(trace)
    columns = (trace.intervals.start[rows].tolist() for rows in (found.causes, found.effects))
    assert set(zip(*columns, strict=True)) == expected
    assert len(found) == len(expected)


def test_uncontended_acquisition_is_no_handover(read_built: Reader) -> None:
    """An acquisition of a free GIL has no cause."""
    builder = TraceBuilder()
    first, second = builder.thread(), builder.thread()
    builder.hold(first, 0, 10)
    builder.hold(second, 20, 30)
    assert len(gil_handovers(read_built(builder))) == 0


def woken(builder: TraceBuilder, read_built: Reader) -> list[tuple[int, int]]:
    """(time of the wake, start of the wait that it ended)."""
    trace = read_built(builder)
    found = lock_handovers(trace)
    wakes = trace.wakes.start[found.causes].tolist()
    return list(zip(wakes, trace.intervals.start[found.effects].tolist(), strict=True))


def test_lock_handovers(read_built: Reader) -> None:
    """A wake belongs to the wait of the woken thread, for the same lock, that it falls into."""
    builder = TraceBuilder()
    first, second = builder.thread(), builder.thread()
    lock, other = builder.lock("mutex"), builder.lock("mutex")
    builder.wait(first, lock, 10, 20)
    builder.wait(first, lock, 30, 40)
    builder.wait(first, other, 50, 60)
    builder.wake(second, lock, first, 35)
    builder.wake(second, lock, first, 55)
    builder.wake(second, other, second, 55)
    assert woken(builder, read_built) == [(35, 30)]


def test_last_wake_ends_the_wait(read_built: Reader) -> None:
    """Of several releases during a wait, the last one ended it, named or not."""
    builder = TraceBuilder()
    first, second = builder.thread(), builder.thread()
    lock = builder.lock("thread_lock")
    builder.wait(first, lock, 10, 50)
    builder.wait(first, lock, 60, 90)
    builder.wake(second, lock, first, 20)
    builder.wake(second, lock, 0, 30)
    builder.wake(second, lock, 0, 70)
    builder.wake(second, lock, first, 80)
    assert woken(builder, read_built) == [(30, 10), (80, 60)]


def test_wait_that_timed_out_was_ended_by_nobody(read_built: Reader) -> None:
    """A release during a wait that ran out of time did not end it."""
    builder = TraceBuilder()
    first, second = builder.thread(), builder.thread()
    lock = builder.lock("lock")
    builder.wait(first, lock, 10, 50, flags=1)
    builder.wake(second, lock, 0, 30)
    assert woken(builder, read_built) == []
