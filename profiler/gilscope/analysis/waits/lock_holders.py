"""The holder of a lock while others waited for it, moment by moment.

A trace has no record of a lock that is free when it is taken. But a thread that waits is woken by
the one that gives the lock up, and has the lock when its own wait ends; so while threads wait for
a lock, each change of its owner leaves an event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.waits.overlaps import Stretches, overlaps
from gilscope.trace.format import Event, LockWaitFlag

if TYPE_CHECKING:
    from gilscope.trace.arrays import I64, U32
    from gilscope.trace.model import Trace

_GAVE_UP, _GOT = 0, 1


@dataclass(frozen=True, eq=False)
class HeldDuring:
    """k stretches of waits in which it is known which thread had the lock.

    Attributes:
        waits: i64[k], place of the wait in what was asked for.
        holder: i64[k], `Thread.index`.
        stack: i64[k], key of `Trace.stacks`: where the holder gave the lock up; 0 unknown.
        start: i64[k], from when on, ns from the trace's start.
        ns: i64[k], how long.
    """

    waits: I64
    holder: I64
    stack: I64
    start: I64
    ns: I64


@dataclass(frozen=True, eq=False)
class _Changes:
    """Changes of owners, by lock and time."""

    lock: I64
    time: I64
    kind: I64
    thread: I64
    stack: I64


def held_during(trace: Trace, rows: I64) -> HeldDuring:
    """Return who had the locks that were waited for.

    Args:
        trace: the trace.
        rows: of `trace.intervals`: waits for locks.
    """
    locks, number = np.unique(trace.intervals.what[rows], return_inverse=True)
    changes = _changes(trace, rows, locks, number)
    # All locks on one axis of time, one behind the other.
    span = trace.duration_ns + 1
    stretches, holder, stack = _stretches(changes, len(locks), span)
    starts = np.clip(trace.intervals.start[rows], 0, span - 1) + number * span
    ends = np.clip(trace.intervals.end[rows], 0, span - 1) + number * span
    order = np.argsort(starts, kind="stable")
    none = np.zeros(0, np.int64)
    parts = [(none, none, none), *overlaps(stretches, starts[order], ends[order])]
    waits, at, ns = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    waits = order[waits]
    # Nobody waits for a lock that it has: what says so is not known well.
    good = (ns > 0) & (holder[at] > 0) & (holder[at] != trace.intervals.thread[rows[waits]])
    waits, at, ns = waits[good], at[good], ns[good]
    begun = np.maximum(stretches.starts[at], starts[waits]) - number[waits] * span
    return HeldDuring(waits, holder[at], stack[at], begun, ns)


def hold_times(trace: Trace, rows: I64) -> I64:
    """Return how long threads that had waited for locks then had them, ns, as far as it is known.

    Args:
        trace: the trace.
        rows: of `trace.intervals`: waits for locks.
    """
    locks, number = np.unique(trace.intervals.what[rows], return_inverse=True)
    found = _changes(trace, rows, locks, number)
    one = (found.lock[:-1] == found.lock[1:]) & (found.thread[:-1] == found.thread[1:])
    one &= (found.kind[:-1] == _GOT) & (found.kind[1:] == _GAVE_UP)
    times: I64 = np.diff(found.time)[one]
    return times


def _changes(trace: Trace, rows: I64, locks: U32, number: I64) -> _Changes:
    """Return who gave up and who got these locks; of locks that readers share nothing is said."""
    intervals, wakes = trace.intervals, trace.wakes
    flags = intervals.flags[rows]
    otherwise = np.uint8(LockWaitFlag.TIMED_OUT | LockWaitFlag.INTERRUPTED)
    shared = np.unique(number[(flags & np.uint8(LockWaitFlag.SHARED)) != 0])
    exclusive = ~np.isin(np.arange(len(locks)), shared)
    got = (intervals.kind[rows] == Event.LOCK_WAIT) & ~intervals.open[rows]
    got &= ((flags & otherwise) == 0) & exclusive[number]
    given = np.flatnonzero(np.isin(wakes.what, locks[exclusive]))
    columns = (
        np.concatenate([number[got], np.searchsorted(locks, wakes.what[given])]),
        np.concatenate([intervals.end[rows[got]], wakes.start[given]]),
        np.repeat([_GOT, _GAVE_UP], [int(got.sum()), len(given)]),
        np.concatenate([intervals.thread[rows[got]], wakes.thread[given]]).astype(np.int64),
        np.concatenate([np.zeros(int(got.sum()), np.int64), wakes.stack[given]]).astype(np.int64),
    )
    order = np.lexsort((columns[2], columns[1], columns[0]))
    return _Changes(*(column[order] for column in columns))


def _stretches(changes: _Changes, locks: int, span: int) -> tuple[Stretches, I64, I64]:
    """Return stretches of time between changes, who had the lock in each, where it gave it up."""
    # Before the first change of each lock, and after the last one.
    every = np.arange(locks)
    lock = np.concatenate([changes.lock, every, every])
    time = np.concatenate([np.clip(changes.time, 0, span - 1), 0 * every, 0 * every + span - 1])
    edge = np.concatenate([np.ones(len(changes.lock)), np.zeros(locks), np.full(locks, 2)])
    kind = np.concatenate([changes.kind, np.full(2 * locks, -1)])
    thread = np.concatenate([changes.thread, np.zeros(2 * locks, np.int64)])
    stack = np.concatenate([changes.stack, np.zeros(2 * locks, np.int64)])
    order = np.lexsort((edge, lock))  # changes of one lock are in the order of time
    lock, time, kind, thread, stack = (c[order] for c in (lock, time, kind, thread, stack))
    before, after = kind[:-1], kind[1:]
    # A thread that releases the lock held it; else the last thread that got it still has it.
    holder = np.where(after == _GAVE_UP, thread[1:], np.where(before == _GOT, thread[:-1], 0))
    where = np.where(after == _GAVE_UP, stack[1:], 0)
    same = lock[1:] == lock[:-1]
    at = time.astype(np.int64) + lock * span
    starts, ends = at[:-1][same], at[1:][same]
    return Stretches(np.arange(len(starts)), starts, ends), holder[same], where[same]
