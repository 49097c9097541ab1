"""Timelines as plain numpy columns: what is embedded, and the raster.

The raster divides time into columns of pixels. In each column of a lane the states are stacked:
each as high as its share of the column's time, times its own height (palette.Look.height), so that
a column in which nothing changes looks exactly like the rectangle that it is a part of, and area is
time. A stalled state (a wait) that is there at all gets at least a sixth of the lane's height
and stands at the bottom, where nothing can hide it, however short it was. The browser draws by
the same rule (app/raster.js) when a reader zooms, and a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gilscope.analysis.states.subjects import interval_codes
from gilscope.analysis.states.thread_states import lanes as spans_of
from gilscope.analysis.states.time_index import Index
from gilscope.view.data.bake import baked
from gilscope.view.data.extra_lanes import callback_lanes, lock_lanes
from gilscope.view.data.lane_order import aligned
from gilscope.view.data.palette import CALLBACK, KINDS, LEAST, LOOKS, MANY, STACK, STATES
from gilscope.view.data.segments import Segments, bounded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.analysis.states.thread_states import Lane
    from gilscope.trace.arrays import I32, I64, U8
    from gilscope.trace.model import Trace

type F64 = npt.NDArray[np.float64]

LIMIT = 100_000
"""Segments of one build that a picture carries along; beyond it, short ones are merged."""

END = 255
"""State of the row that ends a lane."""


@dataclass(frozen=True, slots=True)
class LaneHead:
    """What a lane is about.

    Attributes:
        name: As it is shown.
        kind: "thread", "lock" or "callback".
        position: Of the thread in ``Trace.threads``; -1 of other lanes.
    """

    name: str
    kind: str = "thread"
    position: int = -1


@dataclass(frozen=True, eq=False)
class Tally:
    """The threads' lanes of a long trace once more, to be counted by lock and other thread.

    Attributes:
        offsets: As in ``Columns``.
        rows: n segments, in larger buckets than those that are drawn.
        grain_ns: Of these buckets.
    """

    offsets: I64
    rows: Segments
    grain_ns: int


@dataclass(frozen=True, eq=False)
class Columns:
    """The segments of one build, lane after lane; n rows in all.

    Attributes:
        heads: The L lanes, from the top: threads, then locks, then callbacks.
        offsets: i64[L + 1], row at which each lane begins; its last row has the state ``END`` and
            the lane's end as its start.
        starts: i64[n], ns; a segment ends where the next row starts.
        state: u8[n], values of ``State``, ``palette.CALLBACK`` or ``palette.NOTHING``.
        code: i32[n], row of ``codes``.
        count: i32[n], segments of the trace that this one stands for.
        ref: i64[n], row of ``Trace.intervals``, or -1.
        codes: Lock (position in ``locks``, or -1), thread lane of the other thread (or -1), and
            whether that one held what was waited for; else it ended the wait.
        locks: Ids of locks.
        duration_ns: Of the trace.
        grain_ns: Segments shorter than this may have been merged. 0: none were.
        tally: Of a long trace, whose segments have no codes; None of others.
    """

    heads: tuple[LaneHead, ...]
    offsets: I64
    starts: I64
    state: U8
    code: I32
    count: I32
    ref: I64
    codes: tuple[tuple[int, int, bool], ...]
    locks: tuple[int, ...]
    duration_ns: int
    grain_ns: int
    tally: Tally | None = None

    @cached_property
    def start(self) -> F64:
        """f64[n], ms."""
        return self.starts / 1e6

    @property
    def duration(self) -> float:
        """Of the trace, ms."""
        return self.duration_ns / 1e6

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the threads' lanes."""
        return tuple(head.name for head in self.heads if head.kind == "thread")

    def lane_of_thread(self, trace: Trace) -> dict[int, int]:
        """Return the lane of each thread of ``trace``, by its index."""
        return {
            trace.threads[head.position].index: lane
            for lane, head in enumerate(self.heads)
            if head.position >= 0
        }

    def lane(self, index: int) -> slice:
        """Return the rows of one lane, the one that ends it left out."""
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]) - 1)


def columns_of(
    traces: Sequence[Trace], limit: int = LIMIT, indexes: Sequence[Index] | None = None
) -> list[Columns]:
    """Return the segments of each trace, about ``limit`` of them at most, lanes in one order.

    Args:
        traces: What is drawn.
        limit: Of the threads' segments of one trace.
        indexes: Of the traces, where they are there already; used for long ones.
    """
    orders = aligned([trace.threads for trace in traces])
    ready = list(indexes) if indexes else [None] * len(traces)
    return [
        _columns(trace, order, limit, index)
        for trace, order, index in zip(traces, orders, ready, strict=True)
    ]


def _columns(trace: Trace, order: Sequence[int], limit: int, index: Index | None) -> Columns:
    states = None
    if len(trace.intervals) > MANY:
        index = index or Index(trace)
        states = index.states
        numbers, codes = index.codes
        lanes, grain = baked(index, order, limit, coded=False)
        tally = _tally(trace, order, *baked(index, order, limit // 2, coded=True))
    else:
        tally = None
        numbers, codes = interval_codes(trace)
        found = spans_of(trace)
        segments = [segments_of(found[position], numbers) for position in order]
        lanes, grain = bounded(segments, limit)
    threads = [trace.threads[position] for position in order]
    heads = [
        LaneHead(thread.label, "thread", position)
        for thread, position in zip(threads, order, strict=True)
    ]
    ends = [thread.end_ns for thread in threads]
    for kind, name, lane in [*_extra(trace, (codes, numbers), states, limit // 4)]:
        heads.append(LaneHead(name, kind))
        lanes.append(lane)
        ends.append(trace.duration_ns)
    rows = concatenated(lanes, ends)
    locks, names = _codes(trace, codes, heads)
    return Columns(
        heads=tuple(heads),
        offsets=np.cumsum([0, *(len(lane) + 1 for lane in lanes)], dtype=np.int64),
        starts=rows.starts,
        state=rows.states,
        code=rows.codes.astype(np.int32),
        count=rows.counts.astype(np.int32),
        ref=rows.refs,
        codes=names,
        locks=locks,
        duration_ns=trace.duration_ns,
        grain_ns=grain,
        tally=tally,
    )


def _tally(trace: Trace, order: Sequence[int], lanes: Sequence[Segments], grain: int) -> Tally:
    rows = concatenated(lanes, [trace.threads[position].end_ns for position in order])
    return Tally(np.cumsum([0, *(len(lane) + 1 for lane in lanes)], dtype=np.int64), rows, grain)


def segments_of(lane: Lane, codes: I32) -> Segments:
    """Return a lane as segments, none of them merged."""
    mine = np.append(codes, 0)[lane.refs].astype(np.int64)
    ones = np.ones(len(lane), np.int64)
    return Segments(lane.starts, lane.ends, lane.states, lane.refs, ones, mine)


def _extra(
    trace: Trace,
    codes: tuple[Sequence[tuple[int, int, bool]], I32],
    states: U8 | None,
    limit: int,
) -> list[tuple[str, str, Segments]]:
    """Return kind, name and segments of the lanes of locks and callbacks, merged if need be."""
    found = [*lock_lanes(trace, *codes, states), *callback_lanes(trace)]
    lanes, _ = bounded([lane for _, _, lane in found], limit)
    return [(kind, name, lane) for (kind, name, _), lane in zip(found, lanes, strict=True)]


def _codes(
    trace: Trace, codes: Sequence[tuple[int, int, bool]], heads: Sequence[LaneHead]
) -> tuple[tuple[int, ...], tuple[tuple[int, int, bool], ...]]:
    """Return the ids of the locks, and the codes with positions of locks and lanes."""
    locks = sorted({lock for lock, _, _ in codes if lock >= 0})
    place = {lock: position for position, lock in enumerate(locks)}
    lane = {
        trace.threads[head.position].index: position
        for position, head in enumerate(heads)
        if head.kind == "thread"
    }
    return tuple(locks), tuple(
        (place.get(lock, -1), lane.get(peer, -1), held) for lock, peer, held in codes
    )


def concatenated(lanes: Sequence[Segments], ends: Sequence[int]) -> Segments:
    """Put all lanes one behind the other, each with a row that ends it."""
    parts: list[Segments] = []
    minus, one, zero = (np.array([value], np.int64) for value in (-1, 1, 0))
    for lane, lane_end in zip(lanes, ends, strict=True):
        end = np.array([lane.ends[-1] if len(lane) else lane_end], np.int64)
        parts += [lane, Segments(end, end, np.array([END], np.uint8), minus, one, zero)]
    if not parts:
        none = np.zeros(0, np.int64)
        return Segments(none, none, np.zeros(0, np.uint8), none, none, none)
    names = ("starts", "ends", "states", "refs", "counts", "codes")
    return Segments(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def shares(columns: Columns, lane: int, edges: F64) -> F64:
    """Return how the time between the edges is spent.

    Args:
        columns: The segments.
        lane: Position of the lane.
        edges: f64[w + 1], ms, ascending.

    Returns:
        f64[KINDS, w]: share of each state of each column's time.
    """
    rows = columns.lane(lane)
    starts, states = columns.start[rows], columns.state[rows]
    lengths = np.diff(columns.start[rows.start : rows.stop + 1])
    result = np.zeros((KINDS, len(edges) - 1))
    for state in range(KINDS):
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
    return stacked(shares(columns, lane, edges), rows)


def stacked(parts: F64, rows: int) -> U8:
    """Draw shares, f64[STATES or more, w], as :func:`raster` does."""
    picture = np.zeros((rows, parts.shape[1]), np.uint8)
    level = np.arange(rows)[:, np.newaxis]
    bottom = np.zeros(parts.shape[1], np.int64)
    for state in STACK:
        look = LOOKS[state]
        height = np.floor(parts[state] * look.height * rows + 0.5).astype(np.int64)
        if look.stalled:
            height = np.where(parts[state] > 0, np.maximum(height, rows // LEAST), height)
        top = bottom + height
        picture[(level >= bottom) & (level < top)] = state + 1
        bottom = top
    if len(parts) > STATES:
        height = np.floor(parts[CALLBACK] * rows + 0.5).astype(np.int64)
        height = np.where(parts[CALLBACK] > 0, np.maximum(height, rows // LEAST), height)
        picture[level < height] = CALLBACK + 1
    return picture
