"""Fewer segments that say the same: short ones are drawn together, their time is kept.

A picture that is saved with its data must bound them. Time is cut into buckets of one *grain*.
A segment that lies within one bucket is short; all short segments of a bucket that have the same
state and code (lock and other thread) become one. So each of these keeps its exact share of every
bucket, however short its segments were, and what is longer than a grain stays as it was.
Below one grain, the order of what happened is no longer known, which
is why the grain is shown to the reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.view.data.palette import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.trace.arrays import I64, U8


@dataclass(frozen=True, eq=False)
class Segments:
    """One lane's segments as columns of equal length n, without gaps, ordered by start.

    Attributes:
        starts: i64[n], ns.
        ends: i64[n], ns, each the start of the next.
        states: u8[n], values of ``State``.
        refs: i64[n], row of ``Trace.intervals``, or -1.
        counts: i64[n], how many segments of the trace this one stands for.
        codes: i64[n], from 0: for which lock, and which other thread.
    """

    starts: I64
    ends: I64
    states: U8
    refs: I64
    counts: I64
    codes: I64

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, rows: np.ndarray) -> Segments:
        """Return the segments that a mask or row numbers name."""
        columns = (self.starts, self.ends, self.states, self.refs, self.counts, self.codes)
        return Segments(*(column[rows] for column in columns))


def bounded(lanes: Sequence[Segments], limit: int) -> tuple[list[Segments], int]:
    """Merge what is short until all lanes together have no more than ``limit`` segments.

    Returns:
        The lanes, and the grain in ns: 0 if nothing was merged.
    """
    limit = max(limit, 4 * KINDS * max(1, len(lanes)))
    if sum(map(len, lanes)) <= limit:
        return list(lanes), 0
    spans = [int(lane.ends[-1] - lane.starts[0]) for lane in lanes if len(lane)]
    grain = nice(max(1, 2 * sum(spans) // limit))
    while True:
        result = [merged(lane, grain) for lane in lanes]
        if sum(map(len, result)) <= limit:
            return result, grain
        grain = nice(2 * grain)


def merged(lane: Segments, grain: int) -> Segments:
    """Return ``lane`` with what is short in each bucket of ``grain`` ns merged by what it says."""
    bucket = lane.starts // grain
    short = (lane.ends - 1) // grain == bucket
    if np.count_nonzero(short) < 2:  # noqa: PLR2004 - one alone has nothing to be merged with
        return lane
    few = lane.take(short)
    codes = int(lane.codes.max()) + 1
    span = KINDS * codes
    key = bucket[short] * span + few.states.astype(np.int64) * codes + few.codes
    keys, first, group = np.unique(key, return_index=True, return_inverse=True)
    lengths = np.zeros(len(keys), np.int64)
    np.add.at(lengths, group, few.ends - few.starts)
    counts = np.zeros(len(keys), np.int64)
    np.add.at(counts, group, few.counts)
    starts = _stacked(keys // span, few.starts[first], lengths)
    whole = lane.take(~short)
    columns = (
        np.concatenate([whole.starts, starts]),
        np.concatenate([whole.ends, starts + lengths]),
        np.concatenate([whole.states, (keys % span // codes).astype(np.uint8)]),
        np.concatenate([whole.refs, np.where(counts == 1, few.refs[first], -1)]),
        np.concatenate([whole.counts, counts]),
        np.concatenate([whole.codes, keys % codes]),
    )
    return Segments(*columns).take(np.argsort(columns[0], kind="stable"))


def _stacked(bucket: I64, first: I64, lengths: I64) -> I64:
    """Lay groups of the same bucket end to end, from the earliest of their first starts on."""
    heads = np.flatnonzero(np.diff(bucket, prepend=bucket[0] - 1))
    sizes = np.diff(heads, append=len(bucket))
    before = np.cumsum(lengths) - lengths
    origin = np.minimum.reduceat(first, heads)
    starts: I64 = np.repeat(origin - before[heads], sizes) + before
    return starts


def nice(grain: int) -> int:
    """Round up to 1, 2 or 5 times a power of ten: a number that a reader can keep in mind."""
    scale = int(10 ** (len(str(grain)) - 1))
    return next(scale * step for step in (1, 2, 5, 10) if scale * step >= grain)
