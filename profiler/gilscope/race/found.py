"""All races of a watch, as data and as text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gilscope.race.race import GRADES, Race

DEFAULT_MAX_VARIABLES = 4_000_000
"""The most variables that a watch remembers."""


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


@dataclass
class Races:
    """What one watch found; ``with gilscope.races() as found`` fills it when the block ends.

    Attributes:
        races: The worst first.
        counts: ``variables`` and ``threads`` seen, variables ``given_up`` for want of room, and
            what else could not be kept.
        not_watched: What could not be watched, and why.
        notes: What the run could not show, and why.
        ended_by: The exception that ended the program; empty if none did.
        meetings: Of each plan of a run that makes races happen: how often a thread was held, and
            how often another one came by meanwhile.
        raised: Exceptions that ended threads of such a run, a line each.
    """

    races: list[Race] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    not_watched: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    ended_by: str = ""
    meetings: list[tuple[int, int]] = field(default_factory=list)
    raised: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Return the report for people, with a summary line at the end."""
        not_watched = (f"not watched: {what}" for what in self.not_watched)
        summary = "\n".join([self.summary_line, *not_watched, *self.notes])
        return "\n\n".join([*map(str, self.races), summary])

    @property
    def summary_line(self) -> str:
        """How many races there are, and what was given up."""
        count = len(self.races)
        word = "race" if count == 1 else "races"
        if (outside := self.counts.get("left_out_reports")) is not None:
            reports = _count(outside, "report")
            return f"{count} {word} in native code; {reports} about other code left out"
        threads = self.counts.get("threads", 0)
        if not count and (threads == 1 or (self.ended_by and not threads)):
            when = f" before it ended by {self.ended_by}" if self.ended_by else ""
            return f"no second thread ran in this program{when}: there is nothing that could race"
        variables = _count(self.counts.get("variables", 0), "variable")
        line = f"{count} {word}; {_count(threads, 'thread')}, {variables} remembered"
        if given_up := self.counts.get("given_up", 0) + self.counts.get("without_room", 0):
            dropped = _count(given_up, "variable")
            line += f"; {dropped} dropped because the table was full (--max-variables)"
        if left_out := self.counts.get("left_out", 0):
            line += f"; {_count(left_out, 'meeting')} at further places left out"
        return line

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
        return cls(
            races=list(map(Race.from_message, data["races"])),
            counts=data["counts"],
            not_watched=data["not_watched"],
            notes=data["notes"],
            meetings=[(held, met) for held, met in data["meetings"]],
            raised=data["raised"],
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
