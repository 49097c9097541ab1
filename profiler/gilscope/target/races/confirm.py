"""Makes races happen: the program runs again, once a race, and threads are held at its accesses.

A thread that is about to make the second of two accesses is held, for a limited time, until another
thread has come by with its own: what could go wrong by chance then goes wrong. What it did is said;
a race that does not happen keeps its grade.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gilscope.race import Races
from gilscope.target.again import run_again

if TYPE_CHECKING:
    from collections.abc import Callable

    from gilscope.race import CodePlace, Race
    from gilscope.target.again import Program

MOST_RACES = 20
HOLD_WORDS = "0.2 s each"


def confirm(
    program: Program,
    watch: dict[str, Any],
    found: Races,
    say: Callable[[str], None],
    ended: str | None = None,
) -> Races:
    """Return the races as they are after a further run for each of the first `MOST_RACES`.

    Args:
        program: The program.
        watch: Options of the watch.
        found: What its first run found.
        say: Takes a line about what is done next.
        ended: How the first run failed, if it did: nothing that a race has done.
    """
    limit = program.limit()
    races = list(found.races)
    for number, race in enumerate(races[:MOST_RACES]):
        if race.plans:
            say(f"confirming race {number + 1} of {len(races)}: {race.title}")
        races[number] = _confirmed(program, watch, race, limit, ended)
    for number in range(MOST_RACES, len(races)):
        races[number] = replace(
            races[number], confirmation=f"not tried: the limit is {MOST_RACES} races"
        )
    return replace(found, races=races)


def _confirmed(
    program: Program, watch: dict[str, Any], race: Race, limit: float, ended: str | None
) -> Race:
    if not race.plans:
        return replace(
            race,
            confirmation="not tried: an access is made within one call of native code or one "
            "instruction, where no thread can be held",
        )
    result, failure = _run_again(program, watch, race, limit)
    if failure:
        return replace(race, confirmation=f"not confirmed: {failure}")
    again = Races.from_message(result["races"])
    error = result.get("error")
    return _judged(race, again, error if error != ended else None)


def _judged(race: Race, again: Races, error: str | None) -> Race:
    """Say what the second run did."""
    met = [plan for plan, (_, meetings) in zip(race.plans, again.meetings, strict=True) if meetings]
    if not met:
        return replace(race, confirmation=f"not confirmed: {_why_not(race, again)}")
    hold, *others = met[0]
    held = f"a thread was held at {_place(hold)} until another one had passed {_places(others)}"
    raised = [f"raised: {line}" for line in dict.fromkeys([*again.raised, *filter(None, [error])])]
    same = [one for one in again.races if _is_same(one, race) and one.grade == "witnessed"]
    same.sort(key=lambda one: one.variable != race.variable)
    if same:
        said = "; ".join([held, *raised])
        return replace(
            race,
            grade="witnessed",
            variable=same[0].variable,  # another key, perhaps
            what_happened=same[0].what_happened,
            confirmation=f"confirmed: {said}",
        )
    if race.kind == "torn-pair":
        return replace(
            race, grade="witnessed", confirmation=f"confirmed: {held}, between its two accesses"
        )
    said = "; ".join([held, "this did no harm", *raised])
    return replace(race, confirmation=f"not confirmed: {said}")


def _why_not(race: Race, again: Races) -> str:
    times = sum(holds for holds, _ in again.meetings)
    hold, *others = race.plans[0]
    if not times:
        return f"no thread came to {_place(hold)} in the second run"
    return (
        f"a thread was held at {_place(hold)} ({times} x, {HOLD_WORDS}), and no other one came to "
        f"{_places(others)} with the same object meanwhile"
    )


def _is_same(one: Race, other: Race) -> bool:
    mine, its = (each.variable.partition("[")[0] for each in (one, other))
    return one.kind == other.kind and mine == its


def _place(place: CodePlace) -> str:
    return f"{place.file}:{place.line}"


def _places(places: list[CodePlace]) -> str:
    passed = [place for place in places if place.role.startswith("pass")]
    return " and ".join(dict.fromkeys(map(_place, passed)))


def _run_again(
    program: Program, watch: dict[str, Any], race: Race, limit: float
) -> tuple[dict[str, Any], str]:
    """Run the program once more; return its result, and why there is none if there is none."""
    plans = [
        [(p.role, p.file, p.function, p.first_line, p.offset, p.kind) for p in plan]
        for plan in race.plans
    ]
    found, ended = run_again(program, {"races": {**watch, "plans": plans}}, limit)
    if not found:
        return {}, f"the second run gave no result ({ended})"
    if "races" not in found:
        return {}, f"the second run could not be watched: {found.get('probe_error')}"
    return found, ""
