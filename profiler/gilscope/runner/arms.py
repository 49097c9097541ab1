"""Runs a program under several interpreters, again and again, so that the times compare fairly.

Each arm first runs once with the probe on: that warms caches up, shows the program's output, and
leaves a trace if the program fails. Its time does not count. Then the arms take turns: all of them
with the probe off, all of them with it on, as often as asked.

Where several numbers of threads are asked for, each of them is an arm. Only those with the highest
one are recorded; the others are timed with the probe off, in the same turns.

On request each arm that is recorded runs once more in the end, watched for races: that takes
several times as long, and its time does not count.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gilscope.config import EXECUTOR_VARIABLE, EXECUTORS, THREADS_VARIABLE
from gilscope.errors import Interrupted, TargetError
from gilscope.runner import process
from gilscope.runner.arm import Arm
from gilscope.runner.attempt import judge
from gilscope.runner.culprit import find_culprit
from gilscope.runner.deadlock import wait_for_gil
from gilscope.runner.interpreters import environment
from gilscope.runner.outputs import Outputs
from gilscope.runner.schedule import FEW, WARM_UP, rounds
from gilscope.runner.watchdog import DUMP_SIGNAL, Watchdog
from gilscope.target.start import START
from gilscope.target.worker.carried import describe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gilscope.runner.arm import Options
    from gilscope.runner.attempt import Attempt
    from gilscope.runner.interpreters import Interpreter
    from gilscope.runner.schedule import Round
    from gilscope.target.worker.program import Target

type WatchFor = Literal["races", "order"]
WATCHED: dict[WatchFor, str] = {"races": "races", "order": "the order of its locks"}


def run_arms(
    target: Target, interpreters: Sequence[Interpreter], directory: Path, options: Options
) -> list[Arm]:
    """Run ``target`` under each interpreter as ``options`` say; a failed arm ends.

    Args:
        target: The program.
        interpreters: One an arm, and one for each number of threads.
        directory: A private directory for traces, jobs and results.
        options: How to run.

    Raises:
        TargetError: There is no such program, or a worker cannot be started.
        Interrupted: With the arms as far as they came. Of an arm that was never complete it is the
            run that was interrupted.
    """
    target.check()
    threads: Sequence[int | None] = options.threads or (None,)
    highest = max(options.threads, default=None)
    arms = [
        Arm(interpreter, threads=number, recorded=number == highest)
        for number in threads
        for interpreter in interpreters
    ]
    to_watch = _to_watch(arms) if options.races else []
    to_order = _to_watch(arms) if options.lock_order else []
    further = len(to_watch) + len(to_order)
    warming_up = _steps(arms, [WARM_UP])
    timed = _steps(arms, rounds(options.repeat, options.repeat))
    try:
        begun = len(warming_up)
        _run(target, warming_up, directory, options, (0, begun + len(timed) + further))
        if long_run(arms, options):
            timed = _steps(arms, rounds(FEW, 1))
        done = begun + len(timed)
        total = done + further
        _run(target, timed, directory, options, (begun, total))
        _watch(target, to_watch, directory, options, (done, total), traced=True)
        done += len(to_watch)
        _watch(target, to_order, directory, options, (done, total), watch_for="order")
        for arm in arms:
            _name_culprit(arm, options)
    except KeyboardInterrupt:
        raise Interrupted(arms) from None
    return arms


def long_run(arms: Sequence[Arm], options: Options) -> float | None:
    """Return how many seconds the longest first run took, if the other runs are fewer for that."""
    first = [arm.attempts[0].wall_ns or 0 for arm in arms if arm.recorded and arm.attempts]
    longest = max(first, default=0) / 1e9
    limit = options.fewer_after
    return longest if limit is not None and longest > limit and options.repeat > FEW else None


def _steps(arms: Sequence[Arm], of: Iterable[Round]) -> list[tuple[Arm, Round]]:
    """Return the runs of these rounds; arms that are not recorded are only timed."""
    return [(arm, one) for one in of for arm in arms if arm.recorded or not one.probed]


def _run(
    target: Target,
    steps: Sequence[tuple[Arm, Round]],
    directory: Path,
    options: Options,
    numbers: tuple[int, int],
) -> None:
    """Do these runs; ``numbers`` are how many were done before, and all.

    Raises:
        KeyboardInterrupt: It was interrupted.
    """
    done, total = numbers
    for count, (arm, one) in enumerate(steps, done + 1):
        if arm.over:
            continue
        if options.progress:
            options.progress(f"[{count}/{total}] {arm.title}: {one.label}")
        _take(arm, _attempt(target, arm, directory, options, probed=one.probed))


def watch_arms(
    target: Target,
    interpreters: Sequence[Interpreter],
    directory: Path,
    options: Options,
    watch_for: WatchFor,
) -> list[Arm]:
    """Run ``target`` once under each interpreter, watched, and do nothing else.

    Raises:
        TargetError: There is no such program, or a worker cannot be started.
        KeyboardInterrupt: It was interrupted.
    """
    target.check()
    arms = _to_watch([Arm(interpreter) for interpreter in interpreters])
    _watch(target, arms, directory, options, (0, len(arms)), watch_for=watch_for)
    return arms


def _to_watch(arms: Sequence[Arm]) -> list[Arm]:
    """Return the arms in which threads share objects: one a build."""
    return [arm for arm in arms if arm.recorded and arm.interpreter.build not in EXECUTORS]


def _watch(
    target: Target,
    arms: Sequence[Arm],
    directory: Path,
    options: Options,
    steps: tuple[int, int],
    *,
    traced: bool = False,
    watch_for: WatchFor = "races",
) -> None:
    """Run each arm once more, watched; ``steps`` are those done before, and all.

    One whose program failed runs too: what it failed of may be a race. ``traced``: it is recorded
    as well, to show when its races were.

    Raises:
        KeyboardInterrupt: It was interrupted.
    """
    done, total = steps
    for count, arm in enumerate(arms, done + 1):
        if options.progress:
            said = WATCHED[watch_for]
            options.progress(f"[{count}/{total}] {arm.title}: watched for {said}, not timed")
        attempt = _attempt(target, arm, directory, options, probed=traced, watch_for=watch_for)
        if watch_for == "order":
            arm.ordered = attempt
        else:
            arm.watched = attempt
        if attempt.interrupted:
            raise KeyboardInterrupt


def _take(arm: Arm, attempt: Attempt) -> None:
    """Add an attempt to its arm.

    Raises:
        KeyboardInterrupt: It was interrupted.
    """
    if not attempt.interrupted or not arm.attempts:
        arm.attempts.append(attempt)
    if attempt.interrupted:
        raise KeyboardInterrupt


def _name_culprit(arm: Arm, options: Options) -> None:
    """Find out what turned the GIL on, once, where that is not known yet."""
    unnamed = [attempt for attempt in arm.attempts if attempt.extensions]
    if not arm.recorded or not unnamed or not unnamed[0].extensions:
        return
    path, modules = unnamed[0].extensions
    found = find_culprit(arm.interpreter, path, modules, options.cwd)
    arm.attempts = [
        replace(attempt, gil_by=found) if attempt.extensions else attempt
        for attempt in arm.attempts
    ]


def _attempt(
    target: Target,
    arm: Arm,
    directory: Path,
    options: Options,
    *,
    probed: bool,
    watch_for: WatchFor | None = None,
) -> Attempt:
    """Run the program once."""
    place = Path(tempfile.mkdtemp(prefix=f"{arm.interpreter.build}-", dir=directory))
    trace = place / "trace.gilscope"
    first = not arm.attempts and arm.recorded
    outputs = Outputs(place, arm.interpreter.build, options.output, options.display, first=first)
    job = _job(target, arm, place, options, trace=trace if probed else None, watch_for=watch_for)
    if target.carried:
        job["display"] = outputs.place
    (place / "job.json").write_text(json.dumps(job), encoding="utf-8")
    try:
        ended = process.run(
            _command(arm.interpreter, place),
            cwd=options.cwd,
            env=_environment(arm),
            data=target.carried.values + target.carried.instances if target.carried else b"",
            timeout=options.timeout,
            output=outputs.take if first else None,
            watch=Watchdog(place / "stacks.txt", partial(wait_for_gil, trace) if probed else None),
        )
    except OSError as error:
        raise TargetError(f"cannot start {arm.interpreter.path}: {error}") from None
    outputs.finish()
    ended = replace(ended, stdout=outputs.plain(ended.stdout))
    return judge(ended, place, options.timeout, probed=probed, say=partial(_tell, arm, options))


def _job(
    target: Target,
    arm: Arm,
    place: Path,
    options: Options,
    *,
    trace: Path | None,
    watch_for: WatchFor | None,
) -> dict[str, Any]:
    """Return the job for the worker."""
    follow = arm.interpreter.build == "processes"
    return {
        "kind": target.kind,
        "value": target.value,
        "args": target.args,
        "filename": target.filename,
        "carried": describe(target.carried) if target.carried else None,
        "trace": str(trace) if trace else None,
        "recording": options.recording.replaced(follow_children=follow).as_dict(),
        "races": {} if watch_for == "races" else None,
        "order": watch_for == "order",
        "live": not arm.attempts,
        "cpus": options.cpus,
        "stacks": str(place / "stacks.txt"),
        "stack_signal": DUMP_SIGNAL,
    }


def _tell(arm: Arm, options: Options, line: str) -> None:
    """Report on a finished run: a line, or stacks."""
    if options.progress:
        options.progress(f"{arm.title}: {line}")


def _command(interpreter: Interpreter, place: Path) -> list[str | Path]:
    library = [interpreter.library] if interpreter.library else []
    return [interpreter.path, "-c", START, place / "job.json", place / "result.json", *library]


def _environment(arm: Arm) -> dict[str, str]:
    build = arm.interpreter.build
    kind = build if build in EXECUTORS else "threads"
    env = {**environment(build), EXECUTOR_VARIABLE: kind}
    return env if arm.threads is None else {**env, THREADS_VARIABLE: str(arm.threads)}
