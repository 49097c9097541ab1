"""Threads that compute in Python, which the GIL lets do so one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.findings.in_spans import held_in
from gilscope.analysis.findings.model import (
    TO_BE_MEASURED,
    Finding,
    had_back,
    jumps,
    limit,
    matters,
    of_run,
    share,
)
from gilscope.analysis.states.state import State
from gilscope.analysis.waits.gil_holds import SWITCH_INTERVAL_NS
from gilscope.severity import Severity
from gilscope.text import time_text
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.analysis.facts import Facts
    from gilscope.trace.arrays import I32, I64, Bools

LEAST_FORCED = 5
"""Times that a thread was made to give the GIL up, and that it made others: five switch intervals
of computing, in competition. A thread that does some Python now and then is never asked."""

MOST_OF_IT = 0.5
"""Share of the waiting that one function must have caused to be named."""


LEAST_PART = 0.1
"""Of the waiting that the Python code of such threads causes, for a thread to be one of them:
others wait for the GIL as long, but what they do with it is not Python code."""


def computing(facts: Facts) -> Iterator[Finding]:
    """Find threads that want the GIL all the time, for Python's own code.

    Native threads are left to the rules about callbacks.
    """
    trace = facts.trace
    rows = np.flatnonzero(facts.states == State.WAITING_GIL)
    waits = trace.intervals.select(rows)
    native = facts.waited_for_native(rows)
    busy = [
        one.thread
        for one in facts.starved
        if min(one.forced, one.asked) >= LEAST_FORCED
        and not trace.threads_by_index[one.thread].native
    ]
    for gil in np.unique(waits.what).tolist():
        mine = (waits.what == gil) & np.isin(waits.thread, busy)
        mine &= np.isin(waits.thread, _causes(facts, waits.thread[mine]))
        threads = np.unique(waits.thread[mine])
        cost = int((waits.duration[mine] - native[mine]).sum())
        if len(threads) > 1 and matters(trace, cost):
            yield _finding(facts, threads, rows[mine], cost)


def _causes(facts: Facts, waiting: I32) -> I64:
    """Return which of these threads others wait for while they run Python code."""
    pieces = facts.pieces
    threads = facts.trace.intervals.thread[pieces.holds].astype(np.int64)
    mine = np.isin(threads, waiting) & ~pieces.native
    caused = np.bincount(threads[mine], pieces.caused_ns[mine])
    found: I64 = np.flatnonzero(caused > LEAST_PART * caused.sum())
    return found


def _finding(facts: Facts, threads: I64, rows: I64, cost: int) -> Finding:
    trace, intervals = facts.trace, facts.trace.intervals
    gained = had_back(trace, rows, cost)
    held = np.isin(intervals.thread, threads) & (intervals.kind == Event.GIL_HOLD)
    forced = sum(one.forced for one in facts.starved if one.thread in threads)
    return Finding(
        name="gil-bound-threads",
        title=f"{len(threads)} threads compute in Python, one at a time",
        severity=Severity.MEDIUM,
        evidence=(
            f"they held the GIL in turns, for {time_text(int(intervals.duration[held].sum()))}",
            f"they waited for it for {of_run(trace, cost)}",
            *limit(trace, cost, gained),
            (
                f"{forced:,} times a thread was made to release it, because another one had waited "
                f"for the switch interval ({time_text(SWITCH_INTERVAL_NS)} by default) or longer"
            ),
            *_function(facts, threads),
            *held_in(facts, _theirs(facts, threads)),
        ),
        advice="More threads do not make this faster under the GIL. A free-threaded build runs "
        f"them in parallel ({TO_BE_MEASURED}). So do processes, subinterpreters "
        "(gilscope.executor), and native code that releases the GIL.",
        intervals=jumps(intervals, rows, "waits for its turn"),
        cost_ns=gained,
    )


def _theirs(facts: Facts, threads: I64) -> Bools:
    """Return which pieces of holds are Python code of these threads, bool[n]."""
    pieces = facts.pieces
    theirs: Bools = np.isin(facts.trace.intervals.thread[pieces.holds], threads) & ~pieces.native
    return theirs


def _function(facts: Facts, threads: I64) -> Iterator[str]:
    """Yield the function that causes most of their waiting, if one function does."""
    pieces = facts.pieces
    mine = _theirs(facts, threads)
    caused = np.bincount(pieces.place[mine], pieces.caused_ns[mine], len(pieces.places))
    most = int(caused.argmax()) if len(caused) else -1
    name = pieces.places[most].function if most >= 0 else ""
    if name and caused[most] >= MOST_OF_IT * caused.sum():
        part = share(float(caused[most]), float(caused.sum()))
        yield f"{part} of the waiting was caused by threads in {name}"
