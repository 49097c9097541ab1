"""Which release allowed which acquisition, and which wake ended which wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.contention import acquired_waits
from gilscope.analysis.grouping import in_groups
from gilscope.analysis.nesting import NO_ROW, thread_rows
from gilscope.trace.format import Event, LockWaitFlag

_BLOCK = 1 << 17  # holds that are looked at together

if TYPE_CHECKING:
    from gilscope.trace.model import I32, I64, U32, Bools, Intervals, Trace

    type Columns = tuple[U32, I32, I64]


@dataclass(frozen=True, slots=True, eq=False)
class Handovers:
    """k pairs of rows, cause and effect.

    Attributes:
        causes: u32[k], for a GIL rows of `Trace.intervals`, for locks rows of `Trace.wakes`.
        effects: u32[k], rows of `Trace.intervals`.
    """

    causes: U32
    effects: U32

    def __len__(self) -> int:
        return len(self.causes)


def gil_handovers(trace: Trace) -> Handovers:
    """The hold that ended → the hold of another thread that had been waiting for it."""
    intervals = trace.intervals
    good = _contended_holds(intervals)
    holds = np.flatnonzero(intervals.kind == Event.GIL_HOLD).astype(np.uint32)
    gils = intervals.gather("what", holds)
    if len(gils) and (gils != gils[0]).any():
        order = np.argsort(gils, kind="stable")
        holds, gils = holds[order], gils[order]
    causes, effects = [], []
    for at in range(0, len(holds) - 1, _BLOCK):
        before, after = holds[at : at + _BLOCK], holds[at + 1 : at + _BLOCK + 1]
        before = before[: len(after)]
        same = gils[at : at + len(after)] == gils[at + 1 : at + 1 + len(after)]
        handed = good[after] & same & (intervals.thread[before] != intervals.thread[after])
        before, after = before[handed], after[handed]
        ended = intervals.select(before)
        over = ~ended.open & (ended.end <= intervals.start[after])
        causes.append(before[over])
        effects.append(after[over])
    del holds, gils, good
    nothing = np.zeros(0, np.uint32)
    return Handovers(np.concatenate([nothing, *causes]), np.concatenate([nothing, *effects]))


def lock_handovers(trace: Trace) -> Handovers:
    """The wake → the wait that it ended: the last one for this lock before the wait's end."""
    wakes, intervals = trace.wakes, trace.intervals
    waits = np.flatnonzero(_ended_by_a_wake(intervals)).astype(np.uint32)
    what, threads = intervals.gather("what", waits), intervals.thread[waits]
    ends = intervals.gather("duration", waits)
    ends += intervals.start[waits]
    last = np.full(len(waits), NO_ROW)
    # A wake names the thread that it is for, unless several were waiting.
    for peers, chosen in ((threads, wakes.peer != 0), (np.zeros_like(threads), wakes.peer == 0)):
        rows = np.flatnonzero(chosen)
        if not len(rows):
            continue
        found = _last_before(
            (wakes.what[rows], wakes.peer[rows], wakes.start[rows]),
            (what, peers, ends),
        )
        seen = found != NO_ROW
        # Wakes are sorted by time, so the later one has the higher row.
        last[seen] = np.maximum(last[seen], rows[found[seen]])
    good = last != NO_ROW
    good[good] &= wakes.start[last[good]] >= intervals.start[waits[good]]
    good[good] &= wakes.thread[last[good]] != threads[good]
    return Handovers(last[good].astype(np.uint32), waits[good])


def _ended_by_a_wake(intervals: Intervals) -> Bools:
    otherwise = np.uint8(LockWaitFlag.TIMED_OUT | LockWaitFlag.INTERRUPTED)
    over: Bools = (intervals.kind == Event.LOCK_WAIT) & ~intervals.open
    over &= (intervals.flags & otherwise) == 0
    return over


def _last_before(causes: Columns, effects: Columns) -> I64:
    """For each effect the last cause with the same keys and no later time.

    Args:
        causes: two keys and a time, n of each, none negative.
        effects: the same, m of each.

    Returns:
        i64[m], number of the cause, or -1.
    """
    peers = 1 + max(int(keys[1].max(initial=0)) for keys in (causes, effects))
    groups = [keys[0].astype(np.int64) * peers + keys[1] for keys in (causes, effects)]
    (times, wanted), span = in_groups(groups, (causes[2], effects[2]))
    del groups
    order = np.argsort(times, kind="stable")
    times = times[order]
    result = np.full(len(wanted), NO_ROW)
    for at in range(0, len(wanted) if len(times) else 0, _BLOCK):
        some = wanted[at : at + _BLOCK]
        # What is looked for in order is found faster.
        asked = np.argsort(some)
        some = some[asked]
        place = np.searchsorted(times, some, side="right") - 1
        same = (place >= 0) & (times[place] // span == some // span)
        result[at : at + _BLOCK][asked] = np.where(same, order[place], NO_ROW)
    return result


def _contended_holds(intervals: Intervals) -> Bools:
    """The holds that their thread had to wait for, bool[n]."""
    kinds, acquired = intervals.kind, acquired_waits(intervals)
    marks = np.zeros(len(intervals), np.bool_)
    about_gil = (kinds == Event.GIL_HOLD) | (kinds == Event.GIL_WAIT)
    for rows in thread_rows(intervals.thread).values():
        own = rows[about_gil[rows]]
        # What is no wait was not acquired by one, so a hold that follows on a wait is its hold.
        marks[own[1:]] = acquired[own[:-1]]
    marks &= kinds == Event.GIL_HOLD
    return marks
