"""Timelines as plain numpy columns: what is embedded, and the raster.

The raster divides time into columns of pixels. In each column of a lane the states are stacked:
each as high as its share of the column's time, times its own height (palette.Look.height), so that
a column in which nothing changes looks exactly like the rectangle that it is a part of, and area is
time. A stalled state (a wait) that is there at all gets at least a sixth of the lane's height
and stands at the bottom, where nothing can hide it, however short it was. The browser draws by
the same rule (timeline_draw.js) when a reader zooms, and a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gilscope.analysis.spans import lanes as spans_of
from gilscope.trace.format import Event, LockWaitFlag
from gilscope.trace.model import State
from gilscope.view.merge import Segments, bounded
from gilscope.view.order import aligned
from gilscope.view.palette import LEAST, LOOKS, STACK, STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.analysis.spans import Lane
    from gilscope.trace.model import I32, I64, U8, Trace

type F64 = npt.NDArray[np.float64]

LIMIT = 200_000
"""Segments of one build that a picture carries along; beyond it, short ones are merged."""

END = 255
"""State of the row that ends a lane."""

LOCK_STATES = (State.WAITING_LOCK, State.BLOCKED, State.STOPPED_WORLD)


@dataclass(frozen=True, eq=False)
class Columns:
    """The segments of one build, lane after lane; n rows in all.

    Attributes:
        names: Name of each of the L lanes, from the top.
        offsets: i64[L + 1], row at which each lane begins; its last row has the state ``END`` and
            the lane's end as its start.
        start: f64[n], ms; a segment ends where the next row starts.
        state: u8[n].
        lock: i32[n], position in ``locks``, or -1.
        peer: i32[n], position in ``threads``, or -1: who held the GIL or lock, or ended the wait.
        count: i32[n], segments of the trace that this one stands for.
        locks: Names of locks.
        threads: Names of threads behind what they were, such as "held by worker".
        duration: Of the trace, ms.
        grain: ms; segments shorter than this may have been merged. 0: none were.
    """

    names: tuple[str, ...]
    offsets: I64
    start: F64
    state: U8
    lock: I32
    peer: I32
    count: I32
    locks: tuple[str, ...]
    threads: tuple[str, ...]
    duration: float
    grain: float

    def lane(self, index: int) -> slice:
        """Return the rows of one lane, the one that ends it left out."""
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]) - 1)


def columns_of(traces: Sequence[Trace], limit: int = LIMIT) -> list[Columns]:
    """Return the segments of each trace, about ``limit`` of them at most, lanes in one order."""
    lanes = [spans_of(trace) for trace in traces]
    orders = aligned([[lane.thread.name for lane in found] for found in lanes])
    return [
        _columns(trace, [found[position] for position in order], limit)
        for trace, found, order in zip(traces, lanes, orders, strict=True)
    ]


def _columns(trace: Trace, found: Sequence[Lane], limit: int) -> Columns:
    ones = [np.ones(len(lane), np.int64) for lane in found]
    lanes, grain = bounded(
        [
            Segments(lane.starts, lane.ends, lane.states, lane.refs, count)
            for lane, count in zip(found, ones, strict=True)
        ],
        limit,
    )
    ends = [lane.thread.end_ns for lane in found]
    rows = _concatenated(lanes, ends)
    lock, locks = _locks(trace, rows)
    peer, threads = _peers(trace, rows)
    return Columns(
        names=tuple(lane.thread.name for lane in found),
        offsets=np.cumsum([0, *(len(lane) + 1 for lane in lanes)], dtype=np.int64),
        start=rows.starts / 1e6,
        state=rows.states,
        lock=lock,
        peer=peer,
        count=rows.counts.astype(np.int32),
        locks=locks,
        threads=threads,
        duration=trace.duration_ns / 1e6,
        grain=grain / 1e6,
    )


def _concatenated(lanes: Sequence[Segments], ends: Sequence[int]) -> Segments:
    """Put all lanes one behind the other, each with a row that ends it."""
    parts: list[Segments] = []
    for lane, thread_end in zip(lanes, ends, strict=True):
        end = np.array([lane.ends[-1] if len(lane) else thread_end], np.int64)
        minus = np.array([-1], np.int64)
        parts += [lane, Segments(end, end, np.array([END], np.uint8), minus, np.ones(1, np.int64))]
    if not parts:
        none = np.zeros(0, np.int64)
        return Segments(none, none, np.zeros(0, np.uint8), none, none)
    names = ("starts", "ends", "states", "refs", "counts")
    return Segments(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _locks(trace: Trace, rows: Segments) -> tuple[I32, tuple[str, ...]]:
    """Return each row's position in a list of lock names, and the list."""
    result = np.full(len(rows), -1, np.int32)
    on_lock = (rows.refs >= 0) & np.isin(rows.states, [int(state) for state in LOCK_STATES])
    what = trace.intervals.what[rows.refs[on_lock]]
    ids, position = np.unique(what, return_inverse=True)
    result[on_lock] = position
    return result, tuple(trace.locks[int(lock)].name for lock in ids)


def _peers(trace: Trace, rows: Segments) -> tuple[I32, tuple[str, ...]]:
    """Return each row's position in a list of what threads were, and the list."""
    result = np.full(len(rows), -1, np.int32)
    has_ref = np.flatnonzero(rows.refs >= 0)
    refs = rows.refs[has_ref]
    intervals = trace.intervals
    held = (intervals.kind[refs] == Event.GIL_WAIT) | (
        (intervals.kind[refs] == Event.LOCK_WAIT)
        & ((intervals.flags[refs] & np.uint8(LockWaitFlag.HOLDER)) != 0)
    )
    peer = intervals.peer[refs]
    known = peer > 0
    # Twice the thread, plus 1 where it was the holder.
    codes = 2 * peer[known].astype(np.int64) + held[known]
    used, position = np.unique(codes, return_inverse=True)
    result[has_ref[known]] = position
    words = ("ended by", "held by")
    return result, tuple(
        f"{words[code % 2]} {trace.thread_name(code // 2)}" for code in used.tolist()
    )


def shares(columns: Columns, lane: int, edges: F64) -> F64:
    """Return how the time between the edges is spent.

    Args:
        columns: The segments.
        lane: Position of the lane.
        edges: f64[w + 1], ms, ascending.

    Returns:
        f64[STATES, w]: share of each state of each column's time.
    """
    rows = columns.lane(lane)
    starts, states = columns.start[rows], columns.state[rows]
    lengths = np.diff(columns.start[rows.start : rows.stop + 1])
    result = np.zeros((STATES, len(edges) - 1))
    for state in range(STATES):
        mine = states == state
        if mine.any():
            spent = _spent(starts[mine], lengths[mine], edges)
            result[state] = np.diff(spent) / np.diff(edges)
    return result


def _spent(starts: F64, lengths: F64, edges: F64) -> F64:
    """Return the time that segments take up before each edge: f64[edges]."""
    before = np.concatenate([[0.0], np.cumsum(lengths)])
    index = np.searchsorted(starts, edges, side="right")
    last = np.maximum(index - 1, 0)
    inside = np.clip(edges - starts[last], 0.0, lengths[last])
    spent: F64 = before[last] + np.where(index > 0, inside, 0.0)
    return spent


def raster(columns: Columns, lane: int, edges: F64, rows: int) -> U8:
    """Draw one lane.

    Args:
        columns: The segments.
        lane: Position of the lane.
        edges: f64[w + 1], ms: the borders of the columns of pixels.
        rows: Height of the lane in pixels.

    Returns:
        u8[rows, w], bottom row first: 0 where there is nothing, else a state's value plus 1.
    """
    parts = shares(columns, lane, edges)
    picture = np.zeros((rows, len(edges) - 1), np.uint8)
    level = np.arange(rows)[:, np.newaxis]
    bottom = np.zeros(len(edges) - 1, np.int64)
    for state in STACK:
        look = LOOKS[state]
        height = np.floor(parts[state] * look.height * rows + 0.5).astype(np.int64)
        if look.stalled:
            height = np.where(parts[state] > 0, np.maximum(height, rows // LEAST), height)
        top = bottom + height
        picture[(level >= bottom) & (level < top)] = state + 1
        bottom = top
    return picture
