"""Makes a deadlock strike that a run showed to be possible, in a further run of the program.

Threads are held where they ask, until each is at its place; then they go on, and if they wait for
each other the process is explained from outside, as any hang is, and ended.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from gilscope.target.again import run_again
from gilscope.target.hangs.watch import Watch
from gilscope.target.order.holds import Place

if TYPE_CHECKING:
    from gilscope.target.again import Program
    from gilscope.target.hangs.explain import Report

CONFIRMED = "confirmed: "
NEVER = Place("", "", 0, 0)
"""No thread comes there: whoever is held for it is held until time is up."""


def confirm(program: Program, places: list[Place], owing: list[Place], limit: float) -> str:
    """Run the program again and return what it did, as a sentence.

    Args:
        program: The program.
        places: For each thread of the hazard where it asks.
        owing: Those of them at which a thread has yet to bring about what another one waits for.
        limit: Seconds after which a run is stopped; there are two at most.

    Returns:
        A text that begins with ``confirmed: `` if the deadlock struck, else with
        ``not confirmed: `` and why.
    """
    said = _attempt(program, places, places, limit)
    if owing and not said.startswith(CONFIRMED):
        # The others may have to come several times before they wait, until a queue is full.
        second = _attempt(program, [*owing, NEVER], places, limit)
        return second if second.startswith(CONFIRMED) else said
    return said


class _Lookout:
    """Looks at a process from outside until it hangs."""

    def __init__(self) -> None:
        self.report: Report | None = None
        self._watch: Watch | None = None

    def __call__(self, pid: int) -> bool:
        """Look once at the process; return whether it hangs."""
        if self._watch is None:
            self._watch = Watch(pid, time.monotonic)
        with contextlib.suppress(OSError):  # it has just ended
            self.report = self._watch.look()
        return self.report is not None


def _attempt(program: Program, held: list[Place], places: list[Place], limit: float) -> str:
    """Run the program with threads held at some places."""
    lookout = _Lookout()
    result, ended = run_again(program, {"holds": held}, limit, lookout)
    if lookout.report is not None:
        return _hung(lookout.report, places)
    if "holds" not in result:
        why = result.get("probe_error") or f"the second run gave no result ({ended})"
        return f"not confirmed: {why}"
    return f"not confirmed: {_why_not(result['holds'], held)}"


def _hung(report: Report, places: list[Place]) -> str:
    """Say what the hang was, and whether it is the one that was sought."""
    functions = {(place.file, place.function.rpartition(".")[2]) for place in places}
    at = {
        (file, function.rpartition(".")[2])
        for thread in report.threads
        if thread.stuck
        for file, _, function in thread.python
    }
    if functions & at:
        return f"{CONFIRMED}{report.headline}"
    return f"not confirmed: the second run hung elsewhere: {report.headline}"


def _why_not(holds: dict[str, object], places: list[Place]) -> str:
    came = holds.get("came")
    if isinstance(came, list) and not all(came):
        place = places[came.index(False)]
        return f"no thread came to {place.function} in {place.file} in the second run"
    if not holds.get("meetings"):
        return "threads were held at their places, and the others did not come meanwhile"
    return "all threads were at their places at the same time, and went on"
