"""Which release allowed which acquisition, and which wake ended which wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope.analysis.contention import acquired_waits
from gilscope.analysis.nesting import NO_ROW, thread_rows
from gilscope.trace.format import Event, LockWaitFlag

_BLOCK = 1 << 17  # holds that are looked at together

if TYPE_CHECKING:
    import numpy.typing as npt

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
    holds = np.flatnonzero(intervals.kind == Event.GIL_HOLD).astype(np.uint32)
    gils = intervals.gather("what", holds)
    if len(gils) and (gils != gils[0]).any():
        order = np.argsort(gils, kind="stable")
        holds, gils = holds[order], gils[order]
    good = np.zeros(len(intervals), np.bool_)
    _mark_contended_holds(intervals, good)
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
    nothing = np.zeros(0, np.uint32)
    return Handovers(np.concatenate([nothing, *causes]), np.concatenate([nothing, *effects]))


def lock_handovers(trace: Trace) -> Handovers:
    """The wake → the wait that it ended: the last one for this lock before the wait's end."""
    wakes, intervals = trace.wakes, trace.intervals
    waits = np.flatnonzero(_ended_by_a_wake(intervals))
    ended = intervals.select(waits)
    what, threads, ends = ended.what, ended.thread, ended.end
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
    good[good] &= wakes.start[last[good]] >= ended.start[good]
    good[good] &= wakes.thread[last[good]] != threads[good]
    return Handovers(last[good].astype(np.uint32), waits[good].astype(np.uint32))


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
    # Half the room, as long as that is enough.
    dtype: type[np.signedinteger[Any]] = np.int32 if n + m < 1 << 31 else np.int64
    numbers: npt.NDArray[np.signedinteger[Any]] = np.arange(n + m).astype(dtype)
    order = np.lexsort((numbers >= n, times, others, keys)).astype(dtype)
    del times
    # Down the sorted list, the latest cause so far; it counts if it has the same keys.
    numbers[order >= n] = NO_ROW
    place = np.maximum.accumulate(numbers)
    found = np.where(place == NO_ROW, dtype(NO_ROW), order[place])
    del numbers, place
    same = (keys[found] == keys[order]) & (others[found] == others[order]) & (found != NO_ROW)
    result = np.full(n + m, NO_ROW)
    result[order] = np.where(same, found, NO_ROW)
    return result[n:]


def _mark_contended_holds(intervals: Intervals, marks: Bools) -> None:
    """Mark the holds that their thread had to wait for."""
    kinds, acquired = intervals.kind, acquired_waits(intervals)
    for rows in thread_rows(intervals.thread).values():
        own = rows[np.isin(kinds[rows], (Event.GIL_HOLD, Event.GIL_WAIT))]
        holds = own[1:][kinds[own[1:]] == Event.GIL_HOLD]
        waited = acquired[own[:-1]][kinds[own[1:]] == Event.GIL_HOLD]
        marks[holds[waited]] = True
