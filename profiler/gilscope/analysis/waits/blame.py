"""Which thread waited for which: waits for the GIL laid over its holds, and waits for locks.

A thread that waits for the GIL may wait while several others hold it in turn. Each of them is
charged with the time that it held it meanwhile, and nobody with the time in which it was free: that
is what the hand-over takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.states.state import State
from gilscope.analysis.states.thread_states import interval_states
from gilscope.analysis.waits.lock_holders import held_during
from gilscope.analysis.waits.overlaps import Stretches, overlaps
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from gilscope.trace.arrays import I64, U8, U32
    from gilscope.trace.model import Trace

_NOTHING = np.zeros(0, np.int64)

DENSE = 1 << 22
"""Cells of a table that is summed up whole; a larger one, of thousands of threads, is sparse."""


@dataclass(frozen=True, slots=True, eq=False)
class Blame:
    """k pairs of threads of which one waited for the other, by waiter and holder.

    Attributes:
        waiter: i64[k], `Thread.index`.
        holder: i64[k], `Thread.index`; 0 is nobody, in waits for the GIL: it was free already; in
            waits for locks: it is not known who held it.
        gil_ns: i64[k], waiting for the GIL while the holder held it.
        lock_ns: i64[k], waiting for contended locks while the holder had them; where that does not
            follow from the trace, charged to the thread that had the lock when the wait began, or
            else to the one that ended the wait.
    """

    waiter: I64
    holder: I64
    gil_ns: I64
    lock_ns: I64

    def __len__(self) -> int:
        return len(self.waiter)


def blame(trace: Trace, states: U8 | None = None) -> Blame:
    """Charge all waiting of the trace; `states` are its `interval_states`, if they are at hand."""
    states = interval_states(trace) if states is None else states
    size = 1 + max((thread.index for thread in trace.threads), default=0)
    cells, gil = _gil_blame(trace, size)
    lock_cells, lock = _lock_blame(trace, states, size)
    every = np.union1d(cells, lock_cells)
    table = np.zeros((2, len(every)), np.int64)
    table[0, np.searchsorted(every, cells)] = gil
    table[1, np.searchsorted(every, lock_cells)] = lock
    return Blame(every // size, every % size, table[0], table[1])


def caused_by_holds(trace: Trace) -> tuple[I64, I64]:
    """Waiting for the GIL that each hold of it caused, all threads together.

    Returns:
        Rows of `trace.intervals` that are holds, i64[h], and ns, i64[h].
    """
    rows, caused = [], []
    for gil in _gils(trace):
        holds = _holds(trace, gil)
        starts, ends, _ = _waits(trace, gil)
        waited = waiting_at(starts, ends, np.concatenate([holds.starts, holds.ends]))
        n = len(holds.rows)
        rows.append(holds.rows)
        caused.append(waited[n:] - waited[:n])
    return np.concatenate([_NOTHING, *rows]), np.concatenate([_NOTHING, *caused])


def caused_between(trace: Trace, gils: U32, starts: I64, ends: I64) -> I64:
    """Return the waiting for a GIL in each stretch of time, all threads together, ns, i64[n].

    Args:
        trace: the trace.
        gils: u32[n], key of `Trace.gils` for each stretch.
        starts: i64[n], ns.
        ends: i64[n], ns.
    """
    caused = np.zeros(len(gils), np.int64)
    for gil in np.unique(gils).tolist():
        mine = np.flatnonzero(gils == gil)
        begun, over, _ = _waits(trace, gil)
        waited = waiting_at(begun, over, np.concatenate([starts[mine], ends[mine]]))
        caused[mine] = waited[len(mine) :] - waited[: len(mine)]
    return caused


def shared_with(starts: I64, ends: I64, waits: I64, over: I64) -> I64:
    """Return how much of each wait lies in stretches that do not overlap, ns, i64[w].

    Args:
        starts: i64[n], of the stretches, in order, ns.
        ends: i64[n], ns.
        waits: i64[w], starts of the waits, ns.
        over: i64[w], their ends, ns.
    """
    shared = np.zeros(len(waits), np.int64)
    stretches = Stretches(np.arange(len(starts)), starts, ends)
    for wait, _, both in overlaps(stretches, waits, over):
        shared += np.bincount(wait, both, len(waits)).astype(np.int64)
    return shared


def waiting_at(starts: I64, ends: I64, times: I64) -> I64:
    """Return how much waiting there was before each time, all of n waits together, ns, i64[m]."""
    starts, ends = np.sort(starts), np.sort(ends)
    # What has begun, up to then, less what has gone on after its end.
    return _elapsed(starts, times) - _elapsed(ends, times)


def _elapsed(moments: I64, times: I64) -> I64:
    """Return the sum, over the moments before each time, of the time since then."""
    # The sums of a long trace do not fit, and need not: differences are right modulo 2**64.
    sums = np.concatenate([[0], np.cumsum(moments)])
    places = np.searchsorted(moments, times)
    elapsed: I64 = places * times - sums[places]
    return elapsed


def _gils(trace: Trace) -> list[int]:
    found: list[int] = np.unique(trace.intervals.what[_kind(trace, Event.GIL_HOLD)]).tolist()
    return found


def _kind(trace: Trace, kind: int) -> I64:
    return np.flatnonzero(trace.intervals.kind == kind)


def _holds(trace: Trace, gil: int) -> Stretches:
    """Return the holds of a GIL, made not to overlap: time stamps may, by some nanoseconds."""
    intervals = trace.intervals
    rows = _kind(trace, Event.GIL_HOLD)
    rows = rows[intervals.what[rows] == gil]
    starts = intervals.start[rows]
    ends = np.maximum.accumulate(intervals.end[rows]) if len(rows) else starts
    return Stretches(rows, starts, np.minimum(ends, np.append(starts[1:], ends[-1:])))


def _waits(trace: Trace, gil: int) -> tuple[I64, I64, I64]:
    """Return start, end and thread of the waits for a GIL."""
    intervals = trace.intervals
    rows = _kind(trace, Event.GIL_WAIT)
    rows = rows[intervals.what[rows] == gil]
    return intervals.start[rows], intervals.end[rows], intervals.thread[rows].astype(np.int64)


def _gil_blame(trace: Trace, size: int) -> tuple[I64, I64]:
    """Return cells, waiter · size + holder, and how long each was, ns; none of them 0."""
    cells, charged = _NOTHING, _NOTHING
    for gil in _gils(trace):
        holds = _holds(trace, gil)
        starts, ends, waiters = _waits(trace, gil)
        holders = trace.intervals.thread[holds.rows].astype(np.int64)
        # First charge all of it to no thread; then move the time in which a thread held the GIL.
        cells = np.append(cells, waiters * size)
        charged = np.append(charged, ends - starts)
        for wait, hold, shared in overlaps(holds, starts, ends):
            found, sums = _sums(waiters[wait] * size + holders[hold], shared, size)
            # Summed up again and again: no more cells are kept than there are pairs of threads.
            cells = np.concatenate([cells, found, found // size * size])
            cells, charged = _sums(cells, np.concatenate([charged, sums, -sums]), size)
    return _sums(cells, charged, size)


def _sums(cells: I64, values: I64, size: int) -> tuple[I64, I64]:
    """Return each cell once, in order, with the sum of its values; none that sums up to 0."""
    if size * size <= DENSE:
        # Floats are exact up to 2**53 ns: a hundred days.
        sums = np.bincount(cells, values, size * size).astype(np.int64)
        found = np.flatnonzero(sums)
        return found, sums[found]
    found, places = np.unique(cells, return_inverse=True)
    sums = np.bincount(places, values, len(found)).astype(np.int64)
    return found[sums != 0], sums[sums != 0]


def _lock_blame(trace: Trace, states: U8, size: int) -> tuple[I64, I64]:
    """Charge waits to those that had the lock in them; what is left to the wait's own peer.

    That one had it when the wait began, or ended the wait.
    """
    intervals = trace.intervals
    rows = np.flatnonzero(states == State.WAITING_LOCK)
    held = held_during(trace, rows)
    good = held.holder < size
    peers = intervals.peer[rows]
    known = (intervals.kind[rows] == Event.LOCK_WAIT) & (peers > 0) & (peers < size)
    waiters = intervals.thread[rows].astype(np.int64)
    charged = np.bincount(held.waits[good], held.ns[good], len(rows)).astype(np.int64)
    cells = [waiters[held.waits[good]] * size + held.holder[good]]
    cells.append(waiters * size + np.where(known, peers, 0).astype(np.int64))
    left = np.maximum(intervals.duration[rows] - charged, 0)
    return _sums(np.concatenate(cells), np.concatenate([held.ns[good], left]), size)
