"""What native code did in Python: which function entered, what it called, how long it took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.grouping import order_by, typical_total
from gilscope.analysis.states.state import State
from gilscope.analysis.states.thread_states import interval_states
from gilscope.trace.format import ThreadStateFlag

if TYPE_CHECKING:
    from gilscope.trace.arrays import I64, U8, Bools
    from gilscope.trace.model import Callable, Callbacks, Entry, Trace


@dataclass(frozen=True, slots=True)
class CallbackTotals:
    """All callbacks from one native function to one Python callable; times in ns.

    Attributes:
        entry: the native function, as one of its entries has it.
        callable: what it called; its `label` is "" if nothing was called or it is unknown.
        count: how many.
        open: of these, still in Python when the trace ended.
        total_ns: time from the request to get in until out again, with callbacks inside it.
        median_ns: of one, the middle one of all.
        max_ns: the longest one.
        enter_ns: time to get in, all together.
        enter_median_ns: the same of one that is not open, the middle one; 0 if there is none.
        enter_max_ns: the longest one.
        lock_wait_ns: contention for locks inside.
    """

    entry: Entry
    callable: Callable
    count: int
    open: int
    total_ns: int
    median_ns: int
    max_ns: int
    enter_ns: int
    enter_median_ns: int
    enter_max_ns: int
    lock_wait_ns: int


@dataclass(frozen=True, slots=True)
class ThreadStateTotals:
    """Thread states that native code made and destroyed, and what that took, ns.

    Attributes:
        created: how many were made.
        created_ns: from the first to the last moment of each, all in all.
        deleted: how many were destroyed.
        deleted_ns: from the first to the last moment of each, all in all.
        typical_ns: both without what threads lost in it that had no processor.
    """

    created: int
    created_ns: int
    deleted: int
    deleted_ns: int
    typical_ns: int


def callback_totals(trace: Trace) -> list[CallbackTotals]:
    """Totals of each native function and what it called, the longest in all first."""
    callbacks = trace.callbacks
    groups, members = callback_groups(trace)
    waits = lock_waits_inside(trace)
    order = np.lexsort((callbacks.duration, groups))
    firsts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    totals = [
        _totals(callbacks, rows, *members[number], waits)
        for number, rows in enumerate(np.split(order, firsts[1:]))
        if len(rows)
    ]
    return sorted(totals, key=lambda t: (-t.total_ns, t.entry.id, t.callable.id))


def thread_state_totals(trace: Trace) -> ThreadStateTotals:
    """What thread states cost native code."""
    states = trace.thread_states
    created = (states.flags & np.uint8(ThreadStateFlag.CREATED)) != 0
    deleted = (states.flags & np.uint8(ThreadStateFlag.DELETED)) != 0
    return ThreadStateTotals(
        created=int(np.count_nonzero(created)),
        created_ns=int(states.duration[created].sum()),
        deleted=int(np.count_nonzero(deleted)),
        deleted_ns=int(states.duration[deleted].sum()),
        typical_ns=sum(typical_total(states.duration[rows]) for rows in (created, deleted)),
    )


def lock_waits_inside(trace: Trace, states: U8 | None = None) -> I64:
    """Contention for locks inside each callback, ns, those inside it included, i64[n].

    Args:
        trace: the trace.
        states: of its intervals, by default `interval_states(trace)`.
    """
    callbacks = trace.callbacks
    states = interval_states(trace) if states is None else states
    waits = trace.intervals.select(states == State.WAITING_LOCK)
    if not len(waits):
        return np.zeros(len(callbacks), np.int64)
    order = order_by(waits.thread)
    # One key for thread and time: all of one thread lies before all of the next.
    span = int(max(waits.start.max(), callbacks.end.max(initial=0))) + 1
    keys = waits.thread[order].astype(np.int64) * span + waits.start[order]
    sums = np.concatenate([[0], np.cumsum(waits.duration[order])])
    threads = callbacks.thread.astype(np.int64) * span
    first = np.searchsorted(keys, threads + callbacks.start)
    last = np.searchsorted(keys, threads + callbacks.end)
    inside: I64 = sums[last] - sums[first]
    return inside


def callback_groups(trace: Trace) -> tuple[I64, list[tuple[Entry, Callable]]]:
    """The group of each callback, i64[n], and what the groups stand for.

    One function may have several entries: it may enter Python from several of its lines.
    """
    callbacks = trace.callbacks
    pairs = callbacks.entry.astype(np.uint64) << np.uint64(32) | callbacks.callable
    used, places = np.unique(pairs, return_inverse=True)
    numbers: dict[tuple[object, ...], int] = {}
    members: list[tuple[Entry, Callable]] = []
    table = np.zeros(len(used), np.int64)
    for place, pair in enumerate(used.tolist()):
        entry, called = trace.entries[pair >> 32], trace.callables[pair & 0xFFFFFFFF]
        key = entry.function, entry.module, entry.binding, called.label, called.file, called.line
        table[place] = numbers.setdefault(key, len(members))
        if table[place] == len(members):
            members.append((entry, called))
    return table[places], members


def _totals(
    callbacks: Callbacks, rows: I64, entry: Entry, called: Callable, waits: I64
) -> CallbackTotals:
    """Totals of rows that are sorted by duration."""
    is_open: Bools = callbacks.open[rows]
    durations, enter = callbacks.duration[rows], callbacks.enter_ns[rows]
    known = np.sort(enter[~is_open])
    return CallbackTotals(
        entry=entry,
        callable=called,
        count=len(rows),
        open=int(np.count_nonzero(is_open)),
        total_ns=int(durations.sum()),
        median_ns=int(durations[len(rows) // 2]),
        max_ns=int(durations[-1]),
        enter_ns=int(enter.sum()),
        enter_median_ns=int(known[len(known) // 2]) if len(known) else 0,
        enter_max_ns=int(known[-1]) if len(known) else 0,
        lock_wait_ns=int(waits[rows].sum()),
    )
