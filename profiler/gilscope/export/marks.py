"""Marks on the tracks of threads: the accesses of races, with an arrow from one to the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gilscope.results.races import moment

if TYPE_CHECKING:
    from gilscope.results.races import WatchedRun

FIRST_ARROW = 1 << 60
"""Above the number of any other arrow of an export."""


@dataclass(frozen=True, slots=True)
class Mark:
    """An access of a race.

    Attributes:
        time_ns: From the trace's start.
        thread: Its index.
        name: Of the race, and what the thread did.
        place: Where, with the locks that it held.
        race: Number of the race in its run; an arrow joins all marks of one.
    """

    time_ns: int
    thread: int
    name: str
    place: str
    race: int


def race_marks(run: WatchedRun) -> list[Mark]:
    """Return the accesses of a watched run whose time is known, in the order of time."""
    trace = run.trace
    if trace is None:
        return []
    marks = []
    for number, race in enumerate(run.races):
        for access in race.accesses:
            at = moment(trace, access)
            if at is not None:
                held = f"holding {', '.join(access.locks)}" if access.locks else "holding no lock"
                name = f"race: {race.title}: {access.what}"
                thread = trace.threads[at[1]].index
                marks.append(Mark(at[0], thread, name, f"{access.place}, {held}", number))
    return sorted(marks, key=lambda mark: mark.time_ns)
