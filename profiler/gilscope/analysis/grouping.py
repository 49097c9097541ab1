"""Count, sum and quantiles of many groups at once, without a loop over values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gilscope.trace.arrays import I64

_KEY_BITS = 63


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """Figures of k groups of values; a group without values has zeros.

    Attributes:
        count: i64[k], values in the group.
        total: i64[k], their sum.
        p50: i64[k], the middle one: the smallest that half of them do not exceed.
        p99: i64[k], the smallest that 99 % of them do not exceed.
        max: i64[k], the largest one.
    """

    count: I64
    total: I64
    p50: I64
    p99: I64
    max: I64

    def __len__(self) -> int:
        return len(self.count)


def summarize(groups: NDArray[np.integer[Any]], values: I64, size: int) -> Summary:
    """Figures of each group.

    Args:
        groups: n numbers of groups, from 0 up to, without, `size`.
        values: i64[n], not negative.
        size: how many groups there are.
    """
    count = np.bincount(groups, minlength=size).astype(np.int64)
    ends = np.cumsum(count)
    firsts = ends - count
    ordered = _sorted_within(groups, values, size)
    # Sums of int64 are exact, which those of bincount's floats are not.
    sums = np.concatenate([[0], np.cumsum(ordered)])
    some = count > 0

    def quantile(share: float) -> I64:
        rank = np.maximum(np.ceil(count * share).astype(np.int64) - 1, 0)
        result = np.zeros(size, np.int64)
        result[some] = ordered[(firsts + rank)[some]]
        return result

    return Summary(count, sums[ends] - sums[firsts], quantile(0.5), quantile(0.99), quantile(1.0))


TYPICAL = 10
"""Times the middle one that a short operation counts for at most: with cold caches it takes some
times as long as that, and 1,000 times as long if the thread loses its processor on the way."""


def typical_total(values: I64) -> int:
    """Return what short operations of one kind take together.

    Of one that took more than `TYPICAL` times the middle one, the rest is left out: the thread had
    no processor then, and would have lost it in whatever it did instead.

    Args:
        values: i64[n], ns.
    """
    if not len(values):
        return 0
    middle = int(np.partition(values, len(values) // 2)[len(values) // 2])
    return int(np.minimum(values, TYPICAL * middle).sum())


def in_groups(groups: Sequence[I64], times: Sequence[I64]) -> tuple[list[I64], int]:
    """Numbers that are ordered first by group, then by time.

    Args:
        groups: columns of numbers of groups, not negative.
        times: of each of these columns its times, not negative.

    Returns:
        A column for each of those, and what to divide by to tell the groups apart.
    """
    span = 1 + max(int(part.max(initial=0)) for part in times)
    most = 1 + max(int(part.max(initial=0)) for part in groups)
    if most * span >> _KEY_BITS:
        groups, times = _ranks(groups), _ranks(times)
        span = 1 + max(int(part.max(initial=0)) for part in times)
    return [group * span + time for group, time in zip(groups, times, strict=True)], span


def _ranks(columns: Sequence[I64]) -> list[I64]:
    """Smaller numbers in the same order."""
    used = np.unique(np.concatenate(columns))
    return [np.searchsorted(used, column) for column in columns]


def order_by(keys: NDArray[np.integer[Any]]) -> I64:
    """Return the rows in the order of small numbers, those of one number in their own order."""
    # The sort of 16-bit numbers is linear: several times as fast for 10 million rows.
    if len(keys) and int(keys.min()) >= 0 and int(keys.max()) <= np.iinfo(np.uint16).max:
        keys = keys.astype(np.uint16)
    order: I64 = np.argsort(keys, kind="stable")
    return order


def _sorted_within(groups: NDArray[np.integer[Any]], values: I64, size: int) -> I64:
    """Return the values by group, and within each from the smallest on."""
    if not len(values):
        return np.zeros(0, np.int64)
    value_bits = int(values.max()).bit_length()
    if value_bits + int(size).bit_length() <= _KEY_BITS:
        # One sort of plain integers: several times as fast as one by two keys.
        keys = groups.astype(np.int64) << value_bits
        keys |= values
        keys.sort()
        keys &= (1 << value_bits) - 1
        return keys
    ordered: I64 = values[np.lexsort((values, groups))]
    return ordered
