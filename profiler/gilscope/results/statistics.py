"""How sure a speed-up is: the interval of a ratio of medians."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIDENCE = 0.95
RESAMPLES = 10_000
SEED = 20_250_601
"""Any number: with a fixed one, the same times always give the same interval."""

LEAST_SPREAD = 1.1
"""Runs of one program differ by 5 % (docs/overhead.md), and a speed-up is made of two."""

ENOUGH = 5
"""Rounds from which on their own spread is enough."""

STUDENT = {3: 3.18, 4: 2.78, 5: 2.57}
"""Half the width of the interval in standard errors, by degrees of freedom."""

PRIOR = 2
"""How many degrees of freedom `LEAST_SPREAD` counts for beside the spread of few rounds."""


@dataclass(frozen=True)
class Speedup:
    """How much faster one arm was than another.

    Attributes:
        factor: Median wall time of the baseline over that of the arm; above 1 the arm was faster.
        interval: Within what ``factor`` lies with a confidence of 95 %; None from a single time.
    """

    factor: float
    interval: tuple[float, float] | None = None

    @property
    def shown(self) -> bool | None:
        """Whether the arms differ: the interval excludes 1. None without an interval."""
        if self.interval is None:
            return None
        low, high = self.interval
        return not low <= 1 <= high


def speedup(baseline: Sequence[float], times: Sequence[float]) -> Speedup | None:
    """Return the ratio of medians with its interval; None if an arm was not timed.

    The interval is the percentile bootstrap's. Arms take turns, so what slows the machine down for
    a while slows down one round of all of them: rounds are drawn, the same ones for both arms, as
    long as both have a time of each. From fewer than five rounds it is too narrow (of three, it has
    the true ratio in it 75 times in a hundred), and Student's is taken where it is wider, with what
    runs differ by in general beside their own spread: docs/decisions/0023-few-rounds.md.

    Args:
        baseline: Seconds, one a round.
        times: The same of the other arm.
    """
    if not baseline or not times or not np.median(times):
        return None
    factor = float(np.median(baseline) / np.median(times))
    if min(len(baseline), len(times)) == 1:
        return Speedup(factor)
    random = np.random.default_rng(SEED)
    rounds = _drawn(random, baseline)
    others = rounds if len(times) == len(baseline) else _drawn(random, times)
    medians = np.median(np.asarray(times)[others], axis=1)
    ratios = np.median(np.asarray(baseline)[rounds], axis=1) / np.maximum(medians, 1e-12)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(ratios, [tail, 100 - tail])
    if min(len(baseline), len(times)) < ENOUGH:
        off = _off(baseline, times)
        low, high = min(low, factor / off), max(high, factor * off)
    return Speedup(factor, (float(low), float(high)))


def _off(baseline: Sequence[float], times: Sequence[float]) -> float:
    """Return by what factor the ratio of few rounds may be off."""
    ones, others = (np.log(np.maximum(one, 1e-12)) for one in (baseline, times))
    rounds = min(len(ones), len(others))
    parts = (ones - others,) if len(ones) == len(others) else (ones, others)
    own = sum(float(np.var(part, ddof=1)) for part in parts)
    freedom = PRIOR + rounds - 1
    spread = (PRIOR * np.log(LEAST_SPREAD) ** 2 + (rounds - 1) * own) / freedom
    return float(np.exp(STUDENT[freedom] * np.sqrt(spread / rounds)))


def _drawn(random: np.random.Generator, times: Sequence[float]) -> np.typing.NDArray[np.int64]:
    """Return RESAMPLES draws of as many rounds as there are, with replacement."""
    return random.integers(0, len(times), (RESAMPLES, len(times)))


def quartile_spread(times: Sequence[float]) -> float:
    """Return how far the quartiles of some times are from their median, as a factor from 1 on."""
    if not times:
        return 1.0
    low, middle, high = np.percentile(times, [25, 50, 75])
    return float(max(high / middle, middle / max(low, 1e-12))) if middle else 1.0
