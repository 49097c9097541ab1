"""Spans by what the program calls them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.grouping import summarize

if TYPE_CHECKING:
    from gilscope.trace.arrays import I64
    from gilscope.trace.model import Trace

UNNAMED = "(no name)"


@dataclass(frozen=True, slots=True)
class SpanTotals:
    """All spans of one name, of all threads; spans of one name may nest.

    Attributes:
        name: what the program calls them.
        count: how many.
        total_ns: their sum, ns.
        p50_ns: the middle one, ns.
        p99_ns: 99 of 100 are no longer, ns.
        max_ns: the longest one, ns.
        bytes: the sum of those of which a number is known; None if that is none.
    """

    name: str
    count: int
    total_ns: int
    p50_ns: int
    p99_ns: int
    max_ns: int
    bytes: int | None


def span_groups(trace: Trace) -> tuple[I64, list[str], list[int | None]]:
    """Return the spans in groups, one a name.

    Returns:
        The group of each span, i64[n]; what the groups are called; of each the sum of the numbers
        of bytes that are known, None if that is none.
    """
    spans = trace.spans
    numbers, rows_of = np.unique(spans.name, return_inverse=True)
    # A merged trace has the same text once a process.
    texts = [spans.names.get(number) or UNNAMED for number in numbers.tolist()]
    names = list(dict.fromkeys(texts))
    place = {name: number for number, name in enumerate(names)}
    places = np.array([place[text] for text in texts], np.int64)[rows_of]
    known = spans.bytes >= 0
    # Numbers of bytes may add up to more than a float has digits for.
    sizes = np.zeros(len(names), np.int64)
    np.add.at(sizes, places[known], spans.bytes[known])
    sized = np.bincount(places[known], minlength=len(names))
    sums = zip(sizes.tolist(), sized.tolist(), strict=True)
    return places, names, [size if has else None for size, has in sums]


def span_totals(trace: Trace) -> list[SpanTotals]:
    """Totals by name, the longest in all first."""
    places, names, sizes = span_groups(trace)
    figures = summarize(places, trace.spans.duration, len(names))
    columns = (figures.count, figures.total, figures.p50, figures.p99, figures.max)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    found = [
        SpanTotals(*(name, *row, size)) for name, row, size in zip(names, rows, sizes, strict=True)
    ]
    return sorted(found, key=lambda one: (-one.total_ns, one.name))
