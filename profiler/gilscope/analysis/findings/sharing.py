"""Objects that threads slow each other down with, although they wait for no lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.findings.model import MOST_JUMPS, Finding, Jump, matters
from gilscope.analysis.grouping import order_by
from gilscope.severity import Severity
from gilscope.text import time_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.analysis.callbacks.callback_nesting import CallbackWork
    from gilscope.analysis.facts import Facts
    from gilscope.trace.arrays import I64, Bools

LEAST_CALLS = 100
"""Calls alone and calls together: fewer have no reliable median."""

SLOWER = 1.5
"""Times as long with others as alone. Shared caches and a processor's clock that sinks under load
make it 1.1 to 1.3; counting references to one object from two processors 2 and more."""


def refcounts(facts: Facts) -> Iterator[Finding]:
    """Find callables that take longer while other threads call them, with no lock to blame."""
    trace = facts.trace
    if not trace.free_threaded or trace.gil_enabled_end:
        return
    for work in facts.callbacks:
        if work.threads < 2 or not work.callable.label:  # noqa: PLR2004 - they share something
            continue
        spent = _without_waits(facts, work)
        together = _together(facts, work)
        if min(together.sum(), (~together).sum()) < LEAST_CALLS:
            continue
        alone, shared = (float(np.median(spent[rows])) for rows in (~together, together))
        cost = int((shared - alone) * together.sum())
        if shared < SLOWER * max(alone, 1.0) or not matters(trace, cost):
            continue
        yield Finding(
            name="refcount-hot-object",
            title=f"{work.name} takes {shared / alone:.1f} times as long while others call it",
            severity=Severity.LOW,
            evidence=(
                (
                    f"median of {int((~together).sum()):,} calls alone: {time_text(alone)}; of "
                    f"{int(together.sum()):,} while another thread ran it: {time_text(shared)}"
                ),
                "these times exclude waits for locks",
                (
                    "suspected: threads that count references to one object wait for its cache "
                    "line; more threads than processors, or saturated memory, look the same"
                ),
            ),
            advice="Give each thread an object or bound method of its own, and keep shared objects "
            "in local variables, outside of loops.",
            intervals=_slowest(facts, work.rows[together]),
            cost_ns=cost,
            suspected=True,
        )


def _slowest(facts: Facts, rows: I64) -> tuple[Jump, ...]:
    """Return the longest of these calls as places to look at."""
    callbacks = facts.trace.callbacks
    some = rows[np.argsort(-callbacks.duration[rows], kind="stable")[:MOST_JUMPS]]
    columns = (callbacks.thread[some], callbacks.start[some], callbacks.end[some])
    places = zip(*(column.tolist() for column in columns), strict=True)
    return tuple(
        Jump(thread, start, end, "slow while other threads run it") for thread, start, end in places
    )


def _without_waits(facts: Facts, work: CallbackWork) -> I64:
    """Return how long each call took, without getting in and without waits for locks, ns."""
    callbacks = facts.trace.callbacks
    spent = callbacks.duration[work.rows] - callbacks.enter_ns[work.rows]
    return spent - facts.lock_waits_inside[work.rows]


def _together(facts: Facts, work: CallbackWork) -> Bools:
    """Return the calls during which another thread was in one, bool[n]."""
    callbacks = facts.trace.callbacks
    starts, ends = callbacks.start[work.rows], callbacks.end[work.rows]
    threads = callbacks.thread[work.rows]
    begun = np.searchsorted(np.sort(starts), ends)
    over = np.searchsorted(np.sort(ends), starts, "right")
    others = begun - over
    # Its own thread's, one after another but for those inside each other, do not count.
    for rows in _parts(threads):
        begun = np.searchsorted(np.sort(starts[rows]), ends[rows])
        over = np.searchsorted(np.sort(ends[rows]), starts[rows], "right")
        others[rows] -= begun - over
    together: Bools = others > 0
    return together


def _parts(threads: np.ndarray[tuple[int], np.dtype[np.int32]]) -> list[I64]:
    """Return the rows of each thread."""
    order = order_by(threads)
    return np.split(order, np.flatnonzero(np.diff(threads[order])) + 1)
