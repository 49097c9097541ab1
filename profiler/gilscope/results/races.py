"""The races of the same code under several builds: what both found, what only one did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gilscope.analysis.findings import Finding
from gilscope.race import GRADES, Race

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.race import Access, Races
    from gilscope.trace.model import Trace

MOST_FRAMES = 3


@dataclass(frozen=True)
class WatchedRun:
    """The run of a build that was watched for races.

    Attributes:
        build: A key of ``config.BUILDS``.
        found: What was found; None if the run did not come to its end.
        error: One line if the program failed or could not be watched.
        invalid: Why the run does not stand for its build; None if it does.
        trace: Of the same run, to show when its races were; None if it was not recorded.
    """

    build: str
    found: Races | None
    error: str | None = None
    invalid: str | None = None
    trace: Trace | None = None

    @property
    def races(self) -> Sequence[Race]:
        """Its races, the worst first."""
        return self.found.races if self.found is not None else ()


@dataclass(frozen=True)
class SharedRace:
    """A race, and the builds whose runs found it.

    Attributes:
        race: As the first of these builds found it.
        grades: Its grade by build, in the order of the runs.
    """

    race: Race
    grades: dict[str, str]


def shared_races(runs: Sequence[WatchedRun]) -> list[SharedRace]:
    """Return every race once, the best-proved ones first, of these those of most builds.

    Two runs found the same race if its class and its variable are the same.
    """
    found: dict[tuple[str, str], SharedRace] = {}
    for run in runs:
        for race in run.races:
            known = found.setdefault(same_in_all(race), SharedRace(race, {}))
            before = known.grades.get(run.build, race.grade)
            known.grades[run.build] = max(before, race.grade, key=GRADES.index)
    return sorted(found.values(), key=_order)


def same_in_all(race: Race) -> tuple[str, str]:
    """Return what tells races apart: indices and keys of a container do not."""
    return race.kind, race.variable.partition("[")[0]


def moment(trace: Trace, access: Access) -> tuple[int, int] | None:
    """Return when an access was in ns from the trace's start, and its thread's position in it.

    None if its time is not known, or its thread is not in the trace.
    """
    if access.time_ns is None:
        return None
    time = access.time_ns - trace.start_monotonic_ns
    if not 0 <= time <= trace.duration_ns:
        return None
    for position, thread in enumerate(trace.threads):
        if thread.tid == access.tid and thread.start_ns <= time <= thread.end_ns:
            return time, position
    return None


def _order(one: SharedRace) -> tuple[int, int]:
    return -max(map(GRADES.index, one.grades.values())), -len(one.grades)


def as_finding(race: Race) -> Finding:
    """Return a race as one of the findings of its run."""
    times = "once" if race.count == 1 else f"{race.count:,} times"
    return Finding(
        name=race.kind,
        title=f"race: {race.title}",
        severity=race.severity,
        evidence=(
            f"{race.grade}, {times}: {race.what_happened}",
            *(_access(access) for access in race.accesses),
        ),
        advice=race.advice,
        suspected=race.grade == "suspected",
    )


def _access(access: Access) -> str:
    held = f"holding {', '.join(access.locks)}" if access.locks else "holding no lock"
    places = ", called at ".join(map(str, access.stack[:MOST_FRAMES]))
    return f"thread {access.thread}, {access.what}, {held}: {places}"


def races_summary(runs: Sequence[WatchedRun]) -> dict[str, Any]:
    """Return the races as the JSON object that docs/summary.md describes."""
    return {
        "runs": [
            {
                "build": run.build,
                "error": run.error,
                "invalid": run.invalid,
                "counts": run.found.counts if run.found is not None else None,
                "not_watched": run.found.not_watched if run.found is not None else [],
                "races": [race.as_json() for race in run.races],
            }
            for run in runs
        ],
        "compared": [
            {"class": one.race.kind, "variable": one.race.variable, "grades": one.grades}
            for one in shared_races(runs)
        ],
    }
