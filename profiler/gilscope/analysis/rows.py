"""Rows of tables of waits: groups of values of one trace, or of several that are one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope.analysis.grouping import Summary, summarize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from gilscope.trace.arrays import I64


@dataclass(frozen=True, slots=True)
class Row:
    """A row: the waits of one thing, and the waits for it; times in ns.

    Attributes:
        name: for people.
        detail: kind of a lock, native function that a callable was called by, …; "" if none.
        count: waits; of a callable its calls.
        total_ns: their sum.
        p50_ns: the middle one of all.
        p99_ns: the one that 99 % do not exceed.
        max_ns: the longest one.
        caused_ns: waiting of other threads that it caused; None where that has no meaning.
        file: source file; "" if there is none or it is unknown.
        line: in that file; 0 if unknown.
    """

    name: str
    detail: str
    count: int
    total_ns: int
    p50_ns: int
    p99_ns: int
    max_ns: int
    caused_ns: int | None = None
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Label:
    """What a row is of; rows of several traces with the same label are one row.

    Attributes:
        name: as `Row.name`.
        detail: as `Row.detail`.
        file: as `Row.file`.
        line: as `Row.line`.
    """

    name: str
    detail: str = ""
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Values of one trace in k groups.

    Attributes:
        numbers: [n], the group of each value.
        values: i64[n], ns, not negative.
        label: what a group is of; None: it has no row.
        size: k.
        caused: i64[k], as `Row.caused_ns`; None where that has no meaning.
        bytes: of each group a number of bytes, None if it is unknown; empty: there are none.
        figures: of the groups, if they have been worked out.
    """

    numbers: NDArray[np.integer[Any]]
    values: I64
    label: Callable[[int], Label | None]
    size: int
    caused: I64 | None = None
    bytes: Sequence[int | None] = ()
    figures: Summary | None = None


SORTS: dict[str, Callable[[Row], int]] = {
    "total": lambda row: row.total_ns,
    "caused": lambda row: row.caused_ns or 0,
    "count": lambda row: row.count,
    "p50": lambda row: row.p50_ns,
    "p99": lambda row: row.p99_ns,
    "max": lambda row: row.max_ns,
}


def rows_of(groups: Groups) -> list[Row]:
    """Return a row for each group that is not empty."""
    figures = groups.figures or summarize(groups.numbers, groups.values, groups.size)
    columns = (figures.count, figures.total, figures.p50, figures.p99, figures.max)
    charged = np.zeros(groups.size, np.int64) if groups.caused is None else groups.caused
    found = []
    for number in np.flatnonzero((figures.count > 0) | (charged > 0)).tolist():
        label = groups.label(number)
        if label is None:
            continue
        blamed = None if groups.caused is None else int(charged[number])
        size = groups.bytes[number] if groups.bytes else None
        detail = label.detail if size is None else f"{size:,} bytes"
        times = [int(column[number]) for column in columns]
        count, total, p50, p99, longest = times
        found.append(
            Row(label.name, detail, count, total, p50, p99, longest, blamed, label.file, label.line)
        )
    return found


def one_group(parts: Iterable[Groups]) -> Groups:
    """Return groups of several traces as one; those with the same label are one group."""
    numbers: dict[Label, int] = {}
    caused: list[int] = []
    sizes: list[int | None] = []
    columns: list[tuple[I64, I64]] = []
    known = False
    for part in parts:
        known = known or part.caused is not None
        places = np.full(part.size, -1, np.int64)
        used = np.bincount(part.numbers, minlength=part.size) > 0
        for group in np.flatnonzero(used if part.caused is None else used | (part.caused > 0)):
            label = part.label(int(group))
            if label is None:
                continue
            place = places[group] = numbers.setdefault(label, len(numbers))
            if place == len(caused):
                caused.append(0)
                sizes.append(None)
            caused[place] += 0 if part.caused is None else int(part.caused[group])
            size = part.bytes[int(group)] if part.bytes else None
            if size is not None:
                sizes[place] = (sizes[place] or 0) + size
        rows = places[part.numbers]
        kept = rows >= 0
        columns.append((rows[kept], part.values[kept]))
    labels = list(numbers)
    rows, values = (np.concatenate(c) for c in zip(*columns, strict=True)) if columns else _NONE
    return Groups(
        rows, values, labels.__getitem__, len(labels),
        np.array(caused, np.int64) if known else None, sizes,
    )  # fmt: skip


_NONE = np.zeros(0, np.int64), np.zeros(0, np.int64)


def ordered(rows: Iterable[Row], sort: str = "total") -> list[Row]:
    """Return the rows, the largest first.

    Args:
        rows: of one table.
        sort: a key of `SORTS`.
    """
    key = SORTS[sort]
    return sorted(rows, key=lambda row: (-key(row), -row.total_ns, -(row.caused_ns or 0), row.name))
