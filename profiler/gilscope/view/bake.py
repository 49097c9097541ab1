"""Segments of a long trace from its index: buckets of time, each with what was in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gilscope.view.merge import Segments, nice
from gilscope.view.palette import STACK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.analysis.lod import Index

MOST, FEWEST = 4096, 64  # buckets of a lane
STATES_IN_USE = 3  # by most threads in most buckets
RANK = {int(state): rank for rank, state in enumerate(STACK)}


def baked(
    index: Index, order: Sequence[int], limit: int, *, coded: bool
) -> tuple[list[Segments], int]:
    """Return the lanes of the threads at positions ``order``, and the grain in ns.

    Within a bucket of one grain, the segments of a lane stand in the order in which the raster
    stacks them, each as long as what it stands for, by state, all together. If they are ``coded``,
    they are divided by lock and other thread as well, and the buckets are larger.
    """
    kinds = index.kinds if coded else STATES_IN_USE * max(1, len(order))
    buckets = max(FEWEST, min(MOST, limit // max(1, kinds)))
    while True:
        grain = nice(max(1, index.trace.duration_ns // buckets))
        lanes = [_lane(index, position, grain, coded=coded) for position in order]
        if buckets <= FEWEST or sum(map(len, lanes)) <= limit:
            return lanes, grain
        buckets //= 2


def _lane(index: Index, position: int, grain: int, *, coded: bool) -> Segments:
    thread = index.trace.threads[position]
    edges = np.arange(0, thread.end_ns + grain, grain, dtype=np.int64)
    found = index.parts(position, edges, coded=coded)
    parts = sorted(found, key=lambda part: (RANK[part.state], part.code))
    if not parts:
        none = np.zeros(0, np.int64)
        return Segments(none, none, np.zeros(0, np.uint8), none, none, none)
    times = np.stack([part.time for part in parts], axis=1)
    bucket, place = np.nonzero(times > 0)
    length = times[bucket, place]
    first = np.maximum(edges[bucket], thread.start_ns)
    before = np.cumsum(length) - length
    heads = np.flatnonzero(np.diff(bucket, prepend=-1))
    starts = first + before - np.repeat(before[heads], np.diff(heads, append=len(bucket)))
    counts = np.stack([part.count for part in parts], axis=1)[bucket, place]
    # What fills bucket after bucket is one segment.
    new = np.flatnonzero(np.diff(place, prepend=-1))
    starts, place = starts[new], place[new]
    counts = np.maximum(1, np.add.reduceat(counts, new))
    return Segments(
        starts,
        np.append(starts[1:], thread.end_ns),
        np.array([part.state for part in parts], np.uint8)[place],
        np.full(len(starts), -1, np.int64),
        counts,
        np.array([part.code for part in parts], np.int64)[place],
    )
