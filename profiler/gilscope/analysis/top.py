"""The tables of `gilscope top`: by thread, lock, callable, source line and native function."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.rows import Groups, Label, Row, one_group, ordered, rows_of
from gilscope.analysis.span_totals import span_groups
from gilscope.analysis.stacks import located, native_function, python_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gilscope.analysis.facts import Facts
    from gilscope.analysis.stacks import Locate
    from gilscope.trace.arrays import I64

GIL = Label("GIL", "interpreter lock")


def by_thread(facts: Facts) -> list[Groups]:
    """Waits of each thread, and the waiting of others for it."""
    trace = facts.trace
    size = 1 + max((thread.index for thread in trace.threads), default=0)
    intervals = trace.intervals
    blame = facts.blame
    charged = (blame.gil_ns + blame.lock_ns).astype(np.float64)
    caused = np.bincount(blame.holder, charged, size).astype(np.int64)
    labels = {
        one.index: Label(one.name, "native" if one.native else "main" if one.main else "")
        for one in trace.threads
    }
    waits = facts.waits
    return [Groups(intervals.thread[waits], intervals.duration[waits], labels.get, size, caused)]


def by_lock(facts: Facts) -> list[Groups]:
    """Waits for each lock, and for the GIL as one more."""
    trace, intervals = facts.trace, facts.trace.intervals
    rows = facts.lock_waits
    ids, places = np.unique(intervals.what[rows], return_inverse=True)
    locks = [trace.locks[lock] for lock in ids.tolist()]

    def label(number: int) -> Label:
        return Label(locks[number].name, locks[number].kind.replace("_", " "))

    values = intervals.duration[facts.gil_wait_rows]
    group = np.zeros(len(values), np.uint8)
    gil = Groups(group, values, lambda _: GIL, 1, figures=facts.gil_waits)
    return [Groups(places, intervals.duration[rows], label, len(ids)), gil]


def by_callable(facts: Facts) -> list[Groups]:
    """Calls of each Python callable by native code; what it caused is waiting for the GIL."""
    callbacks = facts.trace.callbacks
    work = facts.callbacks
    holds = facts.wanted_holds
    groups = facts.groups_at(holds.rows)
    within = groups >= 0
    caused = np.bincount(groups[within], holds.caused_ns[within], len(work)).astype(np.int64)

    def label(number: int) -> Label:
        one = work[number]
        detail = f"called by {one.function}" if one.callable.label else ""
        return Label(one.name, detail, one.callable.file, one.callable.line)

    return [Groups(facts.group_of_callback, callbacks.duration, label, len(work), caused)]


def by_line(facts: Facts) -> list[Groups]:
    """Waits at each line of Python, and the waiting while the GIL was held at it."""
    return [_by_place(facts, python_line, facts.pieces.stack)]


def by_function(facts: Facts) -> list[Groups]:
    """Waits in each native function, and the waiting while it kept the GIL, or until it gave it up.

    The latter is all that is known of holds in which no native code was seen to keep it.
    """
    pieces = facts.pieces
    ended = facts.trace.intervals.stack[pieces.holds]
    return [_by_place(facts, native_function, np.where(pieces.native, pieces.stack, ended))]


def by_span(facts: Facts) -> list[Groups]:
    """Spans that the program named, however its threads spent them."""
    numbers, names, sizes = span_groups(facts.trace)
    durations = facts.trace.spans.duration
    return [Groups(numbers, durations, lambda n: Label(names[n]), len(names), bytes=sizes)]


TABLES: dict[str, Callable[[Facts], list[Groups]]] = {
    "thread": by_thread,
    "lock": by_lock,
    "callable": by_callable,
    "line": by_line,
    "function": by_function,
    "span": by_span,
}


def top(facts: Facts, by: str, sort: str = "total") -> list[Row]:
    """Return one table, the largest first.

    Args:
        facts: of the trace.
        by: a key of `TABLES`.
        sort: a key of `SORTS`.
    """
    return ordered((row for part in TABLES[by](facts) for row in rows_of(part)), sort)


def top_of_all(tables: Iterable[Sequence[Groups]], sort: str = "total") -> list[Row]:
    """Return one table of several traces, the largest first; what has the same name is one row.

    Args:
        tables: of each trace, what one of `TABLES` returned for it.
        sort: a key of `SORTS`.
    """
    return ordered(rows_of(one_group(part for parts in tables for part in parts)), sort)


def _by_place(facts: Facts, locate: Locate, holders: I64) -> Groups:
    """Return the groups of one table; `holders`: the stack of each piece of a hold."""
    intervals = facts.trace.intervals
    stacks = np.concatenate([intervals.stack[facts.waits], holders.astype(np.uint32)])
    groups, places = located(facts.trace, stacks, locate)
    waits, ends = np.split(groups, [len(facts.waits)])
    caused = np.bincount(ends, facts.pieces.caused_ns, len(places)).astype(np.int64)
    labels = [Label(place.name, "", place.file, place.line) for place in places]
    durations = intervals.duration[facts.waits]
    return Groups(waits, durations, labels.__getitem__, len(labels), caused)
