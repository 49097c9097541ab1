"""Threads that compute in Python, which the GIL lets do so one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.findings.model import (
    Finding,
    jumps,
    matters,
    of_run,
    share,
)
from gilscope.analysis.stacks import located, python_function
from gilscope.analysis.states.state import State
from gilscope.analysis.waits.gil_holds import SWITCH_INTERVAL_NS
from gilscope.severity import Severity
from gilscope.text import time_text
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.analysis.facts import Facts
    from gilscope.trace.arrays import I64

LEAST_FORCED = 10
"""Times that a thread was made to give the GIL up, and that it made others: ten switch intervals of
computing, in competition. A thread that does some Python now and then is never asked."""

MOST_OF_IT = 0.5
"""Share of the waiting that one function must have caused to be named."""


def computing(facts: Facts) -> Iterator[Finding]:
    """Find threads that want the GIL all the time, for Python's own code.

    Native threads are left to the rules about callbacks.
    """
    trace = facts.trace
    rows = np.flatnonzero(facts.states == State.WAITING_GIL)
    waits = trace.intervals.select(rows)
    busy = [
        one.thread
        for one in facts.starved
        if min(one.forced, one.asked) >= LEAST_FORCED
        and not trace.threads_by_index[one.thread].native
    ]
    for gil in np.unique(waits.what).tolist():
        mine = (waits.what == gil) & np.isin(waits.thread, busy)
        threads = np.unique(waits.thread[mine])
        cost = int(waits.duration[mine].sum())
        if len(threads) > 1 and matters(trace, cost):
            yield _finding(facts, threads, rows[mine], cost)


def _finding(facts: Facts, threads: I64, rows: I64, cost: int) -> Finding:
    trace, intervals = facts.trace, facts.trace.intervals
    held = np.isin(intervals.thread, threads) & (intervals.kind == Event.GIL_HOLD)
    forced = sum(one.forced for one in facts.starved if one.thread in threads)
    return Finding(
        name="gil-bound-threads",
        title=f"{len(threads)} threads compute in Python, one at a time",
        severity=Severity.MEDIUM,
        evidence=(
            f"they took turns to hold it, for {time_text(int(intervals.duration[held].sum()))}",
            f"they waited for it for {of_run(trace, cost)}",
            (
                f"{forced:,} times a thread was made to release it, because another one had waited "
                f"for the switch interval ({time_text(SWITCH_INTERVAL_NS)} by default) or longer"
            ),
            *_function(facts, threads),
        ),
        advice="More threads do not make this faster under the GIL. A free-threaded build runs "
        "them in parallel (`gilscope compare` measures the gain). So do processes, subinterpreters "
        "(gilscope.executor), and native code that releases the GIL.",
        intervals=jumps(intervals, rows, "waits for its turn"),
        cost_ns=cost,
    )


def _function(facts: Facts, threads: I64) -> Iterator[str]:
    """Yield which function they wait for, if it is mostly one."""
    trace, holds = facts.trace, facts.wanted_holds
    mine = np.isin(trace.intervals.thread[holds.rows], threads)
    of_hold, places = located(trace, trace.intervals.stack[holds.rows[mine]], python_function)
    caused = np.bincount(of_hold, holds.caused_ns[mine], len(places))
    most = int(caused.argmax()) if len(caused) else -1
    if most >= 0 and places[most].known and caused[most] >= MOST_OF_IT * caused.sum():
        part = share(float(caused[most]), float(caused.sum()))
        yield f"{part} of the waiting was caused by threads in {places[most].name}"
