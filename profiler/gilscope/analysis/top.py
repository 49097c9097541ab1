"""The tables of `gilscope top`: by thread, lock, callable, source line and native function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.grouping import Summary, summarize
from gilscope.analysis.span_totals import span_totals
from gilscope.analysis.stacks import Place, located, native_function, python_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gilscope.analysis.facts import Facts
    from gilscope.analysis.stacks import Locate
    from gilscope.trace.arrays import I64

GIL = "GIL"


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


def by_thread(facts: Facts) -> list[Row]:
    """Waits of each thread, and the waiting of others for it."""
    trace = facts.trace
    size = 1 + max((thread.index for thread in trace.threads), default=0)
    intervals = trace.intervals
    figures = summarize(intervals.thread[facts.waits], intervals.duration[facts.waits], size)
    blame = facts.blame
    charged = (blame.gil_ns + blame.lock_ns).astype(np.float64)
    caused = np.bincount(blame.holder, charged, size).astype(np.int64)
    names = {thread.index: thread for thread in trace.threads}
    return _rows(
        figures,
        caused,
        lambda index: Place(names[index].name) if index in names else None,
        lambda index: "native" if names[index].native else "main" if names[index].main else "",
    )


def by_lock(facts: Facts) -> list[Row]:
    """Waits for each lock, and for the GIL as one more."""
    trace, intervals = facts.trace, facts.trace.intervals
    rows = facts.lock_waits
    ids, places = np.unique(intervals.what[rows], return_inverse=True)
    locks = [trace.locks[lock] for lock in ids.tolist()]
    figures = summarize(places, intervals.duration[rows], len(ids))
    found = _rows(
        figures, None, lambda n: Place(locks[n].name), lambda n: locks[n].kind.replace("_", " ")
    )
    gil = _rows(facts.gil_waits, None, lambda _: Place(GIL), lambda _: "interpreter lock")
    return _ordered(found + gil)


def by_callable(facts: Facts) -> list[Row]:
    """Calls of each Python callable by native code; what it caused is waiting for the GIL."""
    callbacks = facts.trace.callbacks
    work = facts.callbacks
    figures = summarize(facts.group_of_callback, callbacks.duration, len(work))
    holds = facts.wanted_holds
    groups = facts.groups_at(holds.rows)
    within = groups >= 0
    caused = np.bincount(groups[within], holds.caused_ns[within], len(work)).astype(np.int64)
    return _rows(
        figures,
        caused,
        lambda n: Place(work[n].name, work[n].callable.file, work[n].callable.line),
        lambda n: f"called by {work[n].function}" if work[n].callable.label else "",
    )


def by_line(facts: Facts) -> list[Row]:
    """Waits at each line of Python, and the waiting while the GIL was held at it."""
    return _by_place(facts, python_line, facts.pieces.stack)


def by_function(facts: Facts) -> list[Row]:
    """Waits in each native function, and the waiting while it kept the GIL, or until it gave it up.

    The latter is all that is known of holds in which no native code was seen to keep it.
    """
    pieces = facts.pieces
    ended = facts.trace.intervals.stack[pieces.holds]
    return _by_place(facts, native_function, np.where(pieces.native, pieces.stack, ended))


def by_span(facts: Facts) -> list[Row]:
    """Spans that the program named, however its threads spent them."""
    return [
        Row(
            one.name,
            "" if one.bytes is None else f"{one.bytes:,} bytes",
            *(one.count, one.total_ns, one.p50_ns, one.p99_ns, one.max_ns),
            None,
        )
        for one in span_totals(facts.trace)
    ]


TABLES: dict[str, Callable[[Facts], list[Row]]] = {
    "thread": by_thread,
    "lock": by_lock,
    "callable": by_callable,
    "line": by_line,
    "function": by_function,
    "span": by_span,
}

SORTS: dict[str, Callable[[Row], int]] = {
    "total": lambda row: row.total_ns,
    "caused": lambda row: row.caused_ns or 0,
    "count": lambda row: row.count,
    "p50": lambda row: row.p50_ns,
    "p99": lambda row: row.p99_ns,
    "max": lambda row: row.max_ns,
}


def top(facts: Facts, by: str, sort: str = "total") -> list[Row]:
    """Return one table, the largest first.

    Args:
        facts: of the trace.
        by: a key of `TABLES`.
        sort: a key of `SORTS`.
    """
    return _ordered(TABLES[by](facts), sort)


def _by_place(facts: Facts, locate: Locate, holders: I64) -> list[Row]:
    """Return the rows of one table; `holders`: the stack of each piece of a hold."""
    intervals = facts.trace.intervals
    stacks = np.concatenate([intervals.stack[facts.waits], holders.astype(np.uint32)])
    groups, places = located(facts.trace, stacks, locate)
    waits, ends = np.split(groups, [len(facts.waits)])
    figures = summarize(waits, intervals.duration[facts.waits], len(places))
    caused = np.bincount(ends, facts.pieces.caused_ns, len(places)).astype(np.int64)
    return _rows(figures, caused, lambda n: places[n], lambda _: "")


def _rows(
    figures: Summary,
    caused: I64 | None,
    place: Callable[[int], Place | None],
    detail: Callable[[int], str],
) -> list[Row]:
    """Return a row for each group that is not empty."""
    columns = (figures.count, figures.total, figures.p50, figures.p99, figures.max)
    charged = np.zeros(len(figures), np.int64) if caused is None else caused
    found = []
    for number in np.flatnonzero((figures.count > 0) | (charged > 0)).tolist():
        where = place(number)
        if where is None:
            continue
        count, total, p50, p99, longest = (int(column[number]) for column in columns)
        blamed = None if caused is None else int(charged[number])
        found.append(
            Row(where.name, detail(number), count, total, p50, p99, longest, blamed, where.file,
                where.line)
        )  # fmt: skip
    return _ordered(found)


def _ordered(rows: Sequence[Row], sort: str = "total") -> list[Row]:
    key = SORTS[sort]
    return sorted(rows, key=lambda row: (-key(row), -row.total_ns, -(row.caused_ns or 0), row.name))
