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
    from collections.abc import Iterator, Mapping

    from gilscope.trace.arrays import I32, I64, U32, Bools
    from gilscope.trace.model import Callbacks, Intervals, Spans, Thread, Trace

NO_ROW = -1
_BLOCK = 1 << 20  # rows that are sorted together
_NEVER = np.iinfo(np.int64).max


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


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A part of a thread's life: n intervals, and how they nest.

    Attributes:
        thread: whose life it is.
        rows: i64[n], rows of `Trace.intervals`, increasing.
        intervals: those rows.
        nesting: of them; its rows are positions in this piece.
    """

    thread: Thread
    rows: I64
    intervals: Intervals
    nesting: Nested

    def __len__(self) -> int:
        return len(self.rows)


def thread_rows(threads: I32) -> dict[int, U32]:
    """Rows of each thread that has any, in their order; 4 bytes a row."""
    narrow = np.uint16 if int(threads.max(initial=0)) < 1 << 16 else np.int32
    parts: dict[int, list[U32]] = {}
    for at in range(0, len(threads), _BLOCK):
        block = threads[at : at + _BLOCK].astype(narrow)
        # A sort by 16 bits takes time linear in the number of rows.
        order = np.argsort(block, kind="stable")
        ordered = block[order]
        firsts = np.flatnonzero(np.diff(ordered, prepend=ordered[0] + narrow(1)))
        rows = order.astype(np.uint32) + np.uint32(at)
        for index, part in zip(ordered[firsts].tolist(), np.split(rows, firsts[1:]), strict=True):
            parts.setdefault(index, []).append(part)
    return {index: np.concatenate(parts.pop(index)) for index in sorted(parts)}


def rows_by_thread(trace: Trace) -> dict[int, I64]:
    """Rows of `trace.intervals` of each thread that has any, in the order of their starts."""
    rows = thread_rows(trace.intervals.thread)
    return {index: part.astype(np.int64) for index, part in rows.items()}


def nested(trace: Trace) -> Iterator[tuple[Thread, Nested]]:
    """Each thread of the trace with its intervals, in the order of the lanes."""
    rows = rows_by_thread(trace)
    nothing = np.zeros(0, np.int64)
    for thread in trace.threads:
        own = rows.get(thread.index, nothing)
        yield thread, _nest(trace.intervals.select(own), thread, own)


def nested_pieces(trace: Trace, rows: Mapping[int, U32], size: int) -> Iterator[Piece]:
    """The same in pieces, so that no more than one of them must be in memory.

    Args:
        trace: the trace.
        rows: rows of `trace.intervals` by thread index, as `thread_rows` gives them.
        size: intervals in a piece; more where something lasts that long.

    """
    nothing = np.zeros(0, np.uint32)
    for thread in trace.threads:
        own = rows.get(thread.index, nothing)
        at = 0
        while at < len(own):
            part = _until_all_is_over(trace.intervals, own[at:], size)
            n = len(part)
            part_rows = own[at : at + n].astype(np.int64)
            yield Piece(thread, part_rows, part, _nest(part, thread, np.arange(n)))
            at += n


def _until_all_is_over(intervals: Intervals, rows: U32, size: int) -> Intervals:
    """About this many of the first rows, up to where none of their intervals is open."""
    while True:
        part = intervals.select(rows[:size])
        if size >= len(rows):
            return part
        reach = np.maximum.accumulate(part.end)
        # From the last place at which nothing goes on.
        free = (reach[:-1] <= part.start[1:])[::-1]
        if free.any():
            return part.select(slice(len(free) - int(free.argmax())))
        size *= 2


def nested_callbacks(trace: Trace) -> Iterator[tuple[Thread, Nested]]:
    """Each thread that has callbacks, with these; rows are those of `Trace.callbacks`."""
    return _nested_rows(trace, trace.callbacks)


def nested_spans(trace: Trace) -> Iterator[tuple[Thread, Nested]]:
    """Each thread that has spans, with these; rows are those of `Trace.spans`."""
    return _nested_rows(trace, trace.spans)


def _nested_rows(trace: Trace, table: Callbacks | Spans) -> Iterator[tuple[Thread, Nested]]:
    for index, mine in thread_rows(table.thread).items():
        thread, rows = trace.threads_by_index[index], mine.astype(np.int64)
        starts = np.clip(table.start[rows], thread.start_ns, thread.end_ns)
        ends = np.clip(table.end[rows], starts, thread.end_ns)
        order = np.lexsort((-ends, starts))
        rows, starts, ends = rows[order], starts[order], ends[order]
        parents = np.full(len(rows), NO_ROW)
        around: list[tuple[int, int]] = []
        # Not through lists, which would take five times the memory.
        times = zip(memoryview(starts), memoryview(ends), strict=True)
        for place, (start, end) in enumerate(times):
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
    first, last = edge_places(intervals)
    times, rows, after = (np.empty(2 * n, np.int64) for _ in range(3))
    begins = np.zeros(2 * n, np.bool_)
    inner = intervals.parents != NO_ROW
    around = np.where(inner, intervals.rows[intervals.parents] if n else 0, NO_ROW)
    times[first], times[last] = intervals.starts, intervals.ends
    rows[first], rows[last] = intervals.rows, intervals.rows
    after[first], after[last] = intervals.rows, around
    begins[first] = True
    return Edges(times, begins, rows, after)


def edge_places(intervals: Nested) -> tuple[I64, I64]:
    """Positions of the beginning and the end of each among the 2n edges, i64[n] each."""
    n = len(intervals)
    first = 2 * np.arange(n)
    inside = np.zeros(n, np.int64)
    inner = np.flatnonzero(intervals.parents != NO_ROW)
    around = intervals.parents[inner]
    # Before the beginning of the i-th: i beginnings, and the ends of all but those around it.
    while len(inner):
        first[inner] -= 1
        inside += np.bincount(around, minlength=n)
        around = intervals.parents[around]
        deeper = around != NO_ROW
        inner, around = inner[deeper], around[deeper]
    return first, first + 2 * inside + 1


def _nest(intervals: Intervals, thread: Thread, rows: I64) -> Nested:
    """Make intervals of one thread nest, which are those of these rows, by start."""
    starts = np.clip(intervals.start, thread.start_ns, thread.end_ns)
    ends = np.clip(intervals.end, starts, thread.end_ns)
    is_hold = intervals.kind == Event.GIL_HOLD
    # A wait that begins with a hold lies inside it, or the hold is over at once: hold first.
    if (is_hold[1:] & ~is_hold[:-1] & (starts[1:] == starts[:-1])).any():
        order = np.lexsort((~is_hold, starts))
        rows, starts, ends, is_hold = rows[order], starts[order], ends[order], is_hold[order]
    holds, waits = np.flatnonzero(is_hold), np.flatnonzero(~is_hold)
    hold_starts, hold_ends = _without_overlap(starts[holds], ends[holds])
    wait_starts, wait_ends = _without_overlap(starts[waits], ends[waits])
    # Cut waits where a hold begins or ends.
    behind = waits - np.arange(len(waits))  # holds that have begun when each wait begins
    ends_there, around = np.append(hold_ends, -_NEVER)[behind - 1], np.append(holds, NO_ROW)
    inside = wait_starts < ends_there
    limits = np.where(inside, ends_there, np.append(hold_starts, _NEVER)[behind])
    ends[holds], ends[waits] = hold_ends, np.minimum(wait_ends, limits)
    parents = np.full(len(starts), NO_ROW)
    parents[waits] = np.where(inside, around[behind - 1], NO_ROW)
    return Nested(rows, starts, ends, parents)


def _without_overlap(starts: I64, ends: I64) -> tuple[I64, I64]:
    """Cut what reaches into its successor."""
    cut = ends.copy()
    np.minimum(ends[:-1], starts[1:], out=cut[:-1])
    return starts, cut
