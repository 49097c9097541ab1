"""Late releases of the GIL, in traces that do not show which code held it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.findings.model import Finding, had_back, jumps, matters, of_run
from gilscope.analysis.stacks import called_from, short
from gilscope.analysis.states.state import State
from gilscope.analysis.waits.gil_holds import SWITCH_INTERVAL_NS
from gilscope.severity import Severity
from gilscope.text import time_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.analysis.facts import Facts
    from gilscope.trace.arrays import I64, Bools

LATE = 0.9
"""Share of the wanted holds that end at one place and are late by a switch interval or more. A
thread that has lost its processor is late as well: with twice as many threads as processors that
was up to half of them, as measured on 2 processors with `examples/`, but never nearly all."""

LEAST_HOLDS = 5
"""Late holds at one place: fewer may all be chance …"""

LONG_NS = 200_000_000
"""… unless it is this long: no scheduler keeps a thread that can run waiting for 200 ms, unless
there are tens of them a processor."""


RELEASE = (
    "Release the GIL around the long operation (Py_BEGIN_ALLOW_THREADS, "
    "pybind11::gil_scoped_release, nogil)."
)
CALLED = (
    "If the line calls native code of yours, release the GIL there (Py_BEGIN_ALLOW_THREADS, "
    "pybind11::gil_scoped_release, nogil). Much of Python's own native code keeps the GIL, such as "
    "sorted(), json, re and gc.collect(): pass it less at a time, or use another process."
)


def late_hold(facts: Facts) -> Iterator[Finding]:
    """Find places at which the GIL is kept although another thread has asked for it."""
    trace, holds, at = facts.trace, facts.wanted_holds, facts.hold_places
    late = holds.late_ns >= SWITCH_INTERVAL_NS
    for number in _candidates(facts, late).tolist():
        place = at.places[number]
        mine = late & (at.of_hold == number)
        caused = int(holds.caused_ns[mine].sum())
        enough = at.late[number] >= LEAST_HOLDS or int(holds.late_ns[mine].max()) >= LONG_NS
        if not (place.known and enough and matters(trace, caused)):
            continue
        rows = holds.rows[mine]
        longest = int(rows[trace.intervals.duration[rows].argmax()])
        native = not place.line
        where = short(place.name) if native else place.name
        yield Finding(
            name="gil-held-in-native-code",
            title=f"the GIL is held for {time_text(int(at.held.p50[number]))} up to {where}",
            severity=Severity.MEDIUM,
            evidence=(
                (
                    f"{at.late[number]:,} of the {at.held.count[number]:,} contended holds that "
                    f"ended there went on for {time_text(SWITCH_INTERVAL_NS)} or longer after "
                    "another thread had requested the GIL; Python code releases it in microseconds"
                ),
                (
                    f"the longest took {time_text(int(trace.intervals.duration[longest]))}, at "
                    f"{called_from(trace.stacks[int(trace.intervals.stack[longest])])}"
                ),
                f"other threads waited meanwhile: {of_run(trace, caused)}",
            ),
            advice=RELEASE if native else CALLED,
            intervals=jumps(trace.intervals, rows, "holds the GIL"),
            cost_ns=had_back(trace, np.flatnonzero(facts.states == State.WAITING_GIL), caused),
            suspected=not native,
        )


def _candidates(facts: Facts, late: Bools) -> I64:
    """Return the places at which holds are late often enough, and cause enough waiting."""
    at, trace = facts.hold_places, facts.trace
    often = (at.late > 0) & (at.late >= LATE * at.held.count)
    caused = np.bincount(at.of_hold[late], facts.wanted_holds.caused_ns[late], len(at.places))
    found = np.flatnonzero(often)
    return found[[matters(trace, int(ns)) for ns in caused[found].tolist()]]
