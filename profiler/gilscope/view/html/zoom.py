"""A zoom that needs no script: the timelines once more, in parts, folded until asked for."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from gilscope.view.html.markup import element, join, text
from gilscope.view.html.picture import image

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from gilscope.trace.model import Trace
    from gilscope.view.data.columns import Columns

PARTS = 4
ENOUGH = 100
"""Intervals of a trace that one picture shows as well as four."""


def zoom(
    traces: Sequence[tuple[str, Trace]],
    columns: Sequence[Columns] | None = None,
    hidden: Collection[str] = (),
) -> str:
    """Return the timelines of all (build, trace) in parts, below a line that unfolds them.

    Returns:
        HTML; nothing if there is not more to see than in one picture.
    """
    if not any(len(trace.intervals) > ENOUGH for _, trace in traces):
        return ""
    longest = max(trace.duration_ns for _, trace in traces) / 1e6
    edges = [longest * part / PARTS for part in range(PARTS + 1)]
    pictures = [image(traces, columns, hidden, span) for span in pairwise(edges)]
    summary = element("summary", text(f"Zoom: the same in {PARTS} parts"))
    return element("details", join([summary, *pictures]), "zoom")
