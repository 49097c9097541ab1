"""Threads that do not stop when all are to stop, for which all others wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.findings.late_hold import LEAST_HOLDS, LONG_NS
from gilscope.analysis.findings.model import (
    MOST_JUMPS,
    Finding,
    Jump,
    had_back,
    limit,
    matters,
    of_run,
    share,
)
from gilscope.analysis.findings.native_hold import RELEASE
from gilscope.analysis.stacks import located, program_line
from gilscope.analysis.states.state import State
from gilscope.severity import Severity
from gilscope.text import count_text, time_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.analysis.facts import Facts
    from gilscope.trace.arrays import Bools


def late_stop(facts: Facts) -> Iterator[Finding]:
    """Find threads that all others wait for when all are to stop."""
    stops = facts.late_stops
    for thread in np.unique(stops.thread).tolist():
        mine = stops.thread == thread
        longest = int((stops.ends - stops.starts)[mine].max())
        enough = int(mine.sum()) >= LEAST_HOLDS or longest >= LONG_NS
        if enough and matters(facts.trace, int(stops.ns[mine].sum())):
            yield _finding(facts, mine)


def _line(facts: Facts, mine: Bools) -> str:
    """Return where the thread stopped, for most of the waiting; "" if that is not known."""
    stops = facts.late_stops
    stacks = stops.stack[mine].astype(np.uint32)
    numbers, places = located(facts.trace, stacks, program_line)
    cost = np.bincount(numbers, stops.ns[mine], len(places))
    known = [number for number, place in enumerate(places) if place.known]
    return places[max(known, key=lambda number: cost[number])].name if known else ""


def _finding(facts: Facts, mine: Bools) -> Finding:
    trace, stops = facts.trace, facts.late_stops
    name = trace.thread_name(int(stops.thread[mine][0]))
    lasted = np.sort((stops.ends - stops.starts)[mine])
    cost, total = int(stops.ns[mine].sum()), int(facts.stopped_ns)
    gained = had_back(trace, np.flatnonzero(facts.states == State.STOPPED_WORLD), cost)
    line = _line(facts, mine)
    where = f" ({line})" if line else ""
    typical = time_text(int(lasted[len(lasted) // 2]))
    return Finding(
        name="stop-the-world-storm",
        title=f"thread {name}{where} stops {typical} after it was asked to, and all others wait: "
        f"{share(cost, total)} of all waiting in pauses",
        severity=Severity.MEDIUM,
        evidence=(
            (
                f"{count_text(len(lasted), 'time')} it was the last one to stop, up to "
                f"{time_text(int(lasted[-1]))} late; Python code stops in microseconds"
            ),
            f"others waited meanwhile: {of_run(trace, cost)}",
            *limit(trace, cost, gained),
        ),
        advice=f"If that line calls native code, this stays attached there. {RELEASE}",
        intervals=_intervals(facts, mine),
        cost_ns=gained,
    )


def _intervals(facts: Facts, mine: Bools) -> tuple[Jump, ...]:
    stops = facts.late_stops
    rows = np.flatnonzero(mine)
    columns = (stops.thread, stops.starts, stops.ends)
    some = rows[np.argsort(-stops.ns[rows], kind="stable")][:MOST_JUMPS]
    places = zip(*(column[some].tolist() for column in columns), strict=True)
    note = "all others wait until it stops"
    return tuple(Jump(thread, start, end, note) for thread, start, end in places)
