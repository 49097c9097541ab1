"""From cycles to hazards: what can strike, how bad it is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gilscope.analysis.order import cycles, forks, predicted
from gilscope.analysis.order.naming import SECTION, Names
from gilscope.severity import Severity

if TYPE_CHECKING:
    from gilscope.analysis.order.cycles import Cycle
    from gilscope.analysis.order.forks import Inherited
    from gilscope.analysis.order.recorded import Edge, Frame, Recorded

KINDS = {
    "condition": "wait-with-lock", "event": "wait-with-lock", "barrier": "wait-with-lock",
    "semaphore": "wait-with-lock", "future": "wait-with-lock", "thread": "join-with-lock",
    "queue-put": "queue-with-lock", "queue-get": "queue-with-lock",
    "queue-join": "queue-with-lock",
}  # fmt: skip
HAZARDS = (
    "lock-order", "gil-order", "wait-with-lock", "join-with-lock", "queue-with-lock",
    "fork-with-lock",
)  # fmt: skip
"""All kinds of hazards."""


@dataclass(frozen=True)
class Step:
    """One thread's part in a hazard.

    Attributes:
        held: What it holds, or what the others wait for that it has still to bring about.
        asked: What it asks for or waits for.
        awaited: The same as it stands in a sentence.
        thread: Its name.
        held_at: Where it took what it holds; None unknown.
        stack: Where it asks, the innermost frame first.
        count: How often it did so in this run.
        owed: Whether `held` is what it has still to bring about.
        part: Where a fork is in it: what the thread or the child does, without the subject; else
            empty.
        program_place: The innermost instruction of the program's own Python code in the stack; None
            without one.
    """

    held: str
    asked: str
    awaited: str
    thread: str
    held_at: Frame | None
    stack: tuple[Frame, ...]
    count: int
    owed: bool
    program_place: Frame | None
    part: str = ""

    @property
    def place(self) -> Frame | None:
        """The innermost place that has a line, of the program's if there is one."""
        with_line = [frame for frame in self.stack if frame.line]
        return with_line[0] if with_line else next(iter(self.stack), None)

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        place = self.place
        return {
            "held": self.held,
            "asked": self.asked,
            "thread": self.thread,
            "file": place.file if place else "",
            "line": place.line if place else 0,
            "stack": [str(frame) for frame in self.stack],
            "count": self.count,
        }


@dataclass(frozen=True)
class Hazard:
    """Threads that can wait for each other for ever.

    Attributes:
        kind: ``lock-order``, ``gil-order``, ``wait-with-lock``, ``join-with-lock``,
            ``queue-with-lock`` or ``fork-with-lock``.
        severity: By what it takes to strike.
        suspected: Whether these very locks were not seen together, but others of the same places.
        steps: In the order in which it closes: each thread asks for what the next one holds.
        confirmation: What a further run did to make it strike; empty if there was none.
    """

    kind: str
    severity: Severity
    suspected: bool
    steps: tuple[Step, ...]
    confirmation: str = ""

    @property
    def reservation(self) -> str:
        """Why it is only suspected, as a sentence; empty if it is not."""
        if not self.suspected:
            return ""
        if len({step.thread for step in self.steps}) == 1:
            return "one thread showed both halves: another one that comes there meanwhile waits"
        if any(step.held.startswith(SECTION) for step in self.steps):
            return "the sections may be of different objects that were at one address"
        return "each half was seen with different locks from the same places"

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "class": "lock-order",
            "kind": self.kind,
            "severity": str(self.severity),
            "suspected": self.suspected,
            "locks": [step.held for step in self.steps],
            "edges": [step.as_json() for step in self.steps],
            "advice": self.advice,
            **({"confirmation": self.confirmation} if self.confirmation else {}),
        }

    @property
    def title(self) -> str:
        """The hazard in one line."""
        if self.kind == "lock-order":
            return "locks in opposite order: " + ", ".join(step.held for step in self.steps)
        if self.kind == "gil-order":
            return f"the GIL and {self._other()} in opposite order"
        if self.kind == "fork-with-lock":
            return (
                f"fork with a lock held: {self.steps[0].held} can be locked for ever in the child"
            )
        waiting = next(step for step in self.steps if not step.owed)
        what = {"join-with-lock": "join", "queue-with-lock": "queue"}.get(self.kind, "wait")
        return (
            f"{what} with a lock held: {waiting.held} is held while waiting for {waiting.awaited}"
        )

    def _other(self) -> str:
        return next((s.held for s in self.steps if s.held != "the GIL"), "a lock")

    @property
    def advice(self) -> str:
        """The repair."""
        if self.kind == "gil-order":
            return (
                "Let the GIL go (Py_BEGIN_ALLOW_THREADS, gil_scoped_release) before "
                f"{self._other()} is asked for, or give it back before Python is entered."
            )
        if self.kind == "lock-order":
            return (
                "Take these locks in one order everywhere, or ask for the second one with a time "
                "limit and give the first one back when it runs out."
            )
        if self.kind == "fork-with-lock":
            lock = self.steps[0].held
            return (
                "Start the process before the threads, or by spawn or forkserver, or let "
                f"os.register_at_fork() take {lock} before a fork and release it after it."
            )
        waiting = next(step for step in self.steps if not step.owed)
        return f"Give {waiting.held} back before waiting for {waiting.awaited}."


@dataclass(frozen=True)
class Found:
    """All hazards of one run.

    Attributes:
        hazards: The worst first.
        threads: How many there were.
        locks: How many were seen in some order.
        left_out: How many edges there was no room for.
        missing: What could not be watched, and why.
    """

    hazards: tuple[Hazard, ...]
    threads: int
    locks: int
    left_out: int
    missing: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {"cycles": [hazard.as_json() for hazard in self.hazards]}

    def worst(self) -> Severity | None:
        """Return the highest severity; None without hazards."""
        return min((one.severity for one in self.hazards), key=lambda s: s.rank, default=None)


def find(recorded: Recorded) -> Found:
    """Return the hazards of a run."""
    names = Names(recorded)
    edges = cycles.blocking(recorded)
    certain = [one for one in cycles.find(recorded, edges) if _counts(recorded, one)]
    kept = _one_each(names, recorded, certain)
    known = {frozenset(_sites(names, recorded, cycle)) for cycle in kept}
    hazards = [_hazard(names, recorded, cycle, suspected=False) for cycle in kept]
    for cycle in predicted.find(recorded, names, edges):
        if frozenset(_sites(names, recorded, cycle)) not in known:
            known.add(frozenset(_sites(names, recorded, cycle)))
            hazards.append(_hazard(names, recorded, cycle, suspected=True))
    hazards += [_of_fork(names, recorded, one) for one in forks.find(recorded)]
    hazards.sort(key=lambda one: (one.severity.rank, one.suspected, len(one.steps)))
    locks = {edge.held for edge in edges} | {edge.asked for edge in edges}
    return Found(
        tuple(hazards), len(recorded.threads), len(locks), recorded.left_out,
        tuple(recorded.missing),
    )  # fmt: skip


def _counts(recorded: Recorded, cycle: Cycle) -> bool:
    """Whether a cycle is a hazard: it has a lock in it that a thread really holds."""
    return not cycles.is_of_imports(recorded, cycle) and not all(edge.owed for edge in cycle)


def _sites(names: Names, recorded: Recorded, cycle: Cycle) -> list[tuple[str, ...]]:
    return [names.site(recorded.locks[edge.held]) for edge in cycle]


def _one_each(names: Names, recorded: Recorded, found: list[Cycle]) -> list[Cycle]:
    """Return one cycle for each set of places, the shortest."""
    kept: list[Cycle] = []
    known: list[frozenset[tuple[str, ...]]] = []
    for cycle in found:
        sites = frozenset(_sites(names, recorded, cycle))
        # A longer cycle that contains a shorter one is not a hazard of its own.
        if any(other <= sites for other in known):
            continue
        known.append(sites)
        kept.append(cycle)
    return kept


def _hazard(names: Names, recorded: Recorded, cycle: Cycle, *, suspected: bool) -> Hazard:
    kinds = [recorded.locks[edge.held].kind for edge in cycle]
    owed = [recorded.locks[edge.held].kind for edge in cycle if edge.owed]
    kind = next((KINDS[one] for one in owed if one in KINDS), "lock-order")
    if "gil" in kinds and recorded.has_gil and kind == "lock-order":
        kind = "gil-order"
    is_one_call = cycles.is_of_first_caller(recorded, *cycle[:2])
    suspected = suspected or "section" in kinds or is_one_call
    severity = Severity.HIGH if not suspected else Severity.MEDIUM
    if "gil" in kinds and not recorded.has_gil:
        severity = Severity.MEDIUM  # it takes a pause of all threads in between
    steps = tuple(_step(names, recorded, edge) for edge in cycle)
    if is_one_call:  # two threads make it at the same place
        place = next((step.program_place for step in steps if step.program_place), None)
        steps = tuple(replace(step, program_place=place) for step in steps)
    return Hazard(kind, severity, suspected, steps)


def _of_fork(names: Names, recorded: Recorded, found: Inherited) -> Hazard:
    lock = names.name(found.lock)
    place = next((one for one in found.fork.stack if recorded.is_program(one)), None)
    where = f" at {place.file}:{place.line}" if place else ""
    parent = recorded.thread_name(found.fork.thread)
    child, thread = f"a child of {parent}", recorded.thread_name(found.thread.serial)
    holder = Step(
        lock, child, child, thread, None, found.passed.stack, len(found.passed.times), owed=False,
        program_place=None, part=f"takes {lock}, and {parent} may fork meanwhile",
    )  # fmt: skip
    asker = Step(
        child, lock, lock, child, None, (found.asked_at,), 1, owed=False, program_place=None,
        part=f"asks for {lock}, forked{where} without that thread",
    )  # fmt: skip
    return Hazard("fork-with-lock", Severity.HIGH, suspected=False, steps=(holder, asker))


def _step(names: Names, recorded: Recorded, edge: Edge) -> Step:
    python = (frame for frame in edge.stack if not frame.native and frame.instruction >= 0)
    own = (frame for frame in python if not frame.file.startswith(recorded.outside))
    return Step(
        names.name(edge.held), names.name(edge.asked), names.awaited(edge.asked),
        recorded.thread_name(edge.thread), edge.held_at, edge.stack, edge.count, edge.owed,
        next(own, None),
    )  # fmt: skip
