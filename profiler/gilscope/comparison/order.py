"""Runs a program, watched for the order of its locks, under the available builds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gilscope.analysis.order.hazards import find
from gilscope.analysis.order.recorded import Recorded
from gilscope.analysis.order.text import text
from gilscope.comparison.watching import watched_arms
from gilscope.config import BUILDS, DEFAULT_BUILDS
from gilscope.target.worker.program import Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.analysis.order.hazards import Found
    from gilscope.runner.arms import Arm
    from gilscope.target.worker.carried import Carried


@dataclass(frozen=True)
class OrderRun:
    """One watched run.

    Attributes:
        build: Key of ``config.BUILDS``.
        found: Its hazards; None if they are not known.
        error: One line if the program failed; it may have hung.
    """

    build: str
    found: Found | None
    error: str | None


@dataclass(frozen=True)
class LockOrderResult:
    """The deadlocks that can strike in a program, as one or more builds showed them.

    Attributes:
        title: A short name of what was run.
        runs: One a build.
        notices: Lines that a reader must see.
        stderr: What the program printed to standard error under the first build.
    """

    title: str
    runs: tuple[OrderRun, ...]
    notices: tuple[str, ...] = ()
    stderr: str = ""

    def summary(self) -> dict[str, Any]:
        """Return the cycles of each build as docs/lock-order.md has them; None: not known."""
        return {run.build: run.found and run.found.as_json()["cycles"] for run in self.runs}

    def summary_text(self) -> str:
        """Return all hazards in full."""
        return "\n\n".join(
            [
                *(_text(run) for run in self.runs),
                *(f"note: {notice}" for notice in self.notices),
            ]
        )

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # noqa: FBT001 - of IPython
        """Show them where there is text only."""
        printer.text(self.summary_text())


def _text(run: OrderRun) -> str:
    lines = [f"{BUILDS[run.build]}:"]
    if run.error:
        lines.append(f"the program failed: {run.error}")
    lines.append("not known" if run.found is None else text(run.found))
    return "\n".join(lines)


def watch_order(
    code: str,
    *,
    filename: str = "<code>",
    carried: Carried | None = None,
    builds: Sequence[str] = DEFAULT_BUILDS,
    title: str = "",
    **options: Any,
) -> LockOrderResult:
    """Run the text ``code`` as ``__main__`` once under each build, watched for its locks.

    Args:
        code: Source text.
        filename: Its file name in tracebacks.
        carried: Names that are made known to it.
        builds: ``gil``, ``ft`` or both.
        title: Short name for people.
        **options: ``pythons``, ``cwd``, ``timeout``, ``progress`` and ``output`` of
            :func:`gilscope.comparison.races.watch_target`.

    Raises:
        UsageError: A build shares no locks between its workers.
        InterpreterError: No interpreter can be used.
        Interrupted: It was interrupted.
    """
    target = Target("code", code, (), filename, carried)
    arms, notices, stderr = watched_arms(
        target, "order", refusal="no locks are shared", builds=builds, **options
    )
    return LockOrderResult(title or filename, tuple(map(_run, arms)), notices, stderr)


def _run(arm: Arm) -> OrderRun:
    attempt = arm.watched
    if attempt is None:  # the caller has run it
        raise ValueError(arm.interpreter.build)
    found = find(Recorded(attempt.order)) if attempt.order else None
    return OrderRun(arm.interpreter.build, found, attempt.error)
