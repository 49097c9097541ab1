"""Ticks of the trace's clock → nanoseconds from the trace's start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.trace.format import Clock

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gilscope.trace.arrays import I64, U64, Bools

NS_PER_SECOND = 1_000_000_000
# Times beyond this (104 days) are no times but damage; below it float64 is exact to the ns.
MAX_NS = 1 << 53
# A definition that is this far from the header's estimate is damage, not drift.
MAX_DRIFT = 0.1
# Points that are closer say more about the reading of two clocks than about their rates.
MIN_STEP_NS = 1_000_000
_CHUNK = 1 << 18  # values that are converted at a time, so that temporaries stay small


@dataclass(frozen=True, slots=True)
class ClockMap:
    """Piecewise linear map; outside the first and the last point it continues at the mean rate.

    Attributes:
        start_ticks: the trace's start.
        ns_per_tick: the mean over all points; the header's estimate if there are none.
        ticks: int64[k], points in ticks from the start, increasing, the first one 0.
        ns: int64[k], the same points in ns from the start.
    """

    start_ticks: int
    ns_per_tick: float
    ticks: I64
    ns: I64

    def convert(self, ticks: U64) -> tuple[I64, Bools]:
        """Convert times.

        Args:
            ticks: absolute ticks, u64[n].

        Returns:
            ns from the start, int64[n], clipped to ±`MAX_NS`; and bool[n], false where clipped.
        """
        ns = np.empty(len(ticks), np.int64)
        good = np.empty(len(ticks), np.bool_)
        for at in range(0, len(ticks), _CHUNK):
            part = slice(at, at + _CHUNK)
            ns[part], good[part] = self._convert(ticks[part])
        return ns, good

    def one(self, ticks: int) -> int | None:
        """One time in ns from the start; None if it is no time of this trace."""
        ns, good = self._convert(np.array([ticks], np.uint64))
        return int(ns[0]) if good[0] else None

    def _convert(self, ticks: U64) -> tuple[I64, Bools]:
        # The difference wraps round to a negative one for times before the start.
        offset = (ticks - np.uint64(self.start_ticks)).view(np.int64).astype(np.float64)
        if len(self.ticks) == 1:
            ns = offset * self.ns_per_tick
        else:
            outside = np.minimum(offset, 0.0) + np.maximum(offset - float(self.ticks[-1]), 0.0)
            ns = np.interp(offset, self.ticks, self.ns) + outside * self.ns_per_tick
        good = np.abs(ns) < MAX_NS
        if not good.all():
            ns = np.clip(ns, -MAX_NS, MAX_NS)
        rounded: I64 = np.rint(ns, out=ns).astype(np.int64)
        return rounded, good


def make_clock(
    *,
    clock: int,
    start_ticks: int,
    ticks_per_second: int,
    start_monotonic: int,
    points: Iterable[tuple[int, int]],
) -> tuple[ClockMap, list[str]]:
    """Build the map from what the file says.

    Args:
        clock: the header's `clock`.
        start_ticks: the trace's start.
        ticks_per_second: the header's estimate.
        start_monotonic: the trace's start on CLOCK_MONOTONIC, ns.
        points: (ticks, CLOCK_MONOTONIC in ns), the CLOCK definitions.

    Returns:
        The map, and what is wrong with the clock of this file.
    """
    problems: list[str] = []
    if clock == Clock.MONOTONIC:
        ticks_per_second = ticks_per_second or NS_PER_SECOND
    offsets = sorted((ticks - start_ticks, ns - start_monotonic) for ticks, ns in set(points))
    rate = NS_PER_SECOND / ticks_per_second if ticks_per_second else _rate(offsets)
    if rate is None:
        problems.append("the file does not say how fast its clock runs: times are in ticks")
        rate = 1.0
    kept = [(0, 0)]
    for ticks, ns in offsets:
        run, rise = ticks - kept[-1][0], ns - kept[-1][1]
        if max(abs(run) * rate, abs(rise)) < MIN_STEP_NS:
            continue
        if abs(rise - run * rate) <= MAX_DRIFT * run * rate and max(ticks, ns) < MAX_NS:
            kept.append((ticks, ns))
        else:
            problems.append(f"a clock definition at {ns} ns contradicts the others: left out")
    if len(kept) > 1:
        rate = kept[-1][1] / kept[-1][0]
    columns = np.array(kept, np.int64)
    return ClockMap(start_ticks, rate, columns[:, 0].copy(), columns[:, 1].copy()), problems


def _rate(offsets: list[tuple[int, int]]) -> float | None:
    rates = [ns / ticks for ticks, ns in offsets if ticks > 0 and ns > 0]
    return rates[-1] if rates else None
