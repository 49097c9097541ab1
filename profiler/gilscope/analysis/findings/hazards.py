"""Native locks held while a thread waits for the GIL: where deadlocks come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.findings.model import MOST_JUMPS, Finding, jumps
from gilscope.analysis.grouping import order_by
from gilscope.severity import Severity
from gilscope.text import count_text, time_text
from gilscope.trace.format import Event, LockWaitFlag

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.analysis.facts import Facts
    from gilscope.trace.arrays import I32, I64
    from gilscope.trace.model import Trace

NO_ROW = -1
HALF = MOST_JUMPS // 2


def native_mutex(facts: Facts) -> Iterator[Finding]:
    """Find native locks whose holder waits for the GIL.

    Proven by a thread that began to wait for the lock at such a moment: glibc then said who held
    it. Holders that nobody waits for are not seen.
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
        yield Finding(
            name="native-mutex-held-while-taking-gil",
            title=f"deadlock: {name} and the GIL"
            if deadlock
            else f"{name} is held while its holder waits for the GIL",
            severity=Severity.HIGH if deadlock else Severity.MEDIUM,
            evidence=_evidence(trace, mine, rows, with_gil, deadlock=deadlock),
            advice="Unlock it before calling into Python, or take the GIL first and the lock "
            "second everywhere. Release the GIL before waiting for a native lock.",
            intervals=(
                *jumps(intervals, rows, f"holds {name}, waits for the GIL", HALF),
                *jumps(intervals, mine, f"waits for {name}", HALF),
            ),
            cost_ns=int(intervals.duration[mine].sum()),
        )


def _evidence(
    trace: Trace, waits: I64, holders: I64, with_gil: I64, *, deadlock: bool
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
    if deadlock:
        lines.append("neither wait had ended when the recording did")
    return tuple(lines)


def holders_without_gil(trace: Trace) -> tuple[I64, I64]:
    """Return waits for native locks whose holder waited for the GIL when they began: k of them.

    And those that never ended, if the holder's wait did not either.

    Returns:
        Rows of `trace.intervals`, i64[k] each: the wait for the lock; the holder's for the GIL.
    """
    intervals = trace.intervals
    native = [number for number, lock in trace.locks.items() if lock.native]
    holder = (intervals.flags & np.uint8(LockWaitFlag.HOLDER)) != 0
    known = (intervals.kind == Event.LOCK_WAIT) & holder & (intervals.peer > 0)
    rows = np.flatnonzero(known & np.isin(intervals.what, native))
    found = covering(trace, Event.GIL_WAIT, intervals.peer[rows], intervals.start[rows])
    # Who began to wait for the GIL later has the lock for sure only if neither wait ever ended.
    for row in np.flatnonzero((intervals.kind == Event.GIL_WAIT) & intervals.open).tolist():
        stuck = intervals.open[rows] & (intervals.peer[rows] == intervals.thread[row])
        found[stuck & (found == NO_ROW)] = row
    return rows[found != NO_ROW], found[found != NO_ROW]


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
