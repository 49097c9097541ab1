"""Runs a program, watched for the order of its locks, under the available builds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gilscope.analysis.order.hazards import find
from gilscope.analysis.order.recorded import Recorded
from gilscope.comparison.watching import watched_arms
from gilscope.config import DEFAULT_BUILDS
from gilscope.results.orders import OrderRun, orders_summary, run_text
from gilscope.target.worker.program import Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.runner.arm import Arm
    from gilscope.target.worker.carried import Carried


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
        return orders_summary(self.runs)

    def summary_text(self) -> str:
        """Return all hazards in full."""
        return "\n\n".join(
            [
                *map(run_text, self.runs),
                *(f"note: {notice}" for notice in self.notices),
            ]
        )

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # noqa: FBT001 - of IPython
        """Show them where there is text only."""
        printer.text(self.summary_text())


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
        **options: ``pythons``, ``cwd``, ``timeout``, ``progress``, ``output`` and ``display`` of
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
    return LockOrderResult(title or filename, order_runs(arms), notices, stderr)


def order_runs(arms: Sequence[Arm]) -> tuple[OrderRun, ...]:
    """Return the runs of those arms that were watched for the order of locks."""
    found = []
    for arm in arms:
        if arm.ordered is not None:
            order, error = arm.ordered.order, arm.ordered.error
            hazards = find(Recorded(order)) if order else None
            found.append(OrderRun(arm.interpreter.build, hazards, error))
    return tuple(found)
