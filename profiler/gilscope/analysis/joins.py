"""Native code that waits for its threads in a way that no hook sees.

A thread that has left Python and waits there for a pool of native threads looks as if it ran. It is
known by what the others do: they are idle before, at work in between, and have just become idle, or
ended, when it comes back. Threads that Python started are waited for with its own locks. Such waits
are inferred, not recorded: for estimates only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.trace.format import Event
from gilscope.trace.model import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gilscope.analysis.spans import Lane
    from gilscope.trace.model import I64, Trace

SHORTEST_NS = 1_000_000
SHARE = 0.01
"""Of the trace, below which a stay outside of Python is not looked at."""

SLACK = 0.02
"""Of its length: how far from its beginning and end others may still, or already, be at work."""

TOGETHER = 0.1
"""Of its length: how much earlier a thread may be done than the last one."""

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


def hidden_joins(trace: Trace, lanes: Sequence[Lane]) -> list[Join]:
    """Return the waits that can be inferred, by thread and start."""
    holds = trace.intervals.where(Event.GIL_HOLD)
    starts = {lane.thread.index: holds.start[holds.thread == lane.thread.index] for lane in lanes}
    ends = {lane.thread.index: holds.end[holds.thread == lane.thread.index] for lane in lanes}
    others = _Others(trace, lanes, starts, ends)
    found = [join for lane in lanes for join in _of_lane(trace, lane, others)]
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


@dataclass(frozen=True, slots=True)
class _Others:
    """When the threads took and gave up the GIL, by index."""

    trace: Trace
    lanes: Sequence[Lane]
    starts: dict[int, I64]
    ends: dict[int, I64]

    def takes(self, thread: int, begin: float, end: float) -> bool:
        """Return whether the thread took the GIL between two times."""
        times = self.starts[thread]
        return bool(np.searchsorted(times, end) > np.searchsorted(times, begin))

    def last_sign(self, thread: int, end: float, exit_ns: int) -> float:
        """Return when the thread last gave up the GIL, or ended, up to a time."""
        if exit_ns <= end and exit_ns < self.trace.duration_ns:
            return exit_ns
        times = self.ends[thread]
        place = np.searchsorted(times, end, side="right")
        return float(times[place - 1]) if place else float("-inf")


def _of_lane(trace: Trace, lane: Lane, others: _Others) -> Iterator[Join]:
    """Yield the waits of one thread."""
    lengths = lane.ends - lane.starts
    long = (lane.states == State.RUNNING) & (lengths >= max(SHORTEST_NS, SHARE * trace.duration_ns))
    rows = np.flatnonzero(long)[:MOST].tolist()
    before = 0
    for place, row in enumerate(rows):
        start, end = int(lane.starts[row]), int(lane.ends[row])
        later = int(lane.starts[rows[place + 1]]) if place + 1 < len(rows) else trace.duration_ns
        signs = _last_signs(lane, (before, start, end, later), others)
        if signs:
            together = min(signs.values()) >= end - max(SHORTEST_NS, TOGETHER * (end - start))
            yield Join(lane.thread.index, start, end, tuple(signs), together)
        before = end


def _last_signs(lane: Lane, times: tuple[int, int, int, int], others: _Others) -> dict[int, float]:
    """Return those that a stay outside of Python was a wait for, and when each was last at work.

    None of them if it was no such wait.

    Args:
        lane: The thread in question.
        times: The end of its stay before, start and end of this one, the start of the next.
        others: All threads.
    """
    before, start, end, later = times
    slack = max(SHORTEST_NS, SLACK * (end - start))
    signs: dict[int, float] = {}
    for other in others.lanes:
        thread = other.thread
        if thread.index == lane.thread.index:
            continue
        ended = abs(thread.end_ns - end) <= slack and thread.end_ns < others.trace.duration_ns
        if not thread.native or not (ended or others.takes(thread.index, start, end)):
            continue
        if others.takes(thread.index, before, start - slack) or others.takes(
            thread.index, end + slack, later
        ):
            return {}
        signs[thread.index] = others.last_sign(thread.index, end + slack, thread.end_ns)
    return signs if max(signs.values(), default=float("-inf")) >= end - slack else {}
