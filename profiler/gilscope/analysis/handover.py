"""Which release allowed which acquisition, and which wake ended which wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.contention import acquired_waits
from gilscope.analysis.nesting import NO_ROW
from gilscope.trace.format import Event, LockWaitFlag

if TYPE_CHECKING:
    from gilscope.trace.model import I32, I64, U32, Bools, Intervals, Trace

    type Columns = tuple[U32, I32, I64]


@dataclass(frozen=True, slots=True, eq=False)
class Handovers:
    """k pairs of rows, cause and effect.

    Attributes:
        causes: i64[k], for a GIL rows of `Trace.intervals`, for locks rows of `Trace.wakes`.
        effects: i64[k], rows of `Trace.intervals`.
    """

    causes: I64
    effects: I64

    def __len__(self) -> int:
        return len(self.causes)


def gil_handovers(trace: Trace) -> Handovers:
    """The hold that ended → the hold of another thread that had been waiting for it."""
    intervals = trace.intervals
    holds = np.flatnonzero(intervals.kind == Event.GIL_HOLD)
    holds = holds[np.argsort(intervals.what[holds], kind="stable")]
    before, after = holds[:-1], holds[1:]
    good = (
        (intervals.what[before] == intervals.what[after])
        & (intervals.thread[before] != intervals.thread[after])
        & (intervals.end[before] <= intervals.start[after])
        & ~intervals.open[before]
        & np.isin(after, _contended_holds(trace))
    )
    return Handovers(before[good], after[good])


def lock_handovers(trace: Trace) -> Handovers:
    """The wake → the wait that it ended: the last one for this lock before the wait's end."""
    wakes, intervals = trace.wakes, trace.intervals
    waits = np.flatnonzero(_ended_by_a_wake(intervals))
    what, threads = intervals.what[waits], intervals.thread[waits]
    last = np.full(len(waits), NO_ROW)
    # A wake names the thread that it is for, unless several were waiting.
    for peers, chosen in ((threads, wakes.peer != 0), (np.zeros_like(threads), wakes.peer == 0)):
        rows = np.flatnonzero(chosen)
        found = _last_before(
            (wakes.what[rows], wakes.peer[rows], wakes.start[rows]),
            (what, peers, intervals.end[waits]),
        )
        seen = found != NO_ROW
        # Wakes are sorted by time, so the later one has the higher row.
        last[seen] = np.maximum(last[seen], rows[found[seen]])
    good = last != NO_ROW
    good[good] &= wakes.start[last[good]] >= intervals.start[waits[good]]
    good[good] &= wakes.thread[last[good]] != threads[good]
    return Handovers(last[good], waits[good])


def _ended_by_a_wake(intervals: Intervals) -> Bools:
    otherwise = np.uint8(LockWaitFlag.TIMED_OUT | LockWaitFlag.INTERRUPTED)
    over: Bools = (intervals.kind == Event.LOCK_WAIT) & ~intervals.open
    over &= (intervals.flags & otherwise) == 0
    return over


def _last_before(causes: Columns, effects: Columns) -> I64:
    """For each effect the last cause with the same keys and no later time.

    Args:
        causes: two keys and a time, n of each.
        effects: the same, m of each.

    Returns:
        i64[m], number of the cause, or -1.
    """
    n, m = len(causes[0]), len(effects[0])
    keys = np.concatenate([causes[0], effects[0]])
    others = np.concatenate([causes[1], effects[1]])
    times = np.concatenate([causes[2], effects[2]])
    is_effect = np.arange(n + m) >= n
    order = np.lexsort((is_effect, times, others, keys))
    # Down the sorted list, the latest cause so far; it counts if it has the same keys.
    place = np.maximum.accumulate(np.where(is_effect[order], NO_ROW, np.arange(n + m)))
    found = np.where(place == NO_ROW, NO_ROW, order[place])
    same = (keys[found] == keys[order]) & (others[found] == others[order]) & (found != NO_ROW)
    result = np.full(n + m, NO_ROW)
    result[order] = np.where(same, found, NO_ROW)
    return result[n:]


def _contended_holds(trace: Trace) -> I64:
    """Rows of the holds that their thread had to wait for."""
    intervals = trace.intervals
    rows = np.flatnonzero(np.isin(intervals.kind, (Event.GIL_HOLD, Event.GIL_WAIT)))
    rows = rows[np.argsort(intervals.thread[rows], kind="stable")]
    before, after = rows[:-1], rows[1:]
    contended: I64 = after[
        (intervals.thread[before] == intervals.thread[after])
        & acquired_waits(intervals)[before]
        & (intervals.kind[after] == Event.GIL_HOLD)
    ]
    return contended
