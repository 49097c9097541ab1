"""The clock of another host, as round trips tell it. Standard library only.

A host is asked for its time; the answer was given some time between question and answer. The
shortest of several round trips says it best: to within half of its length.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from gilscope.text import time_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROUND_TRIPS = 20
"""Times that a host is asked, in each of both measurements."""


class Reading(NamedTuple):
    """Both clocks at one moment.

    Attributes:
        there: CLOCK_MONOTONIC of the other host, ns.
        here: that of this one, ns.
        error_ns: how far the latter may be off.
    """

    there: int
    here: int
    error_ns: int


def read_clock(ask: Callable[[], int | None], rounds: int = ROUND_TRIPS) -> Reading | None:
    """Return the best of several readings; None if no question was answered.

    Args:
        ask: asks the other host for its CLOCK_MONOTONIC, ns; None: it did not answer.
        rounds: how often.
    """
    best: Reading | None = None
    for _ in range(rounds):
        asked = time.monotonic_ns()
        there = ask()
        answered = time.monotonic_ns()
        if there is None:
            return best
        half = (answered - asked + 1) // 2
        if best is None or half < best.error_ns:
            best = Reading(there, asked + half, half)
    return best


class HostClock:
    """From the clock of another host to this one's: linear between the readings.

    Before the first one and after the last one the difference stays what it is there.

    Attributes:
        error_ns: how far times may be off, if the drift between two readings is even.
        drift_known: there are two readings: what the clocks' rates differ by is taken into account.
    """

    def __init__(self, readings: Sequence[Reading]) -> None:
        """Take one reading, or two in the order in which they were made."""
        self._readings = readings
        self.error_ns = max(one.error_ns for one in readings)
        self.drift_known = len(readings) > 1 and readings[0].there < readings[-1].there

    def here(self, there: int) -> int:
        """Return the time of this host, ns."""
        first, last = self._readings[0], self._readings[-1]
        apart = first.here - first.there
        if self.drift_known:
            at = min(max(there, first.there), last.there)
            change = (last.here - last.there) - apart
            apart += change * (at - first.there) // (last.there - first.there)
        return there + apart

    def remark(self) -> str:
        """Return what to know of times on this clock."""
        rest = "" if self.drift_known else " when the recording ended; its drift is not known"
        return f"its clock was compared by round trips, to within {time_text(self.error_ns)}{rest}"
