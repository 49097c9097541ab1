"""Speed-ups in words: always faster or slower by a factor of at least 1."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gilscope.results.statistics import Speedup

DECIMALS = ((1.2, 2), (20.0, 1))
"""Decimals of a factor, by its size."""


def ratio_text(speedup: Speedup) -> str:
    """Return ``2.2 × slower, 2.1 to 2.4`` or ``1.5 × faster, 1.4 to 1.6``, in one unit.

    Where the interval spans 1, only that is said. One run of each shows nothing.
    """
    if speedup.interval is None:
        return "not known from one run of each"
    low, high = speedup.interval
    if low <= 1 <= high:
        return f"no difference shown: {factor_text(low)} to {factor_text(high)}"
    return f"{factor_text(speedup.factor)}, {_range(low, high)}"


def factor_text(factor: float) -> str:
    """Return a speed-up in words: ``2.2 × slower``, ``1.5 × faster``, ``equal``."""
    number = f"{_number(factor if factor >= 1 else 1 / factor)} ×"
    if number == f"{_number(1.0)} ×":
        return "equal"
    return f"{number} {'faster' if factor > 1 else 'slower'}"


def range_text(factor: float, low: float, high: float) -> str:
    """Return a predicted speed-up with the range that it lies in."""
    if low < 1 < high:
        return f"{factor_text(factor)} ({factor_text(low)} to {factor_text(high)})"
    return f"{factor_text(factor)} ({_range(low, high)})"


def _range(low: float, high: float) -> str:
    """Return the ends of an interval that does not span 1, in the unit of `factor_text`."""
    ends = (low, high) if low >= 1 else (1 / high, 1 / low)
    return f"{_number(ends[0])} to {_number(ends[1])}"


def _number(factor: float) -> str:
    decimals = next((n for limit, n in DECIMALS if factor < limit), 0)
    return f"{math.floor(factor * 10**decimals + 0.5) / 10**decimals:,.{decimals}f}"
