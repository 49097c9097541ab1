"""Runs a program under the available builds, and reads the traces."""

from __future__ import annotations

import os
import sys
import tempfile
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope.analysis.findings.gil import turned_on_by
from gilscope.comparison.interpreters import find_interpreters
from gilscope.comparison.notices import noticed
from gilscope.comparison.order import order_runs
from gilscope.comparison.processes import with_children
from gilscope.comparison.races import watched_runs
from gilscope.config import (
    BUILDS,
    DEFAULT_BUILDS,
    INTERPRETERS,
    TRACE_SUFFIX,
)
from gilscope.errors import Interrupted, TraceError, UsageError
from gilscope.results.model import ComparisonData, Run
from gilscope.results.scaling import Scaling, scaling
from gilscope.runner.arm import Options
from gilscope.runner.arms import long_run, run_arms
from gilscope.runner.machine import Watch, usable_cpus
from gilscope.runner.schedule import FEW
from gilscope.target.recording.options import RecordingOptions
from gilscope.target.recording.overwrite import check_overwrite
from gilscope.target.worker.program import Target
from gilscope.text import seconds_text
from gilscope.trace.reading.reader import read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gilscope.runner.arm import Arm
    from gilscope.runner.attempt import Attempt
    from gilscope.runner.interpreters import Interpreter
    from gilscope.runner.outputs import Display
    from gilscope.target.worker.carried import Carried
    from gilscope.trace.writing.merge import Process

INTERRUPTED = "Interrupted: partial results from the runs completed so far."


def compare_script(
    script: str | os.PathLike[str],
    args: Sequence[str] = (),
    **options: Any,
) -> ComparisonData:
    """Run the script ``script`` with ``args`` under several builds.

    The options are those of :func:`compare_target`.
    """
    target = Target("script", os.path.abspath(script), tuple(map(str, args)))  # noqa: PTH100
    return compare_target(target, **{"title": Path(script).name, **options})


def compare_code(
    code: str, *, filename: str = "<code>", carried: Carried | None = None, **options: Any
) -> ComparisonData:
    """Run the text ``code`` as ``__main__`` under several builds.

    Args:
        code: Source text.
        filename: Its file name in tracebacks.
        carried: Names that are made known to it.
        **options: Those of :func:`compare_target`.
    """
    return compare_target(
        Target("code", code, (), filename, carried), **{"title": filename, **options}
    )


def compare_callable(function: Callable[[], object], **options: Any) -> ComparisonData:
    """Call ``function`` under several builds.

    Args:
        function: Without arguments, and importable: each build imports its module and calls it.
        **options: Those of :func:`compare_target`.

    Raises:
        UsageError: It cannot be imported by its name.
    """
    module = getattr(function, "__module__", None) or "?"
    name = getattr(function, "__qualname__", None) or "?"
    title = f"{module}.{name}"
    try:
        same = attrgetter(name)(sys.modules[module]) == function
    except (AttributeError, KeyError):
        same = False
    if module == "__main__" or not same:
        raise UsageError(
            f"other interpreters cannot import {title}: define it in a module, or pass its source "
            "to compare_code()"
        )
    top = getattr(sys.modules.get(module.partition(".")[0]), "__file__", None)
    place = Path(top).resolve().parent if top else None
    if place and Path(str(top)).name == "__init__.py":
        place = place.parent
    # Each interpreter finds installed packages in its own place.
    here = (
        [] if place is None or {"site-packages", "lib-dynload"} & {*place.parts} else [str(place)]
    )
    code = (
        f"import importlib, operator, sys\nsys.path[:0] = {here!r}\n"
        f"operator.attrgetter({name!r})(importlib.import_module({module!r}))()\n"
    )
    return compare_code(code, **{"filename": f"<{title}>", "title": title, **options})


def compare_target(
    target: Target,
    *,
    builds: Sequence[str] = DEFAULT_BUILDS,
    repeat: int = 3,
    fewer_after: float | None = None,
    out_dir: str | os.PathLike[str] | None = None,
    title: str | None = None,
    name: str | None = None,
    pythons: Mapping[str, str | os.PathLike[str]] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    timeout: float | None = None,
    threads: Sequence[int] = (),
    affinity: Sequence[int] = (),
    recording: RecordingOptions | None = None,
    races: bool = False,
    lock_order: bool = False,
    progress: Callable[[str], None] | None = None,
    output: Callable[[str, str, str], None] | None = None,
    display: Callable[[str, Display], None] | None = None,
    **changes: Any,
) -> ComparisonData:
    """Run a program under several builds, timed and recorded.

    The result reports a build that has no interpreter and a build under which the program fails;
    the other builds still run.

    Args:
        target: The program.
        builds: Keys of ``config.BUILDS``, in the order of display.
        repeat: How often each build is timed with the probe off and recorded with it on.
        fewer_after: Seconds that a first run may take; where it takes longer, each build is timed
            twice and recorded once, and a notice says so. None for no limit.
        out_dir: Where one trace a build is kept, as ``NAME-BUILD.gilscope``, and with ``races``
            ``NAME-BUILD-races.gilscope``; by default the traces are kept as long as the returned
            object.
        title: Short name for people.
        name: Short name for files.
        pythons: Interpreters by the keys of ``config.PYTHON_OPTIONS``; by default they are looked
            for.
        cwd: Working directory of the program.
        timeout: Seconds that one run may take.
        threads: Numbers of threads to run with; the program takes its own from the environment
            variable GILSCOPE_THREADS. Only runs with the highest one are recorded.
        affinity: The processors that the program may run on; by default all that this process may.
        recording: How the program is recorded.
        races: Whether each build runs once more, watched for races.
        lock_order: Whether each build runs once more, watched for the order of its locks.
        progress: Called with a line about the next step; with text that has an end of a line, it
            is more than that: a build that is missing, where the threads of a deadlock wait.
        output: Called with the build, the stream and the text that the program prints in its first
            run.
        display: Called with the build and what a notebook's cell displays in its first run.
        **changes: Fields of `RecordingOptions` that differ from ``recording``: ``max_bytes``,
            ``native_locks``.

    Raises:
        UsageError: An argument is out of range, or a file would be overwritten that is no trace.
        InterpreterError: No interpreter can be used, or one that was named cannot.
        TargetError: There is no such program.
        Interrupted: It carries the comparison of the completed runs; the traces are kept.
    """
    _check(builds, repeat, threads)
    recording = (recording or RecordingOptions()).replaced(**changes)
    cpus = usable_cpus(affinity)
    target.check()
    name = name or target.stem
    kept = {build: _kept_path(out_dir, name, build) for build in builds} if out_dir else {}
    kept_watched = (
        {build: _kept_path(out_dir, name, f"{build}-races") for build in builds}
        if out_dir and races
        else {}
    )
    interpreters, notices = find_interpreters(builds, pythons or {}, progress)
    options = Options(
        repeat=repeat,
        fewer_after=fewer_after,
        cwd=Path(cwd) if cwd else None,
        timeout=timeout,
        recording=recording,
        races=races,
        lock_order=lock_order,
        threads=tuple(threads),
        cpus=cpus if affinity else (),
        progress=progress,
        output=output,
        display=display,
    )
    files = tempfile.TemporaryDirectory(prefix=".gilscope-", dir=out_dir)
    try:
        watch = Watch(cpus)
        arms, interrupted = _run_arms(target, interpreters, Path(files.name), options)
        conditions = watch.finish()
        shown = [arm for arm in arms if arm.recorded]
        runs = [_run(arm, kept.get(arm.interpreter.build), notices) for arm in shown]
        watched = watched_runs(arms, kept_watched)
    except BaseException:
        files.cleanup()
        raise
    if out_dir:
        files.cleanup()
    comparison = ComparisonData(
        title=title or name,
        command=target.command,
        runs=tuple(runs),
        notices=(
            *([INTERRUPTED] if interrupted else []),
            *notices,
            *noticed(runs, arms, conditions),
            *_fewer(arms, options),
        ),
        conditions=conditions,
        scaling=_scaling(arms) if threads else (),
        watched=watched,
        ordered=order_runs(arms),
        _files=files,
    )
    if interrupted:
        raise Interrupted(comparison)
    return comparison


def _run_arms(
    target: Target, interpreters: Sequence[Interpreter], directory: Path, options: Options
) -> tuple[list[Arm], bool]:
    """Return the arms that have at least one run, and whether the user interrupted them.

    Raises:
        Interrupted: Before anything was recorded.
    """
    try:
        return run_arms(target, interpreters, directory, options), False
    except Interrupted as interrupt:
        arms = [arm for arm in interrupt.found if arm.attempts]
        if not any(arm.recorded for arm in arms):
            raise
        return arms, True


def _fewer(arms: Sequence[Arm], options: Options) -> list[str]:
    """Say that there were fewer runs than usual, if there were."""
    took = long_run(arms, options)
    if took is None:
        return []
    words = (
        f"A run took {seconds_text(took)}, so each build was timed {FEW} times and recorded once"
    )
    return [f"{words}; --repeat {options.repeat} does both {options.repeat} times."]


def _check(builds: Sequence[str], repeat: int, threads: Sequence[int]) -> None:
    for build in builds:
        if build not in BUILDS:
            raise UsageError(f"unknown build {build!r}: choose from {', '.join(BUILDS)}")
    if not builds or len(set(builds)) != len(builds):
        raise UsageError("name each build once, such as gil,ft")
    if repeat < 1:
        raise UsageError(f"repeat must be 1 or more, not {repeat}")
    if min(threads, default=1) < 1 or len(set(threads)) != len(threads):
        raise UsageError("threads must be different numbers of 1 or more, such as 1,2,4")


def _kept_path(out_dir: str | os.PathLike[str], name: str, build: str) -> Path:
    """Return where the trace of a build goes; the directory is made, a foreign file is refused."""
    directory = Path(out_dir)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write traces to {directory}: {error.strerror}") from None
    path = directory / f"{name}-{build}{TRACE_SUFFIX}"
    check_overwrite(path)
    return path


def _run(arm: Arm, kept: Path | None, notices: list[str]) -> Run:
    """Turn the attempts of an arm into a run; a trace that cannot be read becomes a notice."""
    shown = arm.representative()
    path, trace = shown.trace, None
    processes: tuple[Process, ...] = ()
    try:
        if path and arm.interpreter.build == "processes":
            path, processes = with_children(path, notices)
        if path and kept:
            path = _keep(path, kept)
        trace = read(path) if path else None
    except (TraceError, OSError) as error:
        notices.append(f"{BUILDS[arm.interpreter.build]}: no timeline: {error}")
    gil_by = shown.gil_by or (turned_on_by(trace) if trace else None)
    counted = arm.counted(probed=True)
    probed = counted or [attempt for attempt in [shown] if attempt.probed]
    return Run(
        build=arm.interpreter.build,
        python=arm.interpreter.version,
        executable=str(arm.interpreter.path),
        free_threaded=INTERPRETERS[arm.interpreter.build] == "ft",
        gil_enabled_before=shown.gil_before,
        gil_enabled_after=shown.gil_after,
        gil_enabled_by=gil_by,
        wall_s=_seconds(arm.counted(probed=False)),
        probed_wall_s=_seconds(probed),
        trace_path=path if trace else None,
        trace=trace,
        status=shown.status,
        stdout=arm.attempts[0].stdout,
        stderr=shown.stderr if shown.error else arm.attempts[0].stderr,
        error=shown.error,
        traceback=shown.traceback,
        executor=shown.executor,
        processes=processes if trace else (),
    )


def _keep(path: Path, kept: Path) -> Path:
    """Move a trace and those of the processes that its program made; return where it is now."""
    for child in path.parent.glob(f"{path.stem}.*{path.suffix}"):
        child.replace(kept.with_name(kept.stem + child.name.removeprefix(path.stem)))
    return path.replace(kept)


def _scaling(arms: Sequence[Arm]) -> tuple[Scaling, ...]:
    """Return the curve of each build."""
    times: dict[str, dict[int, tuple[float, ...]]] = {}
    for arm in arms:
        walls = _seconds(arm.counted(probed=False))
        times.setdefault(arm.interpreter.build, {})[arm.threads or 0] = walls
    return tuple(scaling(build, walls) for build, walls in times.items())


def _seconds(attempts: Sequence[Attempt]) -> tuple[float, ...]:
    return tuple(a.wall_ns / 1e9 for a in attempts if a.wall_ns is not None)
