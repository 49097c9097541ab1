"""Races as data: text, JSON and findings are made from these. Standard library only."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from gilscope import identity
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

PLACE = re.compile(r"(.*):(\d+) in (.*)", re.DOTALL)

DEFAULT_MAX_VARIABLES = 4_000_000
"""The most variables that a watch remembers."""


@dataclass(frozen=True)
class Place:
    """A line of the program.

    Attributes:
        file: Path of the source file.
        line: From 1 on; 0 unknown.
        function: Qualified name.
    """

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        """Return it as the JSON object of reports."""
        return f"{self.file}:{self.line} in {self.function}"

    @classmethod
    def parse(cls, text: str) -> Place:
        """Return the place that `str` gave this text for."""
        found = PLACE.fullmatch(text)
        return cls(found[1], int(found[2]), found[3]) if found else cls(text, 0, "")


@dataclass(frozen=True)
class Access:
    """What one thread did to the variable.

    Attributes:
        thread: The thread's name.
        write: Whether it wrote.
        what: Its kind in a word or two: "read", "iteration", "write", "append" and so on.
        stack: Where, the innermost place first; at least one.
        locks: Names of the locks that the thread held.
        variable: Which of the two of a torn pair; else empty.
        time_ns: When, on CLOCK_MONOTONIC; None if that is not known: times are taken only when the
            place is known for a race.
        tid: The kernel's number of the thread; 0 unknown.
    """

    thread: str
    write: bool
    what: str
    stack: tuple[Place, ...]
    locks: tuple[str, ...]
    variable: str = ""
    time_ns: int | None = field(default=None, compare=False)
    tid: int = field(default=0, compare=False)

    @property
    def place(self) -> Place:
        """Where it was done."""
        return self.stack[0]

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "thread": self.thread,
            "file": self.place.file,
            "line": self.place.line,
            "write": self.write,
            "locks": list(self.locks),
            "stack": [str(place) for place in self.stack],
            **({"variable": self.variable} if self.variable else {}),
        }

    def as_message(self) -> dict[str, Any]:
        """Return it as data for another process of gilscope."""
        return {**self.as_json(), "what": self.what, "time_ns": self.time_ns, "tid": self.tid}

    @classmethod
    def from_message(cls, data: dict[str, Any]) -> Access:
        """Return the access that `as_message` gave this for."""
        stack, locks = tuple(map(Place.parse, data["stack"])), tuple(data["locks"])
        when = data["time_ns"], data["tid"]
        variable = data.get("variable", "")
        return cls(data["thread"], data["write"], data["what"], stack, locks, variable, *when)


@dataclass(frozen=True)
class CodePlace:
    """An instruction, as it is known in any run of the program.

    Attributes:
        role: ``hold``: a thread is held there; ``pass``, and ``pass-too`` for the second of two:
            what it is held for. ``hold-at-lock``: it is held before it takes a lock, if it has been
            at ``first`` before; ``wait-at-lock``: the other thread waits there until it is held.
        file: Path of the source file.
        function: Qualified name.
        first_line: Of the function.
        offset: In its bytecode, in bytes.
        kind: Of the variable: an attribute, a key and so on; 0 for anything.
        line: From 1 on.
    """

    role: str
    file: str
    function: str
    first_line: int
    offset: int
    kind: int
    line: int


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


@dataclass
class Races:
    """What one watch found; ``with gilscope.races() as found`` fills it when the block ends.

    Attributes:
        races: The worst first.
        counts: ``variables`` and ``threads`` seen, variables ``given_up`` for want of room, and
            what else could not be kept.
        not_watched: What could not be watched, and why.
        notes: What the run could not show, and why.
        meetings: Of each plan of a run that makes races happen: how often a thread was held, and
            how often another one came by meanwhile.
        raised: Exceptions that ended threads of such a run, a line each.
    """

    races: list[Race] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    not_watched: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    meetings: list[tuple[int, int]] = field(default_factory=list)
    raised: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {"races": [race.as_json() for race in self.races]}

    def as_message(self) -> dict[str, Any]:
        """Return it as data for another process of gilscope."""
        return {
            "races": [race.as_message() for race in self.races],
            "counts": self.counts,
            "not_watched": self.not_watched,
            "notes": self.notes,
            "meetings": self.meetings,
            "raised": self.raised,
        }

    @classmethod
    def from_message(cls, data: dict[str, Any]) -> Races:
        """Return what `as_message` gave this for."""
        races = list(map(Race.from_message, data["races"]))
        meetings = [(held, met) for held, met in data["meetings"]]
        return cls(
            races, data["counts"], data["not_watched"], data["notes"], meetings, data["raised"]
        )

    def worst(self) -> str | None:
        """Return the best-proved grade of all races; None if there is none."""
        return max((race.grade for race in self.races), key=GRADES.index, default=None)

    def __iter__(self) -> Any:
        """Iterate over the races."""
        return iter(self.races)

    def __len__(self) -> int:
        """Return how many races there are."""
        return len(self.races)
