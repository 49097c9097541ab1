"""Which threads did not stop when all were to stop, and what was waited for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.states.state import State
from gilscope.analysis.waits.overlaps import Stretches, overlaps
from gilscope.analysis.waits.pauses import REQUEST
from gilscope.trace.format import Event, LockWaitFlag

if TYPE_CHECKING:
    from gilscope.analysis.waits.handover import Handovers
    from gilscope.trace.arrays import I64, U8
    from gilscope.trace.model import Trace

LATE_NS = 1_000_000
"""Python code stops microseconds after it was asked to: a thread that takes longer is in native
code and attached, or has no processor."""

MOST_READY = 0.25
"""Part of the time in which a thread was waited for that it had no processor: then that is why."""


@dataclass(frozen=True, eq=False)
class LateStops:
    """k requests to stop that one thread was late for, by time.

    Attributes:
        thread: i64[k], `Thread.index` of the last one to stop.
        stack: i64[k], key of `Trace.stacks`: where it stopped; 0 unknown.
        starts: i64[k], when it was asked to, ns.
        ends: i64[k], when it did, ns.
        ns: i64[k], what all other threads waited meanwhile, together.
    """

    thread: I64
    stack: I64
    starts: I64
    ends: I64
    ns: I64

    def __len__(self) -> int:
        return len(self.thread)


def late_stops(trace: Trace, states: U8, handovers: Handovers) -> LateStops:
    """Return for whom those waited that stopped all threads, and those that had stopped."""
    rows, starts = _requests(trace, states)
    intervals = trace.intervals
    threads, ends = intervals.peer[rows].astype(np.int64), intervals.end[rows]
    late = ends - starts >= LATE_NS
    ready = [_had_a_processor(trace, *one) for one in zip(threads, starts, ends, strict=True)]
    late &= np.array(ready, np.bool_)
    rows, starts, ends, threads = rows[late], starts[late], ends[late], threads[late]
    # Of few rows: all hand-overs of a large trace would be too much for a dictionary.
    ours = np.isin(handovers.effects, rows)
    pairs = (handovers.effects[ours].tolist(), handovers.causes[ours].tolist())
    wakes = dict(zip(*pairs, strict=True))
    stacks = [int(trace.wakes.stack[wakes[row]]) if row in wakes else 0 for row in rows.tolist()]
    # Of requests in two interpreters at a time the later one has what they share.
    ends = np.minimum(ends, np.append(starts[1:], np.iinfo(np.int64).max))
    stretches = Stretches(np.arange(len(rows)), starts, ends)
    held = np.flatnonzero(states == State.STOPPED_WORLD)
    cost = np.zeros(len(rows), np.int64)
    for _, stop, shared in overlaps(stretches, intervals.start[held], intervals.end[held]):
        cost += np.bincount(stop, shared, len(rows)).astype(np.int64)
    return LateStops(threads, np.array(stacks, np.int64), starts, ends, cost)


def _requests(trace: Trace, states: U8) -> tuple[I64, I64]:
    """Return the last wait of each request that a known thread ended, and the request's start.

    A request waits in slices of 1 ms.
    """
    intervals = trace.intervals
    asked = [number for number, lock in trace.locks.items() if lock.kind == REQUEST]
    rows = np.flatnonzero((states == State.STOPPED_WORLD) & np.isin(intervals.what, asked))
    rows = rows[np.lexsort((intervals.start[rows], intervals.thread[rows]))]
    over = (intervals.flags[rows] & np.uint8(LockWaitFlag.TIMED_OUT)) == 0
    over |= np.diff(intervals.thread[rows], append=-1) != 0
    firsts = np.append(0, 1 + np.flatnonzero(over))[: int(over.sum())]
    lasts = rows[over]
    known = (intervals.peer[lasts] > 0) & (intervals.kind[lasts] == Event.LOCK_WAIT)
    starts = intervals.start[rows[firsts]][known]
    order = np.argsort(starts, kind="stable")
    return lasts[known][order], starts[order]


def _had_a_processor(trace: Trace, thread: int, start: int, end: int) -> bool:
    share = trace.cpu_times.share(thread, start, end)
    return share is None or share.runnable_ns < MOST_READY * share.measured_ns
