"""The intervals of one thread, made to nest: holds, waits between them, waits inside them.

Time stamps of one thread may overlap by a few nanoseconds, and those of a damaged file by any
amount. Whatever draws or exports intervals needs them clean; `check_invariants` tells of the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.trace.format import Event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.trace.model import I64, U8, Bools, Thread, Trace

NO_ROW = -1


@dataclass(frozen=True, slots=True, eq=False)
class Nested:
    """n intervals of one thread, each before those inside it; siblings do not overlap.

    Attributes:
        rows: i64[n], rows of `Trace.intervals`.
        starts: i64[n], ns from the trace's start, not decreasing.
        ends: i64[n], ns from the trace's start.
        parents: i64[n], position in these columns of the interval around this one, or -1.
    """

    rows: I64
    starts: I64
    ends: I64
    parents: I64

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """The 2n beginnings and ends of n nested intervals, in an order that never unnests them.

    Attributes:
        times: i64[2n], ns from the trace's start, not decreasing.
        begins: bool[2n], a beginning, not an end.
        rows: i64[2n], row of `Trace.intervals` that begins or ends.
        after: i64[2n], row of the innermost interval from here on, or -1.
    """

    times: I64
    begins: Bools
    rows: I64
    after: I64


def rows_by_thread(trace: Trace) -> dict[int, I64]:
    """Rows of `trace.intervals` of each thread that has any, in the order of their starts."""
    threads = trace.intervals.thread
    order = np.argsort(threads, kind="stable")
    indices, firsts = np.unique(threads[order], return_index=True)
    parts = np.split(order, firsts[1:])
    return dict(zip(indices.tolist(), parts, strict=False))


def nested(trace: Trace) -> Iterator[tuple[Thread, Nested]]:
    """Each thread of the trace with its intervals, in the order of the lanes."""
    rows = rows_by_thread(trace)
    nothing = np.zeros(0, np.int64)
    for thread in trace.threads:
        yield thread, _nest(trace, thread, rows.get(thread.index, nothing))


def nested_callbacks(trace: Trace) -> Iterator[tuple[Thread, Nested]]:
    """Each thread that has callbacks, with these; rows are those of `Trace.callbacks`."""
    callbacks = trace.callbacks
    for index in np.unique(callbacks.thread).tolist():
        thread = trace.threads_by_index[index]
        rows = np.flatnonzero(callbacks.thread == index)
        starts = np.clip(callbacks.start[rows], thread.start_ns, thread.end_ns)
        ends = np.clip(callbacks.end[rows], starts, thread.end_ns)
        order = np.lexsort((-ends, starts))
        rows, starts, ends = rows[order], starts[order], ends[order]
        parents = np.full(len(rows), NO_ROW)
        around: list[tuple[int, int]] = []
        for place, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
            while around and around[-1][1] <= start:
                around.pop()
            if around:
                parents[place] = around[-1][0]
                ends[place] = min(end, around[-1][1])
            around.append((place, int(ends[place])))
        yield thread, Nested(rows, starts, ends, parents)


def edges(intervals: Nested) -> Edges:
    """Beginnings and ends of nested intervals."""
    n = len(intervals)
    inner = intervals.parents >= 0
    inside = np.bincount(intervals.parents[inner], minlength=n)
    # Before the beginning of the i-th: i beginnings, and the ends of all of these but its parent.
    first = 2 * np.arange(n) - inner
    last = first + 2 * inside + 1
    times, rows, after = (np.empty(2 * n, np.int64) for _ in range(3))
    begins = np.zeros(2 * n, np.bool_)
    around = np.where(inner, intervals.rows[intervals.parents] if n else 0, NO_ROW)
    times[first], times[last] = intervals.starts, intervals.ends
    rows[first], rows[last] = intervals.rows, intervals.rows
    after[first], after[last] = intervals.rows, around
    begins[first] = True
    return Edges(times, begins, rows, after)


def _nest(trace: Trace, thread: Thread, rows: I64) -> Nested:
    intervals = trace.intervals
    kind: U8 = intervals.kind[rows]
    starts = np.clip(intervals.start[rows], thread.start_ns, thread.end_ns)
    ends = np.clip(intervals.end[rows], starts, thread.end_ns)
    is_hold = kind == Event.GIL_HOLD
    hold_starts, hold_ends = _without_overlap(starts[is_hold], ends[is_hold])
    wait_starts, wait_ends = _without_overlap(starts[~is_hold], ends[~is_hold])
    parents, wait_ends = _fit(wait_starts, wait_ends, hold_starts, hold_ends)
    all_starts = np.concatenate([hold_starts, wait_starts])
    # A wait that begins with a hold lies inside it, or the hold is over at once: hold first.
    order = np.argsort(all_starts, kind="stable")
    position = np.empty(len(order), np.int64)
    position[order] = np.arange(len(order))
    all_parents = np.concatenate([np.full(len(hold_starts), NO_ROW), parents])[order]
    outer = all_parents == NO_ROW
    return Nested(
        rows=np.concatenate([rows[is_hold], rows[~is_hold]])[order],
        starts=all_starts[order],
        ends=np.concatenate([hold_ends, wait_ends])[order],
        parents=np.where(outer, NO_ROW, position[all_parents] if len(position) else NO_ROW),
    )


def _without_overlap(starts: I64, ends: I64) -> tuple[I64, I64]:
    """Cut what reaches into its successor."""
    cut = ends.copy()
    np.minimum(ends[:-1], starts[1:], out=cut[:-1])
    return starts, cut


def _fit(wait_starts: I64, wait_ends: I64, hold_starts: I64, hold_ends: I64) -> tuple[I64, I64]:
    """Cut waits where a hold begins or ends; (number of the hold around each or -1, new ends)."""
    if not len(hold_starts):
        return np.full(len(wait_starts), NO_ROW), wait_ends
    before = np.searchsorted(hold_starts, wait_starts, side="right") - 1
    inside = (before >= 0) & (wait_starts < hold_ends[before])
    never = np.iinfo(np.int64).max
    limit = np.where(inside, hold_ends[before], np.append(hold_starts, never)[before + 1])
    return np.where(inside, before, NO_ROW), np.minimum(wait_ends, limit)
