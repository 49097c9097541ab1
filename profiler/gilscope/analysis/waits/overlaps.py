"""Stretches of time of two kinds that overlap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.trace.arrays import I64

MOST_PAIRS = 1 << 22
"""Pairs that are looked at together: what bounds the memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Stretches:
    """Stretches of time that do not overlap, in order, such as the holds of one GIL.

    Attributes:
        rows: i64[n], what each of them is.
        starts: i64[n], ns.
        ends: i64[n], ns.
    """

    rows: I64
    starts: I64
    ends: I64


def overlaps(holds: Stretches, starts: I64, ends: I64) -> Iterator[tuple[I64, I64, I64]]:
    """Yield pairs of a wait and a hold that overlap, and for how long, many at a time."""
    first = np.searchsorted(holds.ends, starts, side="right")
    last = np.searchsorted(holds.starts, ends)
    for wait, hold in pairs(first, np.maximum(last - first, 0)):
        shared = np.minimum(holds.ends[hold], ends[wait]) - np.maximum(
            holds.starts[hold], starts[wait]
        )
        yield wait, hold, shared


def pairs(first: I64, counts: I64) -> Iterator[tuple[I64, I64]]:
    """Yield each row with each of ``counts`` partners from ``first`` on, many at a time."""
    bounds = np.cumsum(counts)
    begin = 0
    while begin < len(counts):
        done = bounds[begin] - counts[begin]
        end = max(int(np.searchsorted(bounds, done + MOST_PAIRS, side="right")), begin + 1)
        part = counts[begin:end]
        row = np.repeat(np.arange(begin, end), part)
        within = np.arange(len(row)) - np.repeat(np.cumsum(part) - part, part)
        yield row, first[row] + within
        begin = end
