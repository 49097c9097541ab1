"""Speed-ups in words: always faster or slower by a factor of at least 1."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gilscope.results.statistics import Speedup

EQUAL = "equal"
NO_DIFFERENCE = "no difference shown"
DECIMALS = ((1.2, 2), (20.0, 1))
"""Decimals of a factor, by its size."""


def ratio_text(speedup: Speedup) -> str:
    """Return ``2.2 × slower, 2.1 to 2.4`` or ``1.5 × faster, 1.4 to 1.6``, in one unit.

    Where the interval spans 1, or the factor is next to it, only that is said. One run of each
    shows nothing.
    """
    if speedup.interval is None:
        return "not known from one run of each"
    low, high = speedup.interval
    if not differs(speedup):
        return f"{NO_DIFFERENCE}: {_ends(low, high)}"
    return f"{factor_text(speedup.factor)}, {_range(low, high)}"


def differs(speedup: Speedup) -> bool:
    """Return whether a difference is shown, and is large enough for two decimals to show it."""
    return bool(speedup.shown) and factor_text(speedup.factor) != EQUAL


def factor_text(factor: float) -> str:
    """Return a speed-up in words: ``2.2 × slower``, ``1.5 × faster``, ``equal``."""
    number = f"{_number(factor if factor >= 1 else 1 / factor)} ×"
    if number == f"{_number(1.0)} ×":
        return EQUAL
    return f"{number} {'faster' if factor > 1 else 'slower'}"


def range_text(factor: float, low: float, high: float) -> str:
    """Return a predicted speed-up with the range that it lies in."""
    words, ends = factor_text(factor), (factor_text(low), factor_text(high))
    if words == EQUAL and EQUAL in ends:
        most = next((end for end in ends if end != EQUAL), "")
        return f"{EQUAL} (up to {most})" if most else EQUAL
    return f"{words} ({_ends(low, high) if low < 1 < high else _range(low, high)})"


def _ends(low: float, high: float) -> str:
    """Return the ends of an interval that spans 1 or comes next to it, each in words."""
    words = list(dict.fromkeys((factor_text(low), factor_text(high))))
    return " to ".join(words)


def _range(low: float, high: float) -> str:
    """Return the ends of an interval that does not span 1, in the unit of `factor_text`."""
    ends = (low, high) if low >= 1 else (1 / high, 1 / low)
    return f"{_number(ends[0])} to {_number(ends[1])}"


def _number(factor: float) -> str:
    decimals = next((n for limit, n in DECIMALS if factor < limit), 0)
    return f"{math.floor(factor * 10**decimals + 0.5) / 10**decimals:,.{decimals}f}"
