"""Findings about the GIL itself: switched on again, passed on too often, slow to get."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.findings.model import (
    MOST_JUMPS,
    Finding,
    Jump,
    had_back,
    jumps,
    limit,
    matters,
    of_run,
)
from gilscope.analysis.stacks import program_line
from gilscope.analysis.states.state import State
from gilscope.analysis.waits.gil_holds import SWITCH_INTERVAL_NS
from gilscope.severity import Severity
from gilscope.text import time_text
from gilscope.trace.format import Event, HoldFlag

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.analysis.facts import Facts
    from gilscope.analysis.waits.switches import Starved
    from gilscope.trace.arrays import I64
    from gilscope.trace.model import Trace

LEAST_SWITCHES = 1000
"""Switches a second: each wakes a thread, 20 to 60 µs as measured on 2 cores; with fewer of them
that is less than 5 % of the run."""

LEAST_WAITS = 6
"""Waits of a thread: fewer are no pattern. To start a handful of threads makes as many."""

LONGER = 4
"""Times that a wait is as long as what the thread does without the GIL. One that sleeps for 8 ms
and then waits a switch interval loses less than half of its time, and on a busy machine waits for a
processor on top of that."""

ASKED = 0.5
"""Share of a starved thread's waits in which it had to ask for the GIL: otherwise it is given up in
time, by threads that need it as shortly."""

SHORT_NS = 1_000_000
"""A fifth of the switch interval: who holds the GIL for less waits longer than it works."""

LEAST_AWAY_NS = 20_000
"""In a shorter release the thread does no work."""

FORCED = 0.1
"""Share of its own holds that a starved thread was asked to end: who computes is not starved."""


def turned_on_by(trace: Trace) -> str | None:
    """Return the module whose import turned the GIL on for good, as the trace has it."""
    switches = trace.gil_switches
    rows = (switches.on & switches.permanent).nonzero()[0].tolist()
    names = [Path(switches.module[row]).name.partition(".")[0] for row in rows]
    return next(filter(None, names), None)


def gil_enabled(facts: Facts) -> Iterator[Finding]:
    """Report a GIL of a free-threaded build that was switched on for good."""
    trace = facts.trace
    switches = trace.gil_switches
    rows = np.flatnonzero(switches.on & switches.permanent)
    # A trace that was cut short does not say how it ended.
    on = trace.gil_enabled_end if trace.gil_enabled_end is not None else len(rows) > 0
    if not trace.free_threaded or trace.gil_enabled_start or not on:
        return
    module = turned_on_by(trace)
    by = f"by the import of {module}" if module else "by a module that the trace does not name"
    paths = dict.fromkeys(switches.module[row] for row in rows.tolist() if switches.module[row])
    moments = [
        Jump(int(switches.thread[row]), int(switches.start[row]), int(switches.start[row]), by)
        for row in rows.tolist()
    ]
    waited = int(facts.gil_waits.total[0])
    gained = had_back(trace, np.flatnonzero(facts.states == State.WAITING_GIL), waited)
    yield Finding(
        name="gil-reenabled",
        title=f"the GIL was switched on {by}",
        severity=Severity.HIGH,
        evidence=(
            "the run began without the GIL",
            *(f"switched on for the rest of the process by {path}" for path in paths),
            f"threads then waited for it for {time_text(waited)}",
            *limit(trace, waited, gained),
        ),
        advice="Install a release of that module that supports free threading. In a module of your "
        "own, declare Py_MOD_GIL_NOT_USED (pybind11: py::mod_gil_not_used()) once it is "
        "thread-safe. To try without the GIL, set PYTHON_GIL=0.",
        intervals=tuple(moments),
        cost_ns=gained,
    )


def ping_pong(facts: Facts) -> Iterator[Finding]:
    """Report a GIL whose hand-overs take longer than the work between them."""
    trace, found = facts.trace, facts.switching
    if found.per_second < LEAST_SWITCHES or found.work_ns > found.handover_ns:
        return
    if not matters(trace, found.lost_ns):
        return
    most = facts.gaps.holds[np.argsort(facts.gaps.lost_ns)[-MOST_JUMPS:]]
    yield Finding(
        name="gil-ping-pong",
        title=f"the GIL changes hands {found.per_second:,.0f} times a second",
        severity=Severity.MEDIUM,
        evidence=(
            f"{found.switches:,} times it passed to another thread that waited for it",
            (
                f"medians: a thread held it for {time_text(found.work_ns)}, a hand-over took "
                f"{time_text(found.handover_ns)}"
            ),
            (f"it was free while a thread waited for it for {of_run(trace, found.lost_ns)}"),
        ),
        advice="Do more between two releases of the GIL: larger reads and writes, batches, fewer "
        "threads. Native code that takes only a few microseconds is faster if it keeps the GIL.",
        intervals=jumps(trace.intervals, most, "got the GIL late"),
        cost_ns=found.lost_ns,
    )


def starvation(facts: Facts) -> Iterator[Finding]:
    """Find threads that need the GIL for moments only and wait a switch interval each time."""
    trace, intervals = facts.trace, facts.trace.intervals
    for found in facts.starved:
        if not _is_starved(found) or not matters(trace, found.wait_ns):
            continue
        rows = np.flatnonzero(
            (intervals.kind == Event.GIL_WAIT) & (intervals.thread == found.thread)
        )
        waited, native = intervals.duration[rows], facts.waited_for_native(rows)
        away = _away(facts, found.thread, rows)
        blocked = waited >= LONGER * np.minimum(away, _usually_away(facts, found.thread))
        cost = int((waited - native)[blocked].sum())
        if cost < found.wait_ns // 2 or not matters(trace, cost):
            continue
        name = trace.thread_name(found.thread)
        yield Finding(
            name="switch-interval-starvation",
            title=f"{_computing(facts, rows)}thread {name} waits {time_text(found.p50_ns)} for the "
            f"GIL each time and then holds it for {time_text(found.hold_ns)}",
            severity=Severity.MEDIUM,
            evidence=(
                (
                    f"{found.asked:,} of its {found.waits:,} waits took the switch interval "
                    f"({time_text(SWITCH_INTERVAL_NS)} by default) or longer"
                ),
                (
                    f"it waited {of_run(trace, found.wait_ns)}, and held the GIL "
                    f"{found.holds:,} times"
                ),
                (
                    f"before each wait it had released the GIL for "
                    f"{time_text(int(np.sort(away)[len(away) // 2]))}"
                    f"{_where(facts, rows)}"
                ),
                "the threads that held the GIL release it only when they are made to",
            ),
            advice="Move the computing threads to another process, or into native code that "
            "releases the GIL. sys.setswitchinterval() shortens each wait. A free-threaded build "
            "has none.",
            intervals=jumps(intervals, rows, "waits for the GIL"),
            cost_ns=had_back(trace, rows[blocked], cost),
        )


def _usually_away(facts: Facts, thread: int) -> int:
    """Return for how long a thread does not hold the GIL between two holds, the median, ns.

    Without the waits for it. Before a single wait it may have been away for longer because it had
    no processor.
    """
    intervals = facts.trace.intervals
    mine = intervals.thread == thread
    holds = np.flatnonzero(mine & (intervals.kind == Event.GIL_HOLD))
    waits = np.flatnonzero(mine & (intervals.kind == Event.GIL_WAIT))
    starts, ends = np.sort(intervals.start[holds]), np.sort(intervals.end[holds])
    sums = np.concatenate([[0], np.cumsum(intervals.duration[waits])])
    places = np.searchsorted(np.sort(intervals.start[waits]), starts, "right")
    waited = np.diff(sums[places])
    gaps = np.maximum(starts[1:] - ends[:-1] - waited, 0)
    gaps = gaps[gaps >= LEAST_AWAY_NS]
    return int(np.median(gaps)) if len(gaps) else np.iinfo(np.int64).max // LONGER


def _away(facts: Facts, thread: int, waits: I64) -> I64:
    """Return for how long a thread had not held the GIL before each of its waits for it, ns."""
    intervals = facts.trace.intervals
    held = np.flatnonzero((intervals.kind == Event.GIL_HOLD) & (intervals.thread == thread))
    born = facts.trace.threads_by_index[thread].start_ns
    ends = np.append(born, np.sort(intervals.end[held]))
    starts = intervals.start[waits]
    away: I64 = starts - ends[np.maximum(np.searchsorted(ends, starts, "right") - 1, 0)]
    return away


def _where(facts: Facts, waits: I64) -> str:
    """Return at which line of Python most of these waits were, if that is known."""
    trace = facts.trace
    used, places = np.unique(trace.intervals.stack[waits], return_inverse=True)
    cost = np.bincount(places, trace.intervals.duration[waits])
    line = program_line(trace.stacks[int(used[int(cost.argmax())])])
    return f", mostly at {line.name}" if line.known else ""


def _computing(facts: Facts, rows: I64) -> str:
    """Return the beginning of a title: which thread computes meanwhile, and where."""
    trace, pieces = facts.trace, facts.pieces
    threads, flags = trace.intervals.thread[pieces.holds], trace.intervals.flags[pieces.holds]
    # A hold that nobody looked into was Python code if it ended as soon as it was asked to.
    python = ~pieces.native & (pieces.sampled | ((flags & np.uint8(HoldFlag.FORCED)) != 0))
    best, most = "", int(trace.intervals.duration[rows].sum()) // 2
    for thread in np.unique(threads).tolist():
        mine = (threads == thread) & python
        waited = int(pieces.shared(trace, mine, rows).sum())
        if waited > most:
            used, places = np.unique(pieces.stack[mine], return_inverse=True)
            cost = np.bincount(places, pieces.caused_ns[mine])
            line = program_line(trace.stacks[int(used[int(cost.argmax())])])
            where = f" ({line.name})" if line.known else ""
            best, most = f"thread {trace.thread_name(thread)} computes in Python{where}: ", waited
    return best


def _is_starved(found: Starved) -> bool:
    return (
        found.waits >= LEAST_WAITS
        and found.asked >= ASKED * found.waits
        and found.hold_ns < SHORT_NS
        and found.forced <= FORCED * found.holds
    )
