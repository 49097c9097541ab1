"""Which release allowed which acquisition, and which wake ended which wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.grouping import in_groups
from gilscope.analysis.states.nesting import NO_ROW, thread_rows
from gilscope.analysis.waits.contention import acquired_waits
from gilscope.trace.format import Event, LockWaitFlag

_BLOCK = 1 << 17  # holds that are looked at together

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gilscope.trace.arrays import I32, I64, U32, Bools
    from gilscope.trace.model import Intervals, Trace

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
    rows = thread_rows(trace.intervals.thread)
    nothing = np.zeros(0, np.uint32)
    parts = [(nothing, nothing), *gil_handover_parts(trace, rows)]
    causes, effects = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Handovers(causes, effects)


def gil_handover_parts(trace: Trace, rows: Mapping[int, U32]) -> Iterator[tuple[U32, U32]]:
    """The same in parts, causes and effects, so that not all of them must be in memory.

    Args:
        trace: the trace.
        rows: rows of `trace.intervals` by thread index, as `thread_rows` gives them.
    """
    intervals = trace.intervals
    good = _contended_holds(intervals, rows)
    last = np.zeros(0, np.int64)  # the latest hold of each GIL
    for at in range(0, len(intervals), _BLOCK):
        holds = at + np.flatnonzero(intervals.kind[at : at + _BLOCK] == Event.GIL_HOLD)
        holds = np.concatenate([last, holds])
        chosen = intervals.select(holds)
        if (chosen.what != chosen.what[:1]).any():
            order = np.argsort(chosen.what, kind="stable")
            holds, chosen = holds[order], chosen.select(order)
        gils, threads = chosen.what, chosen.thread
        same = gils[:-1] == gils[1:]
        last = holds[np.append(~same, True)[: len(holds)]]
        handed = np.flatnonzero(good[holds[1:]] & same & (threads[:-1] != threads[1:]))
        before, after = holds[handed], holds[handed + 1]
        ended = chosen.select(handed)
        over = ~ended.open & (ended.end <= intervals.start[after])
        yield before[over].astype(np.uint32), after[over].astype(np.uint32)


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


def _contended_holds(intervals: Intervals, rows: Mapping[int, U32]) -> Bools:
    """The holds that their thread had to wait for, bool[n]."""
    marks = np.zeros(len(intervals), np.bool_)
    for part in rows.values():
        before = np.zeros(1, np.bool_)
        for at in range(0, len(part), _BLOCK):
            own = part[at : at + _BLOCK].astype(np.int64)
            kinds = intervals.kind[own]
            own = own[(kinds == Event.GIL_HOLD) | (kinds == Event.GIL_WAIT)]
            # A hold that follows a wait belongs to that wait: other holds began without a wait.
            acquired = np.append(before, acquired_waits(intervals.select(own)))
            marks[own] = acquired[:-1]
            before = acquired[-1:]
    marks &= intervals.kind == Event.GIL_HOLD
    return marks
