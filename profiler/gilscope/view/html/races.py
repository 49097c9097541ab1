"""The races of all builds as an HTML table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gilscope.results.races import shared_races
from gilscope.view.data.words import build_name
from gilscope.view.html.markup import element, join, text
from gilscope.view.html.race_marks import race_marks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.race import Access
    from gilscope.results.races import SharedRace, WatchedRun

HEADS = ("Race", "One thread", "Another thread", "Repair")
MOST_RACES = 40


def races(runs: Sequence[WatchedRun]) -> str:
    """Return the table, a row a race; nothing if no run was watched for races."""
    if not runs:
        return ""
    found = shared_races(runs)
    notes = join(element("p", text(note), "quiet") for note in _notes(runs))
    if not found:
        return element("p", "Races: none was found.", "quiet") + notes
    builds = [run.build for run in runs]
    titles = (*HEADS[:1], *map(build_name, builds), *HEADS[1:])
    head = "".join(f'<th scope="col">{text(title)}</th>' for title in titles)
    body = [_row(number, one, builds) for number, one in enumerate(found[:MOST_RACES], 1)]
    if (more := len(found) - MOST_RACES) > 0:
        width = len(HEADS) + len(builds)
        body.append(f'<tr><td colspan="{width}" class="quiet">and {more:,} more</td></tr>')
    inner = f"<caption>Races</caption><thead><tr>{head}</tr></thead><tbody>{join(body)}</tbody>"
    table = element("div", element("table", inner, "races"), "scroll")
    return join([table, race_marks(runs, found), notes])


def _row(number: int, one: SharedRace, builds: Sequence[str]) -> str:
    race = one.race
    others = race.accesses[-1:] if race.kind != "torn-pair" else race.accesses[2:]
    own = race.accesses[: len(race.accesses) - len(others)]
    cells = [
        f"{number}. {text(race.title)} <small>{text(race.page)}</small>",
        *(text(one.grades.get(build, "–")) for build in builds),
        "<br>".join(map(_access, own)),
        "<br>".join(map(_access, others)),
        text(race.advice),
    ]
    return element("tr", "".join(element("td", cell) for cell in cells))


def _access(access: Access) -> str:
    held = f"holding {', '.join(access.locks)}" if access.locks else "holding no lock"
    return (
        f"{text(access.thread)}: {text(access.what)} <small>{text(access.place)}, "
        f"{text(held)}</small>"
    )


def _notes(runs: Sequence[WatchedRun]) -> list[str]:
    """Return why what a run found may be less than there is."""
    notes = []
    for run in runs:
        name = build_name(run.build)
        if run.found is None:
            notes.append(f"{name}: races are not known")
        if run.error:
            notes.append(f"{name}, watched for races: the program failed: {run.error}")
        if run.invalid:
            notes.append(f"{name}, watched for races: {run.invalid}")
        if run.found is not None:
            notes += [f"{name}: not watched: {what}" for what in run.found.not_watched]
    return notes
