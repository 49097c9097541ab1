"""Waits for locks as slices that fill Perfetto's tables of monitor contention.

Its standard library (`android.monitor_contention`) reads who blocks whom, and where, from names of
slices: `monitor contention with owner NAME (TID) at METHOD(FILE:LINE) waiters=N blocking from
METHOD(FILE:LINE)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.handover import lock_handovers
from gilscope.analysis.spans import LOCK_STATES
from gilscope.trace.distinct import distinct
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gilscope.trace.model import I32, I64, U32, Bools, Intervals, Trace

PLACE_UNKNOWN = "def ?()(?:0)"


@dataclass(frozen=True, slots=True, eq=False)
class Contentions:
    """k waits for locks of which the owner is known.

    Attributes:
        rows: u32[k], rows of `Trace.intervals`, increasing.
        names: of slices.
        index: i32[k], number of each one's name.
    """

    rows: U32
    names: list[str]
    index: I32

    def __len__(self) -> int:
        return len(self.rows)

    def numbers_of(self, rows: I64) -> I64:
        """Numbers of the names for these intervals; -1 of others."""
        place = np.minimum(np.searchsorted(self.rows, rows), max(len(self) - 1, 0))
        if not len(self):
            return np.full(len(rows), -1)
        return np.where(self.rows[place] == rows, self.index[place], -1)


def contended_rows(trace: Trace) -> I64:
    """Rows of the waits for locks, not for events, that another thread is known to have caused."""
    rows = np.flatnonzero(trace.intervals.kind == Event.LOCK_WAIT)
    return rows[_contended(trace, trace.intervals.select(rows))]


def contentions(trace: Trace, tids: Mapping[int, int]) -> Contentions:
    """Those waits with the names of their slices.

    Args:
        trace: the trace.
        tids: thread index → id of the thread in the export.
    """
    rows = contended_rows(trace)
    waits = trace.intervals.select(rows)
    others = _other_waiters(trace.intervals, rows, waits)
    stacks = _owner_stacks(trace, rows, waits)
    columns = waits.peer.astype(np.int64), stacks, others, waits.stack.astype(np.int64)
    first, index = _alike(columns)
    used = np.column_stack(columns)[first]
    names = [
        f"monitor contention with owner {trace.thread_name(owner)} ({tids[owner]})"
        f" at {_place(trace, at)} waiters={waiters} blocking from {_place(trace, stack)}"
        for owner, at, waiters, stack in used.tolist()
    ]
    return Contentions(rows.astype(np.uint32), names, index.astype(np.int32))


def _owner_stacks(trace: Trace, rows: I64, waits: Intervals) -> I64:
    """Where the owner gave each lock up, if it is the owner that woke the thread; else 0."""
    stacks = np.zeros(len(rows), np.int64)
    if not trace.wakes.stack.any():
        return stacks
    wakes = lock_handovers(trace)
    place = np.minimum(np.searchsorted(rows, wakes.effects), max(len(rows) - 1, 0))
    known = rows[place] == wakes.effects if len(rows) else np.zeros(len(place), np.bool_)
    ended, place = trace.wakes.select(wakes.causes[known]), place[known]
    own = ended.thread == waits.peer[place]
    stacks[place[own]] = ended.stack[own]
    return stacks


def _alike(columns: tuple[I64, ...]) -> tuple[I64, I64]:
    """First row of each combination of values, and the number of each row's combination."""
    index = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        values, number = distinct(column)
        if len(values) > 1:
            _, index = distinct(index * len(values) + number)
    _, first = np.unique(index, return_index=True)
    return first, index


def _contended(trace: Trace, waits: Intervals) -> Bools:
    peers, places = distinct(waits.peer)
    known = np.array([peer in trace.threads_by_index for peer in peers.tolist()], np.bool_)
    contended: Bools = known[places] & (waits.peer != waits.thread)
    used, places = distinct(waits.what)
    locks = np.array(
        [trace.locks[lock].kind not in LOCK_STATES for lock in used.tolist()], np.bool_
    )
    return contended & locks[places]


def _other_waiters(intervals: Intervals, rows: I64, waits: Intervals) -> I64:
    """How many other threads waited for the same lock when each of these waits began."""
    on_locks = np.flatnonzero(intervals.kind == Event.LOCK_WAIT)
    every = intervals.select(on_locks)
    _, lock = distinct(every.what)
    times = np.concatenate([every.start, every.end])
    times.sort()
    times = times[np.diff(times, prepend=-1) > 0]
    # Numbers that order first by lock, then by time.
    began = np.sort(lock * len(times) + np.searchsorted(times, every.start))
    ended = np.sort(lock * len(times) + np.searchsorted(times, every.end))
    mine = lock[np.searchsorted(on_locks, rows)]
    keys = mine * len(times) + np.searchsorted(times, waits.start)
    before = np.searchsorted(began, keys, side="right") - np.searchsorted(ended, keys, side="right")
    others: I64 = np.maximum(before - (waits.duration > 0), 0)
    return others


def _place(trace: Trace, stack: int) -> str:
    frames = trace.stacks[stack]
    if not frames:
        return PLACE_UNKNOWN
    frame = frames[0]
    # What separates the parts must not be in them.
    name, file = (part.replace("(", "[").replace(")", "]") for part in (frame.name, frame.file))
    # The word in front is where Java has the type of the result.
    kind = "native" if frame.native else "def"
    return f"{kind} {name}()({file.rpartition('/')[2] or '?'}:{frame.line})"
