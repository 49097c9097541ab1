"""Waits for locks as slices that fill Perfetto's tables of monitor contention.

Its standard library (`android.monitor_contention`) reads who blocks whom, and where, from names of
slices: `monitor contention with owner NAME (TID) at METHOD(FILE:LINE) waiters=N blocking from
METHOD(FILE:LINE)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.grouping import in_groups, order_by
from gilscope.export.scene import contended_rows
from gilscope.trace.distinct import distinct
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gilscope.analysis.waits.handover import Handovers
    from gilscope.export.perfetto.protobuf import Integers
    from gilscope.trace.arrays import I32, I64, U8, U32
    from gilscope.trace.model import Trace

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
        if not len(self):
            return np.full(len(rows), -1)
        # Of one type, so that not all of them are converted.
        wanted = rows.astype(self.rows.dtype)
        place = np.minimum(np.searchsorted(self.rows, wanted), len(self) - 1)
        return np.where(self.rows[place] == wanted, self.index[place], -1)


def contentions(trace: Trace, states: U8, tids: Mapping[int, int], wakes: Handovers) -> Contentions:
    """Those waits with the names of their slices.

    Args:
        trace: the trace.
        states: of its intervals, as `interval_states` gives them.
        tids: thread index → id of the thread in the export.
        wakes: of the trace, those of its locks.
    """
    rows = contended_rows(trace, states)
    others = _other_waiters(trace, rows)
    waits = trace.intervals.select(rows)
    owners, numbers = waits.peer, rows.astype(np.uint32)
    columns = owners, _owner_stacks(trace, numbers, owners, wakes), others, waits.stack
    first, index = _alike(columns)
    used = zip(*(column[first].tolist() for column in columns), strict=True)
    names = [
        f"monitor contention with owner {trace.thread_name(owner)} ({tids[owner]})"
        f" at {_place(trace, at)} waiters={waiters} blocking from {_place(trace, stack)}"
        for owner, at, waiters, stack in used
    ]
    return Contentions(numbers, names, index.astype(np.int32))


def _owner_stacks(trace: Trace, rows: U32, owners: I32, wakes: Handovers) -> U32:
    """Where the owner gave each lock up, if it is the owner that woke the thread; else 0."""
    stacks = np.zeros(len(rows), np.uint32)
    if not trace.wakes.stack.any():
        return stacks
    place = np.minimum(np.searchsorted(rows, wakes.effects), max(len(rows) - 1, 0))
    known = rows[place] == wakes.effects if len(rows) else np.zeros(len(place), np.bool_)
    ended, place = trace.wakes.select(wakes.causes[known]), place[known]
    own = ended.thread == owners[place]
    stacks[place[own]] = ended.stack[own]
    return stacks


def _alike(columns: Sequence[Integers]) -> tuple[I64, I64]:
    """First row of each combination of values, and the number of each row's combination."""
    index = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        values, number = distinct(column)
        if len(values) > 1:
            _, index = distinct(index * len(values) + number)
    _, first = np.unique(index, return_index=True)
    return first, index


def _other_waiters(trace: Trace, rows: I64) -> I32:
    """How many other threads waited for the same lock when each of these waits began."""
    chosen = np.zeros(len(trace.intervals), np.bool_)
    chosen[rows] = True
    every = np.flatnonzero(trace.intervals.kind == Event.LOCK_WAIT)
    waits = trace.intervals.select(every)
    chosen, lasting = chosen[every], waits.duration > 0
    _, lock = distinct(waits.what)
    (begins, ends), _ = in_groups((lock, lock), (waits.start, waits.end))
    del waits, every
    # By lock, and each lock's by their beginnings, since rows are: what is looked for in order is
    # found faster.
    order = order_by(lock)
    begins = begins[order]
    ends.sort()
    order, keys = order[chosen[order]], begins[chosen[order]]
    others = np.zeros(len(lock), np.int32)
    others[order] = np.searchsorted(begins, keys, "right")
    others[order] -= np.searchsorted(ends, keys, "right").astype(np.int32)
    others -= lasting
    result: I32 = np.maximum(others[chosen], 0)
    return result


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
