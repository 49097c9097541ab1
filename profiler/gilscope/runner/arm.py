"""An interpreter with its runs of a program, and how they are made."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median_low
from typing import TYPE_CHECKING

from gilscope.config import BUILDS
from gilscope.target.recording.options import RecordingOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gilscope.runner.attempt import Attempt
    from gilscope.runner.interpreters import Interpreter
    from gilscope.runner.outputs import Display


@dataclass(frozen=True)
class Options:
    """How to run.

    Attributes:
        repeat: How often each arm is timed with the probe off and recorded with it on.
        fewer_after: Seconds that a first run may take; if it takes longer, the arms are timed `FEW`
            times and recorded once. None for no limit.
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
        display: Takes build and what a notebook's cell displays in its first run.
    """

    repeat: int = 3
    fewer_after: float | None = None
    cwd: Path | None = None
    timeout: float | None = None
    recording: RecordingOptions = field(default_factory=RecordingOptions)
    races: bool = False
    lock_order: bool = False
    threads: tuple[int, ...] = ()
    cpus: tuple[int, ...] = ()
    progress: Callable[[str], None] | None = None
    output: Callable[[str, str, str], None] | None = None
    display: Callable[[str, Display], None] | None = None


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
