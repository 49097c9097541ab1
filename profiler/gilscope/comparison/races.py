"""Runs a program, watched for races, under the available builds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gilscope.comparison.watching import watched_arms
from gilscope.config import BUILDS, DEFAULT_BUILDS
from gilscope.errors import TraceError
from gilscope.results.races import WatchedRun, races_summary, shared_races
from gilscope.target.worker.program import Target
from gilscope.trace.reading.reader import read

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from gilscope.race import Races
    from gilscope.results.races import SharedRace
    from gilscope.runner.arm import Arm
    from gilscope.runner.outputs import Display
    from gilscope.target.worker.carried import Carried
    from gilscope.trace.model import Trace


@dataclass(frozen=True)
class RacesResult:
    """The races of a program under one or more builds.

    Attributes:
        title: A short name of what was run.
        runs: One a build.
        notices: Lines that a reader must see.
        stderr: What the program printed to standard error under the first build.
    """

    title: str
    runs: tuple[WatchedRun, ...]
    notices: tuple[str, ...] = ()
    stderr: str = ""

    def summary(self) -> dict[str, Any]:
        """Return the races as the JSON object that docs/summary.md describes under ``races``."""
        return races_summary(self.runs)

    def summary_text(self) -> str:
        """Return all races in full, and what only one build found."""
        parts = [str(one.race) for one in shared_races(self.runs)]
        # Which builds found each is said of several only.
        lines = [
            *races_text(self.runs, listed=len(self.runs) > 1),
            *(f"note: {notice}" for notice in self.notices),
        ]
        return "\n\n".join([*parts, "\n".join(lines)])

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Show the races in a notebook or a shell."""
        from html import escape  # noqa: PLC0415 - notebooks only

        text = self.summary_text()
        return {"text/plain": text, "text/html": f"<pre>{escape(text)}</pre>"}


def watch_target(
    target: Target,
    *,
    builds: Sequence[str] = DEFAULT_BUILDS,
    title: str = "",
    pythons: Mapping[str, str | os.PathLike[str]] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
    progress: Callable[[str], None] | None = None,
    output: Callable[[str, str, str], None] | None = None,
    display: Callable[[str, Display], None] | None = None,
) -> RacesResult:
    """Run a program once under each build, watched for races.

    Args:
        target: The program.
        builds: ``gil``, ``ft`` or both.
        title: Short name for people.
        pythons: Interpreters by the keys of ``config.PYTHON_OPTIONS``; by default they are looked
            for.
        cwd: Working directory of the program.
        timeout: Seconds that one run may take.
        progress: Takes a line about what is done next.
        output: Takes build, stream and text that the program prints.
        display: Takes build and what a notebook's cell displays.

    Raises:
        UsageError: A build shares no objects between its workers.
        InterpreterError: No interpreter can be used.
        TargetError: There is no such program.
        Interrupted: It was interrupted.
    """
    arms, notices, stderr = watched_arms(
        target,
        "races",
        refusal="no objects are shared that could race",
        builds=builds,
        pythons=pythons,
        progress=progress,
        cwd=cwd,
        timeout=timeout,
        output=output,
        display=display,
    )
    return RacesResult(title, watched_runs(arms), notices, stderr)


def watch_code(
    code: str, *, filename: str = "<code>", carried: Carried | None = None, **options: Any
) -> RacesResult:
    """Run the text ``code`` as ``__main__``, watched for races.

    Args:
        code: Source text.
        filename: Its file name in tracebacks.
        carried: Names that are made known to it.
        **options: Those of :func:`watch_target`.
    """
    return watch_target(
        Target("code", code, (), filename, carried), **{"title": filename, **options}
    )


def watched_runs(
    arms: Sequence[Arm], kept: Mapping[str, Path | None] | None = None
) -> tuple[WatchedRun, ...]:
    """Return the runs that were watched for races.

    Args:
        arms: Of which some may have been watched.
        kept: By build, where the trace of its watched run goes.
    """
    places = kept or {}
    return tuple(_run(arm, places.get(arm.interpreter.build)) for arm in arms if arm.watched)


def _run(arm: Arm, kept: Path | None) -> WatchedRun:
    """Turn the watched attempt of an arm into its run."""
    attempt, build = arm.watched, arm.interpreter.build
    if attempt is None:  # the caller has looked
        raise ValueError(build)
    invalid = None
    if build == "ft" and attempt.gil_after:
        by = f" by the import of {attempt.gil_by}" if attempt.gil_by else ""
        invalid = f"the GIL was turned on{by}"
    return WatchedRun(build, attempt.races, attempt.error, invalid, _trace(attempt.trace, kept))


def _trace(path: Path | None, kept: Path | None) -> Trace | None:
    """Return the trace of a watched run, moved to where it is kept; None if there is none."""
    if path is None:
        return None
    try:
        return read(path.replace(kept) if kept else path)
    except (TraceError, OSError):  # the races are known without it
        return None


# --- Text -----------------------------------------------------------------------------------------


def races_text(runs: Sequence[WatchedRun], *, listed: bool = True) -> list[str]:
    """Return what each run found, and what all of them or only one did, as lines of text.

    Args:
        runs: One a build.
        listed: Whether each race gets its lines.
    """
    if not runs:
        return []
    lines = [f"races, {BUILDS[run.build]}: {_found(run)}" for run in runs]
    all_builds = [run.build for run in runs if run.found is not None]
    for one in shared_races(runs) if listed else ():
        lines += [f"  {_where(one, all_builds)}{one.race.title} ({_grades(one)})", _places(one)]
    return lines


def _found(run: WatchedRun) -> str:
    found: Races | None = run.found
    parts = [found.summary_line] if found is not None else ["not known"]
    parts += [f"the program failed: {run.error}"] if run.error else []
    parts += [f"INVALID: {run.invalid}"] if run.invalid else []
    return "; ".join(parts)


def _where(one: SharedRace, builds: Sequence[str]) -> str:
    if len(builds) < 2:  # noqa: PLR2004 - there is nothing to compare
        return ""
    if len(one.grades) == len(builds):
        return "both builds: " if len(builds) == 2 else "all builds: "  # noqa: PLR2004 - both
    return f"only {' and '.join(BUILDS[build] for build in one.grades)}: "


def _grades(one: SharedRace) -> str:
    if len(set(one.grades.values())) == 1:
        return next(iter(one.grades.values()))
    return ", ".join(f"{BUILDS[build]}: {grade}" for build, grade in one.grades.items())


def _places(one: SharedRace) -> str:
    first, other = one.race.accesses[0], one.race.accesses[-1]
    return f"    thread {first.thread} at {first.place}, thread {other.thread} at {other.place}"
