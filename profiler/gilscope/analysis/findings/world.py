"""Pauses that stop all threads, and thread states that native code makes again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.callbacks.totals import thread_state_totals
from gilscope.analysis.findings.late_stop import late_stop
from gilscope.analysis.findings.model import (
    LEAST_NS,
    MOST_JUMPS,
    SHARE,
    Finding,
    Jump,
    had_back,
    jumps,
    limit,
    matters,
    of_run,
)
from gilscope.analysis.grouping import typical_total
from gilscope.analysis.stacks import located, own_line
from gilscope.analysis.states.state import State
from gilscope.analysis.waits.pauses import REQUEST, is_turn
from gilscope.analysis.waits.processors import undisturbed_ns
from gilscope.severity import Severity
from gilscope.text import count_text, time_text
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.analysis.facts import Facts
    from gilscope.trace.arrays import I64

LEAST_PAUSES = 10
"""Garbage collections, imports and the start of a profiler make a few in any run."""

LEAST_STATES = 100
"""Thread states made by native code: a pool that is started makes one a thread, which is right."""

STATES_A_THREAD = 2
"""Every thread that calls into Python needs one thread state."""


def stop_the_world(facts: Facts) -> Iterator[Finding]:
    """Report frequent pauses of all threads, and threads that stop late for them."""
    trace, pauses = facts.trace, facts.pauses
    yield from late_stop(facts)
    stops = facts.late_stops
    lasted = sum(pause.duration_ns for pause in pauses)
    held = typical_total(np.array([pause.held_ns for pause in pauses], np.int64))
    typical = typical_total(np.array([pause.duration_ns for pause in pauses], np.int64))
    rows, in_line = _requests(facts)
    queued = int(trace.intervals.duration[in_line].sum())
    if len(pauses) < LEAST_PAUSES or not matters(
        trace, max(typical - int((stops.ends - stops.starts).sum()), queued)
    ):
        return
    by_thread: dict[int, int] = {}
    for pause in pauses:
        by_thread[pause.requester] = by_thread.get(pause.requester, 0) + 1
    most = max(by_thread, key=lambda thread: by_thread[thread])
    who = trace.thread_name(most) or "an unknown thread"
    worst = sorted(pauses, key=lambda pause: -pause.duration_ns)[:MOST_JUMPS]
    rate = len(pauses) / (trace.duration_ns / 1e9)
    cost = max(held - int(stops.ns.sum()), 0) + queued
    stopped = np.flatnonzero(facts.states == State.STOPPED_WORLD)
    gained = had_back(trace, np.union1d(stopped, in_line), cost)
    yield Finding(
        name="stop-the-world-storm",
        title=f"all threads are stopped {rate:,.0f} times a second{_by(facts, rows)}",
        severity=Severity.MEDIUM,
        evidence=(
            (
                f"{len(pauses):,} pauses took {of_run(trace, lasted)}, "
                f"and held threads up for {time_text(held)}"
            ),
            f"the longest took {time_text(worst[0].duration_ns)}",
            *(
                [f"threads waited {time_text(queued)} for their turn to stop the others"]
                if queued
                else ()
            ),
            f"{by_thread[most]:,} of them requested by {who}",
            *limit(trace, cost, gained),
        ),
        advice="Usual causes: gc.collect(), sys._current_frames(), sys.settrace() and "
        "sys.setprofile(), classes that change while threads run, and many new objects that refer "
        "to each other (gc.freeze() and a higher gc.set_threshold() help).",
        intervals=tuple(
            Jump(pause.requester, pause.start_ns, pause.start_ns + pause.duration_ns, "a pause")
            for pause in worst
        ),
        cost_ns=gained,
    )


def _requests(facts: Facts) -> tuple[I64, I64]:
    """Return the waits of threads that stop the others, and of these the ones for their turn."""
    trace, intervals = facts.trace, facts.trace.intervals
    asked = [number for number, lock in trace.locks.items() if lock.kind == REQUEST]
    turns = [number for number, lock in trace.locks.items() if is_turn(lock)]
    waits = np.isin(intervals.kind, (Event.LOCK_WAIT, Event.SPIN))
    in_line = waits & np.isin(intervals.what, turns)
    rows = np.flatnonzero((waits & np.isin(intervals.what, asked)) | in_line)
    return rows, np.flatnonzero(in_line)


def _by(facts: Facts, rows: I64) -> str:
    """Return the line of the program that most of these waits are in, if that is known."""
    numbers, places = located(facts.trace, facts.trace.intervals.stack[rows], own_line)
    if not places:
        return ""
    most = places[int(np.bincount(numbers, minlength=len(places)).argmax())]
    return f", most often by {most.name}" if most.known else ""


def thread_states(facts: Facts) -> Iterator[Finding]:
    """Report native threads that make and destroy a thread state for each callback."""
    trace = facts.trace
    totals = thread_state_totals(trace)
    cost = totals.typical_ns
    states = trace.thread_states
    indexes = np.unique(states.thread).tolist()
    threads = len(indexes)
    # Neither the cost nor the run counts moments in which a thread had no processor.
    least = max(SHARE * undisturbed_ns(trace, indexes), LEAST_NS)
    if totals.created < LEAST_STATES or cost < least:
        return
    if totals.created < STATES_A_THREAD * threads:
        return
    callbacks = sum(work.count for work in facts.callbacks)
    yield Finding(
        name="thread-state-churn",
        title=f"{totals.created:,} thread states created by {count_text(threads, 'native thread')}",
        severity=Severity.MEDIUM,
        evidence=(
            (
                f"{totals.created:,} created and {totals.deleted:,} destroyed, "
                f"in {callbacks:,} callbacks"
            ),
            (
                f"that took {time_text(cost / totals.created)} each, together "
                f"{of_run(trace, cost)}; moments in which a thread had no processor do not count"
            ),
        ),
        advice="Keep one thread state for the life of each native thread: put one outer "
        "PyGILState_Ensure around all of its callbacks (pybind11: a gil_scoped_acquire at the "
        "thread's start, with a gil_scoped_release inside).",
        intervals=jumps(states, np.arange(len(states)), "creates or destroys a thread state"),
        cost_ns=cost,
    )
