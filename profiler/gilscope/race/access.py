"""The accesses of a race, and where they are."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

MOST_FRAMES = 6
"""Of a stack, in the report for people."""

PLACE = re.compile(r"(.*):(\d+) in (.*)", re.DOTALL)


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

    def __str__(self) -> str:
        """Return its lines in the report for people."""
        held = f"holding {', '.join(self.locks)}" if self.locks else "holding no lock"
        what = f"{self.what} of {self.variable}" if self.variable else self.what
        lines = [f"    thread {self.thread}, {what}, {held}:"]
        lines += [f"        {place}" for place in self.stack[:MOST_FRAMES]]
        if len(self.stack) > MOST_FRAMES:
            lines.append(f"        and {len(self.stack) - MOST_FRAMES} more")
        return "\n".join(lines)

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
