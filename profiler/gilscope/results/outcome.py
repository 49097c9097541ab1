"""The outcome of a comparison in words: faster, slower, or not shown, and the causes."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Literal

from gilscope.config import BUILDS
from gilscope.results.ratios import NO_DIFFERENCE, differs, ratio_text
from gilscope.text import seconds_text, time_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.analysis.findings import Finding
    from gilscope.results.model import ComparisonData, Run

type Kind = Literal["faster", "slower", "no difference shown", "not compared"]

ENOUGH = 0.5
"""A finding is called the main cause if it took at least this share of the time that was lost."""


@dataclass(frozen=True, slots=True)
class Cause:
    """A finding beside the result.

    Attributes:
        build: The build that it was found in.
        label: What it is to the result, such as ``Main cause``.
        finding: What was found.
    """

    build: str
    label: str
    finding: Finding

    @property
    def text(self) -> str:
        """The line that stands under the headline."""
        sign = " (suspected)" if self.finding.suspected else ""
        return f"{self.label}: {self.finding.title}{sign}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a comparison of the GIL build and the free-threaded build.

    Attributes:
        kind: Whether the program was faster without the GIL, by the 95 % interval.
        headline: The same in words; no number unless a difference was shown.
        times: Both times and how sure the difference is; what there is instead.
        causes: What the free-threaded run lost time with, and what holds the GIL build up.
    """

    kind: Kind
    headline: str
    times: str
    causes: tuple[Cause, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it, a line each."""
        return (self.headline, self.times, *(cause.text for cause in self.causes))


def outcome(comparison: ComparisonData) -> Outcome:
    """Return the outcome of ``comparison``."""
    runs = {run.build: run for run in comparison.runs}
    gil, ft = runs.get("gil"), runs.get("ft")
    speedup = comparison.speedup_of("ft")
    failed = any(run.error for run in (gil, ft) if run)
    # Complete runs before one that failed may be enough to compare, but not a single pair.
    if not speedup or not gil or not ft or (failed and speedup.interval is None):
        return Outcome("not compared", *_not_compared(comparison), _causes(comparison, None))
    before, after = median(gil.wall_s), median(ft.wall_s)
    times = f"{seconds_text(before)} with the GIL → {seconds_text(after)} without"
    if speedup.interval is None:
        headline = "Not compared: one run of each build does not show a difference"
        more = f"{times}; run each build several times (--repeat)"
        return Outcome("not compared", headline, more, _causes(comparison, None))
    if not differs(speedup):
        times += f" ({ratio_text(speedup).removeprefix(f'{NO_DIFFERENCE}: ')})"
        headline = "No difference shown without the GIL"
        return Outcome("no difference shown", headline, times, _causes(comparison, None))
    kind: Kind = "faster" if speedup.factor > 1 else "slower"
    headline = f"{kind.capitalize()} without the GIL: {times} ({ratio_text(speedup)})"
    sure = f"Median of {len(gil.wall_s)} runs of each build, timed without recording; 95 % interval"
    return Outcome(kind, headline, sure, _causes(comparison, max(0.0, after - before)))


def _not_compared(comparison: ComparisonData) -> tuple[str, str]:
    """Return headline and line of a comparison without a time for each of the two builds."""
    runs = comparison.runs
    times = "; ".join(_time(run) for run in runs) or "no run was recorded"
    for run in runs:
        if run.error:
            return f"Not compared: the program failed under the {BUILDS[run.build]}", times
        if run.invalid:
            return f"Not compared: {BUILDS[run.build]}: {run.invalid}", times
    names = " and ".join(BUILDS.get(run.build, run.build) for run in runs)
    if not names:
        return "Not compared: nothing was run", times
    if {"gil", "ft"} <= {run.build for run in runs}:
        return "Not compared: no complete run under both builds without recording", times
    return f"Not compared: {names} only", times


def _time(run: Run) -> str:
    """Return how long a run took, as far as that is known."""
    name = BUILDS.get(run.build, run.build)
    if run.wall_s:
        failed = ", then it failed" if run.error else ""
        return f"{name}: {seconds_text(median(run.wall_s))}{failed}"
    if run.trace is not None:
        ran = time_text(run.trace.duration_ns)
        return f"{name}: failed after {ran}" if run.error else f"{name}: {ran} recorded"
    return f"{name}: no complete run"


def _causes(comparison: ComparisonData, lost_s: float | None) -> tuple[Cause, ...]:
    """Return the main finding of the free-threaded run and that of the GIL build.

    Args:
        comparison: Where they were found.
        lost_s: Seconds that were lost without the GIL; None if no difference was shown.
    """
    found = list(comparison.findings)
    ft = [one for build, one in found if build == "ft"]
    gil = [one for build, one in found if build == "gil"]
    causes = []
    if ft and (lost_s is None or lost_s > 0):
        first = _dearest(ft)
        proved = lost_s and not first.suspected and first.cost_ns >= ENOUGH * lost_s * 1e9
        label = "Main cause" if proved else "Main finding without the GIL"
        causes.append(Cause("ft", label, first))
    if gil:
        causes.append(Cause("gil", "GIL build", _dearest(gil)))
    return tuple(causes)


def _dearest(findings: Sequence[Finding]) -> Finding:
    """Return the finding that cost most time; of equal ones the first, the most severe."""
    return max(findings, key=lambda one: (not one.suspected, one.cost_ns))
