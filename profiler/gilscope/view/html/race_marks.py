"""When races were: the timeline of the run that was watched, with a mark at each access."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gilscope.results.races import moment, same_in_all
from gilscope.view.data import palette
from gilscope.view.data.columns import columns_of
from gilscope.view.data.rows import rows_of
from gilscope.view.data.words import build_name
from gilscope.view.html.markup import element, join, text
from gilscope.view.html.picture import BAND, HEAD, LANE, MAX_LANES, area, carried, svg

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gilscope.race import Access
    from gilscope.results.races import SharedRace, WatchedRun
    from gilscope.trace.model import Trace

RADIUS = 4
MOST_MARKED = 40  # rows of the table
NOTE = (
    "The run that was watched for races; it takes several times as long as the others. A number is "
    "a race of the table; its dots are the accesses, and a line leads from one thread's to the "
    "other's."
)
UNKNOWN = "The time of an access is known only from the second time on that its place raced."


@dataclass(frozen=True)
class Mark:
    """An access whose time and lane are known.

    Attributes:
        number: Of its race in the table, from 1 on.
        time_ns: From the trace's start.
        position: Of its thread in ``Trace.threads``.
    """

    number: int
    time_ns: int
    position: int


def marks_of(run: WatchedRun, found: Sequence[SharedRace]) -> list[Mark]:
    """Return the marks of one run; ``found`` are the races of the table, in its order."""
    numbers = {same_in_all(one.race): number for number, one in enumerate(found[:MOST_MARKED], 1)}
    return [
        mark
        for race in run.races
        if (number := numbers.get(same_in_all(race))) and run.trace is not None
        for access in race.accesses
        if (mark := _mark(run.trace, number, access)) is not None
    ]


def _mark(trace: Trace, number: int, access: Access) -> Mark | None:
    at = moment(trace, access)
    return Mark(number, *at) if at is not None else None


def race_marks(runs: Sequence[WatchedRun], found: Sequence[SharedRace]) -> str:
    """Return a picture a run that has marks; nothing if no time is known."""
    parts = []
    for run in runs:
        marks = marks_of(run, found)
        if run.trace is None or not marks:
            continue
        name = f"{build_name(run.build)}, watched for races"
        picture = _svg(run.build, run.trace, marks)
        parts.append(carried(picture, f"Timelines with the races: {name}"))
    if not parts:
        return ""
    notes = [NOTE, UNKNOWN] if _some_unknown(found) else [NOTE]
    return join([element("p", text(" ".join(notes)), "hint"), *parts])


def _some_unknown(found: Sequence[SharedRace]) -> bool:
    return any(access.time_ns is None for one in found for access in one.race.accesses)


def _svg(build: str, trace: Trace, marks: Sequence[Mark]) -> str:
    (columns,) = columns_of([trace])
    left, scale = area([(trace, columns, rows_of([trace], [columns], (), shared=False)[0])])
    lanes = {
        head.position: place
        for place, head in enumerate(columns.heads[:MAX_LANES])
        if head.position >= 0
    }
    shown = [mark for mark in marks if mark.position in lanes]
    drawn = join(_dots(shown, lanes, left, scale))
    return svg([(build, trace)], [columns], over=drawn, note=", watched for races")


def _dots(marks: Sequence[Mark], lanes: dict[int, int], left: int, scale: float) -> Iterator[str]:
    """Yield the lines and dots of each race, and its number above the topmost one."""
    for number in dict.fromkeys(mark.number for mark in marks):
        points = [
            (
                left + mark.time_ns / 1e6 * scale,
                HEAD + (lanes[mark.position] + 1) * LANE - BAND / 2 - 2,
            )
            for mark in marks
            if mark.number == number
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        yield f'<polyline points="{path}" fill="none" stroke="{palette.INK}" stroke-width="1.5"/>'
        for x, y in points:
            yield (
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS}" fill="{palette.ALARM}" '
                'stroke="white"/>'
            )
        x, y = min(points, key=lambda point: point[1])
        yield (
            f'<text x="{x:.1f}" y="{y - RADIUS - 2:.1f}" text-anchor="middle" font-weight="600" '
            f'fill="{palette.ALARM}">{number}</text>'
        )
