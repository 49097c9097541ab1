"""Hazards as data: what each thread does in them, and the repair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gilscope import identity
from gilscope.analysis.order.naming import SECTION

if TYPE_CHECKING:
    from gilscope.analysis.order.recorded import Frame
    from gilscope.severity import Severity

HAZARDS = (
    "lock-order", "gil-order", "wait-with-lock", "join-with-lock", "queue-with-lock",
    "fork-with-lock",
)  # fmt: skip
"""Kinds of hazards. One more has the name of a finding: ``native-thread-at-exit``."""


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
        part: Where a fork or the end of the interpreter is in it: what the thread or the child
            does, without the subject; else empty.
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
        kind: One of `HAZARDS`, or ``native-thread-at-exit``.
        severity: By what it takes to strike.
        suspected: Whether these very locks were not seen together, but others of the same places.
        steps: In the order in which it closes: each thread asks for what the next one holds.
        confirmation: What a further run did to make it strike; empty if there was none.
        doubt: Why it is only suspected, where the steps do not say it.
    """

    kind: str
    severity: Severity
    suspected: bool
    steps: tuple[Step, ...]
    confirmation: str = ""
    doubt: str = ""

    @property
    def reservation(self) -> str:
        """Why it is only suspected, as a sentence; empty if it is not."""
        if not self.suspected or self.doubt:
            return self.doubt
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
            "id": self.id,
            "severity": str(self.severity),
            "suspected": self.suspected,
            "locks": [step.held for step in self.steps],
            "edges": [step.as_json() for step in self.steps],
            "advice": self.advice,
            **({"confirmation": self.confirmation} if self.confirmation else {}),
        }

    @property
    def id(self) -> str:
        """The same in each run that has this hazard, also when lines have moved."""
        asked = [step.place for step in self.steps]
        places = [(place.file, place.function) for place in asked if place is not None]
        return identity.of_hazard(self.kind, (step.held for step in self.steps), places)

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
        if self.kind == "native-thread-at-exit":
            return f"{self.steps[-1].thread} still calls Python when the interpreter ends"
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
        if self.kind == "native-thread-at-exit":
            return (
                "Python 3.13 ends a thread within such a call, which aborts C++; later ones never "
                "let it return. Stop and join it in a function that is registered with atexit when "
                "it is started, and let the GIL go while joining."
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
