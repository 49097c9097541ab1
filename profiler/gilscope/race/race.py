"""One race as data and as text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gilscope import identity
from gilscope.race.access import Access, CodePlace
from gilscope.severity import Severity

GRADES = ("suspected", "certain", "witnessed")

SEVERITIES = {
    "witnessed": Severity.HIGH,
    "certain": Severity.MEDIUM,
    "suspected": Severity.LOW,
}
"""How much a race of each grade matters, where it stands among other findings."""

TITLES = {
    "lost-update": "lost update",
    "check-then-act": "check, then act",
    "iteration": "changed during iteration",
    "torn-pair": "torn pair",
    "publication": "unordered publication",
    "native-race": "data race in native code",
}
"""The title of each class."""

GRADE_WORDS = {
    "witnessed": "witnessed: it went wrong in this run",
    "certain": "certain: nothing orders the threads here",
    "suspected": "suspected: only chance ordered the threads here in this run",
}


@dataclass(frozen=True)
class Race:
    """One race.

    Attributes:
        kind: A key of `TITLES`.
        grade: One of `GRADES`.
        variable: What the program calls it.
        accesses: The first thread's, in order, then the other thread's. Of an iteration, each other
            kind of change of what is gone over.
        count: How many executions of the later access were not ordered with another thread's
            access, each once. Of a race that was met at several instructions, or by several ways
            through the program, those of the most frequent.
        what_happened: What came of it in this run, or can come of it.
        advice: The repair.
        plans: How a second run can make it happen, see `gilscope.target.races.confirm`: each a list
            of places.
        confirmation: What the second run did; empty if there was none.
    """

    kind: str
    grade: str
    variable: str
    accesses: tuple[Access, ...]
    count: int
    what_happened: str
    advice: str
    plans: tuple[tuple[CodePlace, ...], ...] = field(default=(), repr=False, compare=False)
    confirmation: str = ""

    def __str__(self) -> str:
        """Return its part of the report for people, with its accesses and its repair."""
        times = "once" if self.count == 1 else f"{self.count} times"
        lines = [
            f"race: {self.title} ({self.grade}, {times})",
            f"    {self._proof()}",
            f"    {self.what_happened}",
            *map(str, self.accesses),
        ]
        if self.confirmation:
            lines.append(f"    {self.confirmation}")
        lines += [f"    do: {self.advice}", f"    see: gilscope explain {self.kind}"]
        return "\n".join(lines)

    def _proof(self) -> str:
        if self.confirmation.startswith("confirmed"):
            return "witnessed: it went wrong in a further run, in which threads were held"
        return GRADE_WORDS[self.grade]

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "class": self.kind,
            "id": self.id,
            "grade": self.grade,
            "variable": self.variable,
            "accesses": [access.as_json() for access in self.accesses],
            "count": self.count,
            "what_happened": self.what_happened,
            "advice": self.advice,
            **({"confirmation": self.confirmation} if self.confirmation else {}),
        }

    @property
    def id(self) -> str:
        """The same in each run that has this race, also when lines have moved."""
        # What changes it during an iteration is not the same in each run.
        shown = self.accesses[:1] if self.kind == "iteration" else self.accesses
        places = [(one.place.file, one.place.function) for one in shown]
        return identity.of_race(self.kind, self.variable, places)

    @property
    def severity(self) -> Severity:
        """How much it matters, by its grade."""
        return SEVERITIES[self.grade]

    @property
    def title(self) -> str:
        """What it is called, and of which variable."""
        shared = all(access.what == "next item" for access in self.accesses)
        return f"{'shared iterator' if shared else TITLES[self.kind]} on {self.variable}"

    @property
    def page(self) -> str:
        """The page that shows a minimal example and its repair."""
        return f"docs/findings/{self.kind}.md"

    def as_message(self) -> dict[str, Any]:
        """Return it as data for another process of gilscope."""
        return {**self.as_json(), "accesses": [access.as_message() for access in self.accesses]}

    @classmethod
    def from_message(cls, data: dict[str, Any]) -> Race:
        """Return the race that `as_message` gave this for."""
        accesses = tuple(map(Access.from_message, data["accesses"]))
        return cls(
            data["class"], data["grade"], data["variable"], accesses, data["count"],
            data["what_happened"], data["advice"],
        )  # fmt: skip
