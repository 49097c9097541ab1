"""Native code that waits for its threads, where the trace does not say for what it waits.

A thread that has left Python and waits there for a pool of native threads looks as if it ran, or as
blocked by a condition variable, of which nobody knows who signalled it. It is known by what the
others do: they are idle before, at work in between, and have just become idle, or ended, when it
comes back. Threads that Python started are waited for with its own locks. Such waits are inferred,
not recorded: for estimates only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from gilscope.analysis.states.state import State
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gilscope.analysis.states.thread_states import Lane
    from gilscope.trace.arrays import I64, U32, Bools
    from gilscope.trace.model import Trace

SHORTEST_NS = 1_000_000
SHARE = 0.01
"""Of the trace, below which a stay outside of Python is not looked at."""

SLACK = 0.02
"""Of its length: how far from its beginning and end others may still, or already, be at work."""

TOGETHER = 0.1
"""Of its length: how much earlier a thread may be done than the last one."""

BLOCKED = 0.8
"""Share of it in waits that are not explained, from which on it is known to be no work."""

MOST = 1000
"""Stays that are looked at, a thread."""


@dataclass(frozen=True, slots=True)
class Join:
    """A wait that was inferred.

    Attributes:
        thread: `Thread.index` of the one that waits.
        start: when it began to, ns from the trace's start; its threads begin to work.
        end: when it went on, ns from the trace's start; the last of them has finished.
        workers: `Thread.index` of those that it waited for.
        together: they all finished at its end, as those of a pool do that take the next piece of
            work whenever they are done with one.
    """

    thread: int
    start: int
    end: int
    workers: tuple[int, ...]
    together: bool


def slack_of(start: float, end: float) -> float:
    """Return how far from its beginning and end a wait may be taken for something else, ns."""
    return max(SHORTEST_NS, SLACK * (end - start))


def hidden_joins(trace: Trace, lanes: Sequence[Lane]) -> list[Join]:
    """Return the waits that can be inferred, by thread and start."""
    others = _Others(trace, lanes, unexplained(trace))
    found = [join for lane in lanes for join in _of_lane(lane, others)]
    joins: list[Join] = []
    main = {lane.thread.index for lane in lanes if lane.thread.main}
    order = sorted(found, key=lambda join: (join.thread not in main, join.start - join.end))
    for join in order:
        # While another thread waits for it, a thread works.
        if not any(join.thread in longer.workers and _overlap(join, longer) for longer in joins):
            joins.append(join)
    return sorted(joins, key=lambda join: (join.thread, join.start))


def _overlap(one: Join, other: Join) -> bool:
    return one.start < other.end and other.start < one.end


def unexplained(trace: Trace) -> Bools:
    """Return the waits of native code that somebody ended of whom nothing is known, bool[n]."""
    intervals = trace.intervals
    native = [number for number, lock in trace.locks.items() if lock.native]
    rows: Bools = (intervals.kind == Event.LOCK_WAIT) & (intervals.peer == 0)
    rows &= np.isin(intervals.what, native)
    return rows


@dataclass(frozen=True, slots=True, eq=False)
class _Moments:
    """n moments of threads.

    Attributes:
        times: i64[n], ns, increasing.
        places: i64[n], of each one's thread in `_Others.native`.
    """

    times: I64
    places: I64

    @classmethod
    def of(cls, found: dict[int, I64], threads: I64) -> Self:
        """Return those of some threads, by index."""
        mine = [found[index] for index in threads.tolist()]
        times = np.concatenate([np.zeros(0, np.int64), *mine])
        order = np.argsort(times, kind="stable")
        places = np.repeat(np.arange(len(mine)), [len(each) for each in mine])
        return cls(times[order], places[order])

    def between(self, start: float, end: float) -> I64:
        """Return the places of those who have one from ``start`` on and before ``end``."""
        low, high = np.searchsorted(self.times, [start, end])
        return self.places[low : max(low, high)]


class _Others:
    """Signs of work of the threads that Python did not start.

    Attributes:
        trace: The trace.
        native: i64[k], `Thread.index` of each.
        native_ends: i64[k], when each ended, ns.
        native_begins: When they took the GIL, or had waited long enough for something native.
        native_stops: When they gave the GIL up, or began to wait for something native.
        idle: bool[n + 1], the waits that are not explained; the last one is of no interval.
    """

    def __init__(self, trace: Trace, lanes: Sequence[Lane], idle: Bools) -> None:
        threads = [lane.thread for lane in lanes if lane.thread.native]
        self.trace = trace
        self.native = np.array([thread.index for thread in threads], np.int64)
        self.native_ends = np.array([thread.end_ns for thread in threads], np.int64)
        begins, self._stops = work_signs(trace, idle, self.native.tolist())
        self.native_begins = _Moments.of(begins, self.native)
        self.native_stops = _Moments.of(self._stops, self.native)
        self.idle = np.append(idle, np.False_)

    def last_sign(self, place: int, end: float) -> float:
        """Return when a thread was last done with something, or ended, up to a time."""
        exit_ns = int(self.native_ends[place])
        if exit_ns <= end and exit_ns < self.trace.duration_ns:
            return exit_ns
        times = self._stops[int(self.native[place])]
        last = np.searchsorted(times, end, side="right")
        return float(times[last - 1]) if last else float("-inf")


def work_signs(
    trace: Trace, idle: Bools, indexes: Sequence[int]
) -> tuple[dict[int, I64], dict[int, I64]]:
    """Return when threads began with something, and when they were done with something.

    Args:
        trace: The trace.
        idle: bool[n], `unexplained(trace)`.
        indexes: `Thread.index` of the threads.

    Returns:
        By index the times, increasing, ns: when each took the GIL or had waited for something
        native, and when it gave the GIL up or began to wait for something native.
    """
    holds, waits = trace.intervals.where(Event.GIL_HOLD), trace.intervals.select(idle)
    threads = np.concatenate([holds.thread, waits.thread])
    return (
        _by_thread(indexes, threads, np.concatenate([holds.start, waits.end])),
        _by_thread(indexes, threads, np.concatenate([holds.end, waits.start])),
    )


def _by_thread(indexes: Sequence[int], threads: U32, times: I64) -> dict[int, I64]:
    """Return the times of each thread, increasing."""
    order = np.lexsort((times, threads))
    threads, times = threads[order], times[order]
    first, last = (np.searchsorted(threads, indexes, side=side) for side in ("left", "right"))
    return {
        index: times[low:high]
        for index, low, high in zip(indexes, first.tolist(), last.tolist(), strict=True)
    }


def _of_lane(lane: Lane, others: _Others) -> Iterator[Join]:
    """Yield the waits of one thread."""
    if not (lane.states == State.HOLDING_GIL).any():
        return  # it was never in Python to leave it: it is one of those that work
    trace, stays = others.trace, _stays(lane, others.idle)
    lengths = stays[:, 1] - stays[:, 0]
    stays = stays[lengths >= max(SHORTEST_NS, SHARE * trace.duration_ns)][:MOST]
    before = 0
    for place, (start, end, blocked) in enumerate(stays.tolist()):
        later = int(stays[place + 1, 0]) if place + 1 < len(stays) else trace.duration_ns
        # Events too close together to tell a wait from work must be known to be a wait.
        gaps = [start - before] * (place > 0) + [later - end] * (place + 1 < len(stays))
        apart = min(gaps, default=end) > slack_of(start, end)
        known = apart or blocked >= BLOCKED * (end - start)
        signs = _last_signs(lane, (before, start, end, later), others) if known else {}
        if signs:
            together = min(signs.values()) >= end - max(SHORTEST_NS, TOGETHER * (end - start))
            yield Join(lane.thread.index, start, end, tuple(signs), together)
        before = end


def _stays(lane: Lane, idle: Bools) -> I64:
    """Return how long the thread did without Python, and was not held up by a lock of Python's.

    Args:
        lane: The thread.
        idle: bool[n + 1], the waits that are not explained; the last one is of no interval.

    Returns:
        i64[n, 3]: start, end, and how much of it the thread was in such waits.
    """
    waits = idle[lane.refs]
    outside = (lane.states == State.RUNNING) | waits
    edges = np.flatnonzero(np.diff(np.concatenate([[0], outside.astype(np.int8), [0]])))
    firsts, lasts = edges[::2], edges[1::2] - 1
    waited = np.concatenate([[0], np.cumsum(np.where(waits, lane.ends - lane.starts, 0))])
    stays: I64 = np.stack(
        [lane.starts[firsts], lane.ends[lasts], waited[lasts + 1] - waited[firsts]], axis=1
    )
    return stays


def _last_signs(lane: Lane, times: tuple[int, int, int, int], others: _Others) -> dict[int, float]:
    """Return those that a stay outside of Python was a wait for, and when each was last at work.

    None of them if it was no such wait.

    Args:
        lane: The thread in question.
        times: The end of its stay before, start and end of this one, the start of the next.
        others: All threads.
    """
    before, start, end, later = times
    slack = slack_of(start, end)
    ends = others.native_ends
    at_work = (np.abs(ends - end) <= slack) & (ends < others.trace.duration_ns)
    at_work[others.native_begins.between(start - slack, end)] = True
    at_work[others.native_stops.between(start, end + slack)] = True
    at_work &= others.native != lane.thread.index
    begun = np.zeros(len(at_work), np.bool_)
    begun[others.native_begins.between(before, start - slack)] = True
    begun[others.native_begins.between(end + slack, later)] = True
    if (at_work & begun).any():
        return {}
    signs = {
        int(others.native[place]): others.last_sign(place, end + slack)
        for place in np.flatnonzero(at_work).tolist()
    }
    return signs if max(signs.values(), default=float("-inf")) >= end - slack else {}
