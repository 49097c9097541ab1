"""Notices: facts that a reader must know before believing the numbers of a comparison."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gilscope.comparison.outputs import differences
from gilscope.config import BUILDS
from gilscope.runner.advice import different_versions, missing_module

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.results.conditions import Conditions
    from gilscope.results.model import Run
    from gilscope.runner.arm import Arm

BUSY = 0.1
"""Share of the processors that other processes may take before it is worth a notice."""


def noticed(runs: Sequence[Run], arms: Sequence[Arm], conditions: Conditions) -> list[str]:
    """Return one line for each notice: on the runs shown and the arms timed."""
    return [*_on_runs(runs), *differences(runs), *_on_arms(arms), *on_the_machine(conditions)]


def _on_runs(runs: Sequence[Run]) -> list[str]:
    """Return notices of failures, invalid runs and different versions."""
    lines = []
    for run in runs:
        build = BUILDS[run.build]
        if run.error:
            lines.append(f"{build}: the program failed: {run.error}")
            if todo := missing_module(run.error, Path(run.executable)):
                lines.append(f"{build}: {todo}")
        if not run.valid:
            lines.append(f"{build}: {run.invalid}")
    different = different_versions({run.build: run.python for run in runs})
    return [*lines, different] if different else lines


def _on_arms(arms: Sequence[Arm]) -> list[str]:
    """Return notices of missing times."""
    untimed = [
        f"{arm.title}: {arm.attempts[-1].untimed}" for arm in arms if arm.attempts[-1].untimed
    ]
    failed = [
        f"{arm.title}: the program failed: {arm.failure.error}"
        for arm in arms
        if arm.failure and not arm.recorded  # _on_runs() reports the failure of a recorded run
    ]
    return untimed + failed


def on_the_machine(conditions: Conditions) -> list[str]:
    """Say that the machine was busy with something else, if it was."""
    count = len(conditions.cpus)
    if conditions.others is None:
        load = max(conditions.load_before[0], conditions.load_after[0])
        if load <= count:
            return []
        what = f"the load was {load:.1f} on {{count}} CPUs"
    elif conditions.others <= BUSY * count:
        return []
    else:
        what = f"other processes used {conditions.others:.1f} of {{count}} CPUs"
    return [f"Timings are unreliable: {what.format(count=count)}."]
