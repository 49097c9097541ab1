"""Deadlocks that can strike, as runs of several builds showed them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gilscope.analysis.findings import Finding
from gilscope.analysis.order.text import step_lines, text
from gilscope.config import BUILDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.analysis.order.model import Found, Hazard

NAME = "lock-order"
"""Of the finding and of its page."""


@dataclass(frozen=True)
class OrderRun:
    """One run that was watched for the order of its locks.

    Attributes:
        build: Key of ``config.BUILDS``.
        found: Its hazards; None if they are not known.
        error: One line if the program failed; it may have hung.
    """

    build: str
    found: Found | None
    error: str | None


def orders_summary(runs: Sequence[OrderRun]) -> dict[str, Any]:
    """Return the cycles of each build as docs/lock-order.md has them; None: not known."""
    return {run.build: run.found and run.found.as_json()["cycles"] for run in runs}


def run_text(run: OrderRun) -> str:
    """Return the hazards of a run in full, under the name of its build."""
    lines = [f"{BUILDS[run.build]}:"]
    if run.error:
        lines.append(f"the program failed: {run.error}")
    lines.append("not known" if run.found is None else text(run.found))
    return "\n".join(lines)


def orders_lines(runs: Sequence[OrderRun]) -> list[str]:
    """Return a line a hazard, with the builds whose runs showed it."""
    builds: dict[str, list[str]] = {}
    for run in runs:
        for hazard in run.found.hazards if run.found else ():
            suspected = ", suspected" if hazard.suspected else ""
            title = f"{hazard.severity}{suspected}: {hazard.title}"
            builds.setdefault(title, []).append(run.build)
    lines = [f"  {title} ({' and '.join(names)})" for title, names in builds.items()]
    failed = [
        f"  {BUILDS[run.build]}: not known{f': {run.error}' if run.error else ''}"
        for run in runs
        if run.found is None
    ]
    return ["Deadlocks to come", *(lines + failed or ["  none"])]


def as_finding(hazard: Hazard) -> Finding:
    """Return a hazard as one of the findings of its run."""
    steps = (" ".join(line.strip() for line in step_lines(step)[:2]) for step in hazard.steps)
    reservation = (hazard.reservation,) if hazard.suspected else ()
    return Finding(
        name=NAME,
        title=hazard.title,
        severity=hazard.severity,
        evidence=(*reservation, *steps),
        advice=hazard.advice,
        suspected=hazard.suspected,
        hazard=True,
    )
