"""Segments of a long trace from its index: buckets of time, each with what was in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gilscope.view.data.palette import STACK
from gilscope.view.data.segments import Segments, nice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.analysis.states.time_index import Index

MOST, FEWEST = 4096, 64  # buckets of a lane
STATES_IN_USE = 3  # by most threads in most buckets
MANY_KINDS = 4  # times the segments, where there is no other way to have a few buckets
RANKS = np.argsort(np.array(STACK))


def baked(
    index: Index, order: Sequence[int], limit: int, *, coded: bool
) -> tuple[list[Segments], int]:
    """Return the lanes of the threads at positions ``order``, and the grain in ns.

    Within a bucket of one grain, the segments of a lane stand in the order in which the raster
    stacks them, each as long as what it stands for, by state, all together. If they are ``coded``,
    they are divided by lock and other thread as well, and the buckets are larger.
    """
    if coded:
        return _counted(index, order, limit)
    buckets = max(FEWEST, min(MOST, limit // (STATES_IN_USE * max(1, len(order)))))
    while True:
        grain = nice(max(1, index.trace.duration_ns // buckets))
        lanes = [_lane(index, position, grain, coded=False) for position in order]
        if buckets <= FEWEST or sum(map(len, lanes)) <= limit:
            return lanes, grain
        buckets //= 2


def _counted(index: Index, order: Sequence[int], limit: int) -> tuple[list[Segments], int]:
    kinds = max(1, index.kinds)
    # Of very many locks, each is counted exactly, but hardly when.
    buckets = max(1, min(MOST, limit // kinds), min(FEWEST, MANY_KINDS * limit // kinds))
    grain = nice(max(1, -(-index.trace.duration_ns // buckets)))
    return [_lane(index, position, grain, coded=True) for position in order], grain


def _lane(index: Index, position: int, grain: int, *, coded: bool) -> Segments:
    thread = index.trace.threads[position]
    cells = index.cells(position, grain, coded=coded)
    if not len(cells):
        none = np.zeros(0, np.int64)
        return Segments(none, none, np.zeros(0, np.uint8), none, none, none)
    kind = RANKS[cells.state] * (int(cells.code.max()) + 1) + cells.code
    order = np.lexsort((kind, cells.bucket))
    bucket, kind, length = cells.bucket[order], kind[order], cells.time[order]
    first = np.maximum(bucket * grain, thread.start_ns)
    before = np.cumsum(length) - length
    heads = np.flatnonzero(np.diff(bucket, prepend=-1))
    starts = first + before - np.repeat(before[heads], np.diff(heads, append=len(bucket)))
    # What fills bucket after bucket is one segment.
    new = np.flatnonzero(np.diff(kind, prepend=-1))
    starts, rows = starts[new], order[new]
    return Segments(
        starts,
        np.append(starts[1:], thread.end_ns),
        cells.state[rows].astype(np.uint8),
        np.full(len(starts), -1, np.int64),
        np.maximum(1, np.add.reduceat(cells.count[order], new)),
        cells.code[rows],
    )
