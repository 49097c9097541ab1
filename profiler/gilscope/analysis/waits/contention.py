"""Waits by thread and lock: how often, how long; and whether the trace agrees with itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.grouping import order_by
from gilscope.analysis.states.state import State
from gilscope.analysis.states.thread_states import interval_states
from gilscope.trace.format import Event, GilWaitFlag, HoldFlag

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gilscope.trace.arrays import I64, Bools
    from gilscope.trace.model import Intervals, Lock, Thread, Trace


@dataclass(frozen=True, slots=True)
class GilTotals:
    """All GILs of the process together; times are summed over threads, ns.

    Attributes:
        acquires: acquisitions inside the session, contended or not.
        releases: releases inside the session.
        forced_releases: those because another thread asked for the GIL.
        wait_ns: waiting for the GIL, after a forced release as well.
        hold_ns: holding it.
        held_at_start: held already when the session started.
        held_at_end: held still when the trace ended. Always:
            held_at_start + acquires = releases + held_at_end.
    """

    acquires: int
    releases: int
    forced_releases: int
    wait_ns: int
    hold_ns: int
    held_at_start: int
    held_at_end: int


@dataclass(frozen=True, slots=True)
class ThreadTotals:
    """How long one thread was held up, and how long it held up others, ns.

    Attributes:
        thread: the thread.
        gil_wait_ns: waiting for the GIL.
        gil_hold_ns: holding it.
        lock_wait_ns: waiting for locks, asleep or spinning.
        blocked_ns: waiting for something to happen: no contention.
        stopped_ns: in stop-the-world pauses.
    """

    thread: Thread
    gil_wait_ns: int
    gil_hold_ns: int
    lock_wait_ns: int
    blocked_ns: int
    stopped_ns: int


@dataclass(frozen=True, slots=True)
class LockTotals:
    """All waits for one lock.

    Attributes:
        lock: the lock.
        waits: how many.
        wait_ns: their sum over all threads, ns.
        max_ns: the longest one, ns.
        spins: how often threads yielded the processor for it instead of going to sleep, or before.
        spin_ns: the sum of that, ns; no part of `wait_ns`.
    """

    lock: Lock
    waits: int
    wait_ns: int
    max_ns: int
    spins: int = 0
    spin_ns: int = 0


def gil_totals(trace: Trace) -> GilTotals:
    """Acquisitions, releases and waits of the GIL."""
    intervals = trace.intervals
    holds = intervals.kind == Event.GIL_HOLD
    waits = (intervals.kind == Event.GIL_WAIT) | (intervals.kind == Event.GIL_SWITCH_WAIT)
    before = holds & _flagged(intervals, HoldFlag.STARTED_BEFORE)
    closed = holds & ~intervals.open
    return GilTotals(
        acquires=_count(holds & ~before),
        releases=_count(closed),
        forced_releases=_count(closed & _flagged(intervals, HoldFlag.FORCED)),
        wait_ns=int(intervals.duration[waits].sum()),
        hold_ns=int(intervals.duration[holds].sum()),
        held_at_start=_count(before),
        held_at_end=_count(holds & intervals.open),
    )


def thread_totals(trace: Trace) -> list[ThreadTotals]:
    """Totals of each thread, in the order of `trace.threads`."""
    states = interval_states(trace)
    indices = np.array([thread.index for thread in trace.threads], np.int64)
    order = np.argsort(indices)
    place = order[np.searchsorted(indices, trace.intervals.thread, sorter=order)]
    size = len(indices)
    # One sum a cell of a table of threads and states.
    cells = place * len(State) + states
    sums = np.bincount(cells, trace.intervals.duration, size * len(State))
    table = sums.reshape(size, len(State)).astype(np.int64).tolist()
    return [
        ThreadTotals(
            thread,
            gil_wait_ns=row[State.WAITING_GIL],
            gil_hold_ns=row[State.HOLDING_GIL],
            lock_wait_ns=row[State.WAITING_LOCK],
            blocked_ns=row[State.BLOCKED],
            stopped_ns=row[State.STOPPED_WORLD],
        )
        for thread, row in zip(trace.threads, table, strict=True)
    ]


def lock_totals(trace: Trace) -> list[LockTotals]:
    """Totals of each lock that threads contended for, longest waiting first."""
    return _totals_by_lock(trace, (State.WAITING_LOCK,))


def blocked_totals(trace: Trace) -> list[LockTotals]:
    """Totals of what threads waited for without contention: events, queues, pauses."""
    return _totals_by_lock(trace, (State.BLOCKED, State.STOPPED_WORLD))


def check_invariants(trace: Trace) -> list[str]:
    """Contradictions in a trace, one line each; a sound trace has none."""
    return [
        *_negative(trace.intervals),
        *_overlapping_holds(trace),
        *_waits_without_hold(trace),
    ]


def _totals_by_lock(trace: Trace, states: Iterable[State]) -> list[LockTotals]:
    intervals = trace.intervals
    on_lock = np.isin(intervals.kind, (Event.LOCK_WAIT, Event.SPIN))
    wanted = on_lock & np.isin(interval_states(trace), list(states))
    what, duration = intervals.what[wanted], intervals.duration[wanted]
    spin = intervals.kind[wanted] == Event.SPIN
    ids, places = np.unique(what, return_inverse=True)
    n = len(ids)
    longest = np.zeros(n, np.int64)
    np.maximum.at(longest, places[~spin], duration[~spin])
    columns = [
        np.bincount(places[~spin], minlength=n),
        np.bincount(places[~spin], duration[~spin], n).astype(np.int64),
        longest,
        np.bincount(places[spin], minlength=n),
        np.bincount(places[spin], duration[spin], n).astype(np.int64),
    ]
    rows = zip(ids.tolist(), *(column.tolist() for column in columns), strict=True)
    totals = [LockTotals(trace.locks[lock], *numbers) for lock, *numbers in rows]
    return sorted(totals, key=lambda t: (-t.wait_ns - t.spin_ns, t.lock.id))


def _negative(intervals: Intervals) -> list[str]:
    n = _count((intervals.duration < 0) | (intervals.start < 0))
    return [f"{n} intervals begin before the trace or end before they begin"] if n else []


def _overlapping_holds(trace: Trace) -> list[str]:
    holds = trace.intervals.where(Event.GIL_HOLD)
    holds = holds.select(np.lexsort((holds.end, holds.start, holds.what)))
    same_gil = holds.what[1:] == holds.what[:-1]
    # Within a GIL, the latest end so far: a short hold may lie inside a long one.
    latest = _running_maximum(holds.end, holds.what)
    wrong = np.flatnonzero(same_gil & (latest[:-1] > holds.start[1:]))
    if not len(wrong):
        return []
    at = int(wrong[0]) + 1
    name = trace.thread_name(int(holds.thread[at]))
    start, gil = int(holds.start[at]), int(holds.what[at])
    return [f"{len(wrong)} holds of GIL {gil} overlap, the first at {start} ns ({name})"]


def _running_maximum(values: I64, groups: np.ndarray[tuple[int], np.dtype[np.uint32]]) -> I64:
    """Maximum so far in each run of equal groups; groups are sorted."""
    result = values.copy()
    bounds = np.flatnonzero(groups[1:] != groups[:-1]) + 1
    for part in np.split(result, bounds):
        np.maximum.accumulate(part, out=part)
    return result


def _waits_without_hold(trace: Trace) -> list[str]:
    """Waits that got the GIL, after which the thread waits again without having held it."""
    acquired = acquired_waits(trace.intervals)
    rows = np.flatnonzero(np.isin(trace.intervals.kind, (Event.GIL_HOLD, Event.GIL_WAIT)))
    rows = rows[order_by(trace.intervals.thread[rows])]
    threads, kinds = trace.intervals.thread[rows], trace.intervals.kind[rows]
    again = (threads[1:] == threads[:-1]) & (kinds[1:] == Event.GIL_WAIT)
    n = _count(acquired[rows[:-1]] & again)
    return [f"{n} waits got the GIL, and no hold follows"] if n else []


def acquired_waits(intervals: Intervals) -> Bools:
    """The waits that ended with the GIL, bool[n]."""
    failed = _flagged(intervals, GilWaitFlag.NOT_ACQUIRED)
    acquired: Bools = (intervals.kind == Event.GIL_WAIT) & ~failed & ~intervals.open
    return acquired


def _flagged(intervals: Intervals, flag: int) -> Bools:
    flagged: Bools = (intervals.flags & np.uint8(flag)) != 0
    return flagged


def _count(mask: Bools) -> int:
    return int(np.count_nonzero(mask))
