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
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median_low
from typing import TYPE_CHECKING, Any, Literal

from gilscope.config import (
    BUILDS,
    EXECUTOR_VARIABLE,
    EXECUTORS,
    THREADS_VARIABLE,
)
from gilscope.errors import Interrupted, TargetError
from gilscope.runner import process
from gilscope.runner.attempt import Attempt, judge
from gilscope.runner.culprit import find_culprit
from gilscope.runner.deadlock import wait_for_gil
from gilscope.runner.interpreters import environment
from gilscope.runner.watchdog import DUMP_SIGNAL, Watchdog
from gilscope.target.recording.options import RecordingOptions
from gilscope.target.start import START
from gilscope.target.worker.carried import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gilscope.runner.interpreters import Interpreter
    from gilscope.target.worker.program import Target

type WatchFor = Literal["races", "order"]
WATCHED: dict[WatchFor, str] = {"races": "races", "order": "the order of its locks"}


@dataclass(frozen=True)
class Options:
    """How to run.

    Attributes:
        repeat: How often each arm is timed with the probe off and recorded with it on.
        cwd: The working directory of the program; None for this process's own.
        timeout: Seconds that one run may take; None for no limit.
        recording: How the programs are recorded.
        races: Whether each build is also watched for races.
        lock_order: Whether each build is also watched for the order of its locks.
        threads: Numbers of threads to run with; none for what the program itself chooses.
        cpus: The processors that the workers may run on; none for all of this process.
        progress: Takes a line about what is done next, and where the threads of a program wait that
            can never go on, which takes several lines.
        output: Takes build, stream and text that a program prints in its first run.
    """

    repeat: int = 3
    cwd: Path | None = None
    timeout: float | None = None
    recording: RecordingOptions = field(default_factory=RecordingOptions)
    races: bool = False
    lock_order: bool = False
    threads: tuple[int, ...] = ()
    cpus: tuple[int, ...] = ()
    progress: Callable[[str], None] | None = None
    output: Callable[[str, str, str], None] | None = None


@dataclass
class Arm:
    """An interpreter and its runs of the program so far.

    Attributes:
        interpreter: The interpreter, with the build that it stands for.
        attempts: The runs; the first one of an arm that is recorded warms up.
        threads: What the program is told about threads; None for nothing.
        recorded: Whether it is run with the probe on as well.
        watched: The run that was watched for races; None if there was none.
        ordered: The run that was watched for the order of its locks; None if there was none.
    """

    interpreter: Interpreter
    attempts: list[Attempt] = field(default_factory=list)
    threads: int | None = None
    recorded: bool = True
    watched: Attempt | None = None
    ordered: Attempt | None = None

    @property
    def title(self) -> str:
        """The name of the run in progress messages."""
        build = BUILDS[self.interpreter.build]
        if self.threads is None:
            return build
        return f"{build}, {self.threads} thread{'' if self.threads == 1 else 's'}"

    @property
    def over(self) -> bool:
        """Whether further runs are pointless: the last one failed or could not be timed."""
        return bool(self.attempts and (self.attempts[-1].error or self.attempts[-1].untimed))

    @property
    def failure(self) -> Attempt | None:
        """The attempt that failed, if one did; it is the last one."""
        return self.attempts[-1] if self.attempts and self.attempts[-1].error else None

    def counted(self, *, probed: bool) -> list[Attempt]:
        """Return the attempts whose time counts."""
        return [
            attempt
            for attempt in self.attempts[self.recorded :]
            if attempt.probed == probed and attempt.wall_ns is not None
        ]

    def representative(self) -> Attempt:
        """Return the attempt to show: the one that failed, else the median one, probe on."""
        counted = self.counted(probed=True)
        if self.failure or not counted:
            return self.failure or self.attempts[0]
        wall = median_low(attempt.wall_ns or 0 for attempt in counted)
        return next(attempt for attempt in counted if attempt.wall_ns == wall)


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
    steps = [
        (arm, label, probed)
        for label, probed, warming_up in _schedule(options.repeat)
        for arm in arms
        if arm.recorded or not (probed or warming_up)
    ]
    to_watch = _to_watch(arms) if options.races else []
    to_order = _to_watch(arms) if options.lock_order else []
    done = len(steps) + len(to_watch)
    total = done + len(to_order)
    try:
        for count, (arm, label, probed) in enumerate(steps, 1):
            if arm.over:
                continue
            if options.progress:
                options.progress(f"[{count}/{total}] {arm.title}: {label}")
            _take(arm, _attempt(target, arm, directory, options, probed=probed))
        _watch(target, to_watch, directory, options, (len(steps), total), traced=True)
        _watch(target, to_order, directory, options, (done, total), watch_for="order")
        for arm in arms:
            _name_culprit(arm, options)
    except KeyboardInterrupt:
        raise Interrupted(arms) from None
    return arms


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


def _schedule(repeat: int) -> Iterator[tuple[str, bool, bool]]:
    """Yield label, probe state and whether it only warms up, of each round over the arms."""
    yield "first run, probe on, not counted", True, True
    for number in range(1, repeat + 1):
        yield f"run {number} of {repeat}, probe off", False, False
        yield f"run {number} of {repeat}, probe on", True, False


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
    first, build = not arm.attempts, arm.interpreter.build
    job = _job(target, arm, place, options, trace=trace if probed else None, watch_for=watch_for)
    (place / "job.json").write_text(json.dumps(job), encoding="utf-8")
    output = options.output if first and arm.recorded else None
    try:
        ended = process.run(
            _command(arm.interpreter, place),
            cwd=options.cwd,
            env=_environment(arm),
            data=target.carried.values + target.carried.instances if target.carried else b"",
            timeout=options.timeout,
            output=None if output is None else lambda stream, text: output(build, stream, text),
            watch=Watchdog(place / "stacks.txt", partial(wait_for_gil, trace) if probed else None),
        )
    except OSError as error:
        raise TargetError(f"cannot start {arm.interpreter.path}: {error}") from None
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
