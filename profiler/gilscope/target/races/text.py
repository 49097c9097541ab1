"""Races as text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gilscope.race import Access, Race, Races

GRADES = {
    "witnessed": "witnessed: it went wrong in this run",
    "certain": "certain: nothing orders the threads here",
    "suspected": "suspected: only chance ordered the threads here in this run",
}
MOST_FRAMES = 6


def text(found: Races) -> str:
    """Return all races as text, with a summary line at the end."""
    parts = [*map(race_text, found.races), _summary(found)]
    return "\n\n".join(parts)


def race_text(race: Race) -> str:
    """Return one race with its accesses and its repair."""
    times = "once" if race.count == 1 else f"{race.count} times"
    lines = [
        f"race: {race.title} ({race.grade}, {times})",
        f"    {_grade(race)}",
        f"    {race.what_happened}",
    ]
    for access in race.accesses:
        lines += _access(access)
    if race.confirmation:
        lines.append(f"    {race.confirmation}")
    lines.append(f"    do: {race.advice}")
    return "\n".join(lines)


def _grade(race: Race) -> str:
    if race.confirmation.startswith("confirmed"):
        return "witnessed: it went wrong in a further run, in which threads were held"
    return GRADES[race.grade]


def _access(access: Access) -> list[str]:
    held = f"holding {', '.join(access.locks)}" if access.locks else "holding no lock"
    what = f"{access.what} of {access.variable}" if access.variable else access.what
    lines = [f"    thread {access.thread}, {what}, {held}:"]
    lines += [f"        {place}" for place in access.stack[:MOST_FRAMES]]
    if len(access.stack) > MOST_FRAMES:
        lines.append(f"        and {len(access.stack) - MOST_FRAMES} more")
    return lines


def _summary(found: Races) -> str:
    lines = [summary_line(found), *(f"not watched: {what}" for what in found.not_watched), *found.notes]
    return "\n".join(lines)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def summary_line(found: Races) -> str:
    """Return how many races there are, and what was given up."""
    count = len(found.races)
    word = "race" if count == 1 else "races"
    if (outside := found.counts.get("left_out_reports")) is not None:
        return (
            f"{count} {word} in native code; {_count(outside, 'report')} about other code left out"
        )
    variables = found.counts.get("variables", 0)
    threads = found.counts.get("threads", 0)
    line = (
        f"{count} {word}; {_count(threads, 'thread')}, {_count(variables, 'variable')} remembered"
    )
    if given_up := found.counts.get("given_up", 0) + found.counts.get("without_room", 0):
        line += (
            f"; {_count(given_up, 'variable')} dropped because the table was full (--max-variables)"
        )
    if left_out := found.counts.get("left_out", 0):
        line += f"; {_count(left_out, 'meeting')} at further places left out"
    return line
