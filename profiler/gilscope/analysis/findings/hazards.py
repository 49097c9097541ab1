"""Native locks held while a thread waits for the GIL: where deadlocks come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.findings.model import MOST_JUMPS, Finding, had_back, jumps
from gilscope.analysis.grouping import order_by
from gilscope.severity import Severity
from gilscope.text import count_text, time_text
from gilscope.trace.format import Event, GilWaitFlag, LockWaitFlag

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.analysis.facts import Facts
    from gilscope.trace.arrays import I32, I64, Bools
    from gilscope.trace.model import Trace

NO_ROW = -1
HALF = MOST_JUMPS // 2


def native_mutex(facts: Facts) -> Iterator[Finding]:
    """Find native locks whose holder waits for the GIL.

    Proven by a thread that waits for the lock meanwhile: glibc then says who holds it. Holders that
    nobody waits for are not seen.
    """
    trace, intervals = facts.trace, facts.trace.intervals
    waits, holder_waits = holders_without_gil(trace)
    what = intervals.what[waits]
    for lock_id in np.unique(what).tolist():
        mine, theirs = waits[what == lock_id], holder_waits[what == lock_id]
        name = trace.locks[lock_id].name
        with_gil = covering(trace, Event.GIL_HOLD, intervals.thread[mine], intervals.start[mine])
        # Each has what the other one waits for, and the trace ends with that.
        stuck = intervals.open[mine] & intervals.open[theirs] & (with_gil != NO_ROW)
        deadlock = bool(stuck.any())
        rows = np.unique(theirs)
        gained = spared(trace, mine, has_gil=with_gil != NO_ROW)
        yield Finding(
            name="native-mutex-held-while-taking-gil",
            title=f"deadlock: {name} and the GIL"
            if deadlock
            else f"{name} is held while its holder waits for the GIL",
            severity=Severity.HIGH if deadlock else Severity.MEDIUM,
            evidence=_evidence(trace, mine, rows, with_gil, gained, deadlock=deadlock),
            advice="Unlock it before calling into Python, or take the GIL first and the lock "
            "second everywhere. Release the GIL before waiting for a native lock.",
            intervals=(
                *jumps(intervals, rows, f"holds {name}, waits for the GIL", HALF),
                *jumps(intervals, mine, f"waits for {name}", HALF),
            ),
            cost_ns=had_back(trace, mine, int(gained.sum())),
            hazard=True,
        )


def spared(trace: Trace, waits: I64, *, has_gil: Bools) -> I64:
    """Return how much of each wait for a lock is had back if nobody waits for the GIL with it, ns.

    The GIL is to be had no earlier then. A thread that needs it itself soon after it got the lock
    would have waited for the GIL instead: it gains no more than what it did in between.

    Args:
        trace: the trace.
        waits: i64[k], rows of waits whose holders waited for the GIL.
        has_gil: bool[k], the waiting thread held the GIL.
    """
    intervals = trace.intervals
    asks = np.flatnonzero(np.isin(intervals.kind, (Event.GIL_WAIT, Event.GIL_HOLD)))
    following = _next(
        asks,
        intervals.thread[asks],
        intervals.start[asks],
        intervals.thread[waits],
        intervals.end[waits],
    )
    whole = has_gil | intervals.open[waits] | (following == NO_ROW)
    apart = intervals.start[following] - intervals.end[waits]
    duration = intervals.duration[waits]
    gained: I64 = np.where(whole, duration, np.minimum(duration, apart))
    return gained


def _evidence(
    trace: Trace, waits: I64, holders: I64, with_gil: I64, gained: I64, *, deadlock: bool
) -> tuple[str, ...]:
    """Return the numbers of one lock."""
    intervals = trace.intervals
    threads = np.unique(intervals.thread[holders]).tolist()
    cost = time_text(int(intervals.duration[waits].sum()))
    lines = [
        (
            f"{count_text(len(waits), 'time')} a thread waited for it while its holder waited for "
            "the GIL"
        ),
        f"held by {', '.join(map(trace.thread_name, threads))}; other threads waited {cost} for it",
    ]
    both = int(np.count_nonzero(with_gil != NO_ROW))
    if both:
        lines.append(
            f"{both:,} of those threads held the GIL meanwhile: the other half of a deadlock"
        )
    instead = int((intervals.duration[waits] - gained).sum())
    if instead:
        lines.append(
            f"{time_text(instead)} of it would be spent waiting for the GIL instead: they asked "
            "for it next"
        )
    if deadlock:
        lines.append("neither wait ended before the recording did")
    return tuple(lines)


def holders_without_gil(trace: Trace) -> tuple[I64, I64]:
    """Return waits for native locks whose holder waited for the GIL meanwhile: k of them.

    The holder is who held the lock when the wait for it began. If it waited for the GIL then, it
    held the lock until it got the GIL, unless the wait for the lock ended before. If it asked for
    the GIL later, it says itself whether it still held the lock; in a trace of an older gilscope
    that is certain only if neither wait ever ended.

    Returns:
        Rows of `trace.intervals`, i64[k] each: the wait for the lock; the holder's for the GIL.
    """
    intervals = trace.intervals
    native = [number for number, lock in trace.locks.items() if lock.native]
    holder = (intervals.flags & np.uint8(LockWaitFlag.HOLDER)) != 0
    known = (intervals.kind == Event.LOCK_WAIT) & holder & (intervals.peer > 0)
    rows = np.flatnonzero(known & np.isin(intervals.what, native))
    found = covering(trace, Event.GIL_WAIT, intervals.peer[rows], intervals.start[rows])
    found = np.where(found != NO_ROW, found, _asked_later(trace, rows))
    good = (found != NO_ROW) & _outlasts(trace, rows, found)
    return rows[good], found[good]


def _outlasts(trace: Trace, rows: I64, others: I64) -> Bools:
    """Return whether each interval ends no earlier than the other one; bool[m]."""
    intervals = trace.intervals
    ends = intervals.end[rows] >= intervals.end[others]
    result: Bools = intervals.open[rows] | (ends & ~intervals.open[others])
    return result


def _asked_later(trace: Trace, rows: I64) -> I64:
    """Return the wait for the GIL that each holder began with the lock after the other one, or -1.

    i64[m]: rows of `trace.intervals`.
    """
    intervals = trace.intervals
    says_so = (intervals.flags & np.uint8(GilWaitFlag.HOLDS_WANTED_LOCK)) != 0
    asked = np.flatnonzero((intervals.kind == Event.GIL_WAIT) & (says_so | intervals.open))
    times = intervals.start[asked]
    found = _next(
        asked, intervals.thread[asked], times, intervals.peer[rows], intervals.start[rows]
    )
    good = (found != NO_ROW) & (says_so[found] | intervals.open[rows])
    result: I64 = np.where(good, found, NO_ROW)
    return result


def _next(rows: I64, groups: I32, times: I64, wanted: I32, after: I64) -> I64:
    """Return the row of each wanted group with the earliest time not before another one, or -1."""
    if not len(rows):
        return np.full(len(wanted), NO_ROW)
    order = np.lexsort((times, groups))
    rows, groups, times = rows[order], groups[order], times[order]
    span = int(max(times.max(), after.max(initial=0))) + 2
    keys = groups.astype(np.int64) * span + times
    places = np.searchsorted(keys, wanted.astype(np.int64) * span + after)
    inside = np.minimum(places, len(rows) - 1)
    good = (places < len(rows)) & (groups[inside] == wanted)
    result: I64 = np.where(good, rows[inside], NO_ROW)
    return result


def covering(trace: Trace, kind: int, threads: I32, times: I64) -> I64:
    """Return the interval of one kind that each thread is in at a time: a row, or -1; i64[m]."""
    intervals = trace.intervals
    rows = np.flatnonzero(intervals.kind == kind)
    if not len(rows):
        return np.full(len(threads), NO_ROW)
    rows = rows[order_by(intervals.thread[rows])]
    span = trace.duration_ns + int(intervals.start.max()) + 2
    keys = intervals.thread[rows].astype(np.int64) * span + intervals.start[rows]
    places = np.searchsorted(keys, threads.astype(np.int64) * span + times, "right") - 1
    found = rows[np.maximum(places, 0)]
    good = (places >= 0) & (intervals.thread[found] == threads) & (times < intervals.end[found])
    result: I64 = np.where(good, found, NO_ROW)
    return result
