"""Results of running the same code under several builds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from os import cpu_count
from typing import TYPE_CHECKING, Any

from gilscope.analysis.prediction.contention import kept_after_contention
from gilscope.analysis.prediction.predict import predict
from gilscope.config import EXECUTORS
from gilscope.results.activity import GroupActivity, activity
from gilscope.results.matching import Differences, differences
from gilscope.results.ratios import ratio_text
from gilscope.results.statistics import LEAST_SPREAD, Speedup, quartile_spread, speedup
from gilscope.results.totals import Totals

if TYPE_CHECKING:
    from pathlib import Path

    from gilscope.analysis.findings import Finding
    from gilscope.analysis.prediction.predict import Prediction
    from gilscope.results.conditions import Conditions
    from gilscope.results.orders import OrderRun
    from gilscope.results.races import WatchedRun
    from gilscope.results.scaling import Scaling
    from gilscope.trace.model import Trace
    from gilscope.trace.writing.merge import Process


@dataclass(frozen=True)
class Run:
    """The run of the code under one build.

    Attributes:
        build: A key of ``config.BUILDS``.
        python: Version of the interpreter, as ``3.13.5``.
        executable: Its path.
        free_threaded: Whether it is a free-threaded build.
        gil_enabled_before: Whether the GIL was on when the code began; None if that is not known.
        gil_enabled_after: The same when the code had ended: True in an ``ft`` run means that
            something turned the GIL on and the run says nothing about free threading.
        gil_enabled_by: The module that turned the GIL on, where Python named it.
        wall_s: Seconds that the code took with the probe off, one a repetition.
        probed_wall_s: Seconds that it took with the probe on, one a repetition.
        trace_path: The trace of one repetition (the median one); None if there is none.
        trace: The same, read.
        status: Exit status of the program, negative for the number of the signal that ended it.
        stdout: What the program printed in its first repetition; long output is cut.
        stderr: The same for its standard error.
        error: One line if the program failed: it raised, exited with a status, was killed.
        traceback: The program's own traceback if it raised; the stacks of its threads if it hung.
        executor: What went to the workers of `gilscope.executor`, where these are no threads: as
            `runner.attempt.Attempt` has it; empty if nothing did, None if that is not known.
        processes: What the program made, in the trace as well: each is in it from its start.
    """

    build: str
    python: str
    executable: str
    free_threaded: bool
    gil_enabled_before: bool | None
    gil_enabled_after: bool | None
    gil_enabled_by: str | None
    wall_s: tuple[float, ...]
    probed_wall_s: tuple[float, ...]
    trace_path: Path | None
    trace: Trace | None
    status: int
    stdout: str = ""
    stderr: str = ""
    error: str | None = None
    traceback: str | None = None
    executor: dict[str, Any] | None = None
    processes: tuple[Process, ...] = ()

    @cached_property
    def totals(self) -> Totals | None:
        """Who held and waited for what; None if the run left no trace."""
        return Totals.of(self.trace) if self.trace is not None else None

    @property
    def valid(self) -> bool:
        """Whether the run represents its build: the GIL stayed as the build has it."""
        return self.invalid is None

    @property
    def invalid(self) -> str | None:
        """Why the run does not represent its build; None if it does."""
        if self.build == "ft" and self.gil_enabled_after:
            by = f" by the import of {self.gil_enabled_by}" if self.gil_enabled_by else ""
            return f"the GIL was turned on{by}, so this run does not show free threading"
        if self.build == "ft-gil" and False in (self.gil_enabled_before, self.gil_enabled_after):
            return "the GIL was off, so this run does not show the cost of the build itself"
        if self.build in EXECUTORS and not self.error and self.executor == {}:
            return (
                "the program does not use gilscope.executor(), so this run is one of the GIL build"
            )
        return None


BUSY = 0.1
"""Share of the processors that others use, above which times are unreliable."""


@dataclass(frozen=True)
class Forecast:
    """A prediction beside what was measured.

    The free-threaded build costs something itself, which the ``ft-gil`` run measures. It measures
    too much: under its GIL the build also pays for handing it over, and what it does to single
    threads weighs less where they run in parallel. So the cost lies between that and none.

    Attributes:
        prediction: From the trace of the GIL build.
        build: Speed-up by the free-threaded build with its GIL on; None if that was not timed.
        measured: Speed-up without the GIL; None if it was not measured.
        kept: The part of the speed-up that contention leaves, as the trace without the GIL shows
            it; 1 if there is no such trace.
        spread: How far single runs of the GIL build are from their median, as a factor.
        busy: Other processes took much of the processors: more threads may get no more of them.
    """

    prediction: Prediction
    build: Speedup | None
    measured: float | None
    kept: float = 1.0
    spread: float = 1.0
    busy: bool = False

    @property
    def with_build(self) -> float | None:
        """The speed-up to expect with what the build itself costs, and contention."""
        if self.build is None:
            return None
        expected = self.prediction.speedup * math.sqrt(min(self.build.factor, 1.0)) * self.kept
        return min(expected, self.prediction.most)

    @property
    def with_build_range(self) -> tuple[float, float] | None:
        """Its range, from all unknowns and the spread of single runs."""
        if not (self.build and self.build.interval):
            return None
        (low, high), (least, most) = self.prediction.interval, self.build.interval
        unsure = max(self.spread, LEAST_SPREAD)
        low = min(low, 1.0) if self.busy else low
        lowest = low * min(least, 1.0) * self.kept / unsure
        highest = min(high * max(most, 1.0) * unsure, max(self.prediction.most, 1.0) * unsure)
        return lowest, max(highest, lowest)

    def error(self, predicted: float | None) -> float | None:
        """Return how far a predicted speed-up is from the measured one, as a share of that."""
        return predicted / self.measured - 1 if predicted and self.measured else None


@dataclass(frozen=True)
class ComparisonData:
    """The same code under several builds: what was measured, and what follows from it.

    Attributes:
        title: A short name of what was run.
        command: What was run: the script and its arguments.
        runs: One a build, in the order in which the builds were asked for.
        notices: Lines that a reader must see: what is missing, what makes the comparison invalid.
        conditions: What the machine did meanwhile; None if that is not known.
        scaling: A curve a build, if several numbers of threads were asked for.
        hidden: Names of threads that views do not show at first, such as those of a kernel.
        watched: The runs that were watched for races, one a build; none if nobody asked for them.
        ordered: The runs that were watched for the order of locks, likewise.
    """

    title: str
    command: tuple[str, ...]
    runs: tuple[Run, ...]
    notices: tuple[str, ...] = ()
    conditions: Conditions | None = None
    scaling: tuple[Scaling, ...] = ()
    hidden: frozenset[str] = frozenset()
    watched: tuple[WatchedRun, ...] = ()
    ordered: tuple[OrderRun, ...] = ()
    _files: object = field(default=None, repr=False, compare=False)  # owner of temporary traces

    def run(self, build: str) -> Run:
        """Return the run of ``build``.

        Raises:
            KeyError: The comparison has no such run.
        """
        for run in self.runs:
            if run.build == build:
                return run
        raise KeyError(f"no {build} run in this comparison")

    @property
    def failed(self) -> tuple[Run, ...]:
        """The runs whose program failed."""
        return tuple(run for run in self.runs if run.error)

    @property
    def speedup(self) -> float | None:
        """Median wall time of ``gil`` over that of ``ft``, probe off.

        None if one is missing or does not stand for its build.
        """
        found = self.speedup_of("ft")
        return found.factor if found else None

    def speedup_of(self, build: str) -> Speedup | None:
        """Return how much faster ``build`` was than ``gil``, probe off.

        None for ``gil`` itself, and if one was not timed or does not stand for its build.
        """
        walls = {run.build: run.wall_s for run in self.runs if run.valid}
        return speedup(walls.get("gil", ()), walls.get(build, ())) if build != "gil" else None

    @cached_property
    def prediction(self) -> Prediction | None:
        """What the trace of the ``gil`` run lets one expect without the GIL, on as many processors.

        None if there is no such trace, or one of a program that failed.
        """
        complete = (run for run in self.runs if run.build == "gil" and not run.error)
        trace = next((run.trace for run in complete), None)
        processors = len(self.conditions.cpus) if self.conditions else cpu_count() or 1
        others = (self.conditions.others or 0.0) if self.conditions else 0.0
        return predict(trace, processors, others=others) if trace else None

    @cached_property
    def forecast(self) -> Forecast | None:
        """The prediction, beside what was measured; None if there is no prediction."""
        found = self.prediction
        if found is None:
            return None
        whole = {run.build: run for run in self.runs if run.trace and not run.error and run.valid}
        without, alone, gil = (whole.get(build) for build in ("ft", "ft-gil", "gil"))
        kept = 1.0
        if without is not None and without.trace is not None:
            kept = kept_after_contention(without.trace, alone.trace if alone else None)
        spread = quartile_spread(gil.wall_s) if gil else 1.0
        conditions = self.conditions
        busy = conditions is not None and (conditions.others or 0.0) > BUSY * len(conditions.cpus)
        return Forecast(found, self.speedup_of("ft-gil"), self.speedup, kept, spread, busy)

    @cached_property
    def activity(self) -> tuple[GroupActivity, ...]:
        """What the threads spent their time on, by group of threads and by build."""
        return activity(self.traces())

    @cached_property
    def differences(self) -> Differences:
        """What each wait for the GIL turned into, in the runs that did not fail."""
        whole = [(run.build, run.trace) for run in self.runs if run.trace and not run.error]
        return differences(whole)

    def traces(self) -> list[tuple[str, Trace]]:
        """Return build and trace of each run that has a trace."""
        return [(run.build, run.trace) for run in self.runs if run.trace is not None]

    @cached_property
    def findings(self) -> tuple[tuple[str, Finding], ...]:
        """Build and finding: what an expert would point out in each run, watched runs included."""
        from gilscope.analysis.findings import find  # noqa: PLC0415 - most comparisons need none
        from gilscope.analysis.findings.model import TO_BE_MEASURED  # noqa: PLC0415 - as above
        from gilscope.results import orders, races  # noqa: PLC0415 - as above

        gain = self._gain or TO_BE_MEASURED
        measured = (
            (build, replace(one, advice=one.advice.replace(TO_BE_MEASURED, gain)))
            for build, trace in self.traces()
            for one in find(trace)
        )
        raced = ((run.build, races.as_finding(one)) for run in self.watched for one in run.races)
        ordered = (
            (run.build, orders.as_finding(hazard))
            for run in self.ordered
            if run.found is not None
            for hazard in run.found.hazards
        )
        return (*measured, *raced, *ordered)

    @property
    def _gain(self) -> str:
        """What the free-threaded build has brought; empty if nothing was timed here."""
        if not any(run.wall_s for run in self.runs):
            return ""
        found = self.speedup_of("ft")
        if found is None:
            return "not measured here"
        slower = found.interval is not None and found.interval[1] < 1
        return f"{'not as it is' if slower else 'here'}: {ratio_text(found)}"

    def findings_text(self) -> str:
        """Return a line a finding."""
        return "\n".join(
            f"found ({build}): {one.title} (gilscope explain {one.name})"
            for build, one in self.findings
        )

    def times(self) -> list[dict[str, Any]]:
        """Return one row a timed run: build, threads, probe on or off, repetition, seconds.

        ``threads`` is None where the program itself chose their number.
        """
        highest = max((p.threads for c in self.scaling for p in c.points), default=None)
        rows = [
            (run.build, highest, probe, walls)
            for run in self.runs
            for probe, walls in ((False, run.wall_s), (True, run.probed_wall_s))
        ]
        rows += [
            (curve.build, point.threads, False, point.wall_s)
            for curve in self.scaling
            for point in curve.points
            if point.threads != highest
        ]
        return [
            {"build": build, "threads": threads, "probe": probe, "repetition": n, "wall_s": wall}
            for build, threads, probe, walls in rows
            for n, wall in enumerate(walls, 1)
        ]
