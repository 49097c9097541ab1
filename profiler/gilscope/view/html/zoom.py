"""A zoom that needs no script: the worst moment, larger from picture to picture, folded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gilscope.text import time_text
from gilscope.trace.format import Event
from gilscope.view.html.markup import element, join, text
from gilscope.view.html.picture import image

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gilscope.results.model import ComparisonData
    from gilscope.trace.model import Trace
    from gilscope.view.data.columns import Columns

WAITS = (Event.GIL_WAIT, Event.LOCK_WAIT)
STEP = 10  # how much larger each picture is than the one before
MOST = 2  # pictures
ENOUGH = 100
"""Intervals that one picture shows as well as a larger one."""
AROUND = 4  # of the moment, at the least that is shown, in its own lengths
ROOM = 12_000  # characters that all pictures but the first one may make it
BUDGET = 5_500  # characters of a picture, as far as fewer columns of pixels can keep it there


def zoom(comparison: ComparisonData, columns: Sequence[Columns] | None = None) -> str:
    """Return the timelines of all traces around the worst moment, below a line that unfolds them.

    That moment is the first one of the first finding that has any; without one, the longest wait.

    Args:
        comparison: What is shown.
        columns: Of its traces, where they are there already.

    Returns:
        HTML; nothing if there is not more to see than in one picture.
    """
    traces = comparison.traces()
    found = _worst(comparison)
    if found is None:
        return ""
    pictures: list[str] = []
    says: list[str] = []
    for begin, end in _spans(found, [trace for _, trace in traces]):
        picture = image(traces, columns, comparison.hidden, (begin / 1e6, end / 1e6), BUDGET)
        if pictures and sum(map(len, [*pictures, picture])) > ROOM:
            break
        pictures.append(picture)
        says.append(time_text(end - begin))
    if not pictures:
        return ""
    name, _, _ = found
    summary = element("summary", text(f"Zoom: {' and '.join(says)} around {name}"))
    return element("details", join([summary, *pictures]), "zoom")


def _worst(comparison: ComparisonData) -> tuple[str, int, int] | None:
    """Return what the moment is called, its start and its end, ns."""
    for _, finding in comparison.findings:
        for moment in finding.intervals[:1]:
            return f"the worst moment of “{finding.title}”", moment.start_ns, moment.end_ns
    longest: tuple[str, int, int] | None = None
    for _, trace in comparison.traces():
        one = trace.intervals
        took = np.where(np.isin(one.kind, WAITS), one.duration, -1)
        at = int(np.argmax(took)) if len(took) else 0
        if len(took) and took[at] > (longest[2] - longest[1] if longest else -1):
            longest = "the longest wait", int(one.start[at]), int(one.end[at])
    return longest


def _spans(found: tuple[str, int, int], traces: Sequence[Trace]) -> Iterator[tuple[int, int]]:
    """Yield what each picture shows, (start, end) in ns: in steps, down to what is worth it."""
    _, start, end = found
    longest = max(trace.duration_ns for trace in traces)
    before = 0, longest
    for step in range(1, MOST + 1):
        if not any(len(trace.intervals.between(*before)) > ENOUGH for trace in traces):
            return
        width = max(longest // STEP**step, AROUND * (end - start))
        if width > (before[1] - before[0]) // 2:
            return
        begin = min(max(0, (start + end - width) // 2), longest - width)
        before = begin, begin + width
        yield before
