"""In which callback something happened: the innermost one that a thread was in at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.callbacks.totals import callback_groups
from gilscope.analysis.grouping import order_by, summarize
from gilscope.analysis.stacks import short
from gilscope.analysis.states.state import State

if TYPE_CHECKING:
    from gilscope.trace.arrays import I32, I64, U8
    from gilscope.trace.model import Callable, Entry, Trace

NONE = -1


@dataclass(frozen=True, slots=True, eq=False)
class CallbackWork:
    """Callbacks from one native function to one Python callable; times in ns.

    Unlike `CallbackTotals`, what happened in a callback inside another one is the inner one's.

    Attributes:
        entry: the native function, as one of its entries has it.
        callable: what it called.
        rows: i64[n], of `Trace.callbacks`.
        threads: how many threads they ran in.
        count: how many there are.
        total_ns: from the request to get in until out again.
        inside_ns: median of the time inside, without getting in and without callbacks inside.
        enter_ns: median of the time to get in.
        gil_wait_ns: waiting for the GIL, to get in or inside.
        lock_wait_ns: waiting for contended locks.
        hold_ns: holding the GIL.
    """

    entry: Entry
    callable: Callable
    rows: I64
    threads: int
    count: int
    total_ns: int
    inside_ns: int
    enter_ns: int
    gil_wait_ns: int
    lock_wait_ns: int
    hold_ns: int

    @property
    def name(self) -> str:
        """What was called, else the native function."""
        return self.callable.label or self.function

    @property
    def function(self) -> str:
        """The native function, without its arguments."""
        return short(self.entry.function)


class Inside:
    """Finds the callback that a thread was in."""

    def __init__(self, trace: Trace) -> None:
        callbacks = trace.callbacks
        self.order = order_by(callbacks.thread)
        ends = int(callbacks.end.max(initial=0))
        self._span = max(trace.duration_ns, ends) + 2
        threads = callbacks.thread.astype(np.int64)
        # One key for thread and time: all of one thread lies before all of the next.
        self._starts = (threads * self._span + callbacks.start)[self.order]
        self._ends = np.sort(threads * self._span + np.minimum(callbacks.end, self._span - 1))
        open_then = np.searchsorted(self._ends, self._starts, "right")
        self.depths = np.arange(len(self.order)) - open_then
        self._levels = [
            np.flatnonzero(self.depths == depth)
            for depth in range(int(self.depths.max(initial=NONE)) + 1)
        ]

    def at(self, threads: I32, times: I64) -> I64:
        """Return the innermost callback of each thread at each time: a row, or -1; i64[m]."""
        if not len(self.order):
            return np.full(len(threads), NONE)
        # Thread by thread the times are in order, more or less, and are found faster.
        order = order_by(threads)
        keys = threads[order].astype(np.int64) * self._span
        keys += np.clip(times, 0, self._span - 1)[order]
        begun = np.searchsorted(self._starts, keys, "right")
        depths = begun - np.searchsorted(self._ends, keys, "right") - 1
        found = np.full(len(keys), NONE)
        for depth, level in enumerate(self._levels):
            chosen = np.flatnonzero(depths == depth)
            last = np.searchsorted(level, begun[chosen]) - 1
            good = last >= 0
            found[order[chosen[good]]] = self.order[level[last[good]]]
        return found

    def parents(self) -> I64:
        """Return the callback around each one: a row, or -1; i64[n]."""
        parents = np.full(len(self.order), NONE)
        for depth, level in enumerate(self._levels[1:], 1):
            outer = self._levels[depth - 1]
            last = np.searchsorted(outer, level) - 1
            good = last >= 0
            parents[self.order[level[good]]] = self.order[outer[last[good]]]
        return parents


def callback_work(trace: Trace, inside: Inside, states: U8) -> list[CallbackWork]:
    """Return what callbacks did and waited for, by native function and callable, longest first."""
    callbacks, intervals = trace.callbacks, trace.intervals
    groups, members = callback_groups(trace)
    size = len(members)
    rows = inside.at(intervals.thread, intervals.start)
    within = rows != NONE
    spent = {}
    for name, state in (
        ("gil", State.WAITING_GIL),
        ("lock", State.WAITING_LOCK),
        ("hold", State.HOLDING_GIL),
    ):
        chosen = within & (states == state)
        weights = intervals.duration[chosen]
        spent[name] = np.bincount(groups[rows[chosen]], weights, size).astype(np.int64)
    own = _own_time(trace, inside)
    total = summarize(groups, callbacks.duration, size)
    inner, enter = summarize(groups, own, size), summarize(groups, callbacks.enter_ns, size)
    threads = _distinct(groups, callbacks.thread.astype(np.int64), size)
    parts = np.split(order_by(groups), np.cumsum(total.count)[:-1]) if size else []
    work = [
        CallbackWork(
            entry=entry,
            callable=called,
            rows=parts[number],
            threads=int(threads[number]),
            count=int(total.count[number]),
            total_ns=int(total.total[number]),
            inside_ns=int(inner.p50[number]),
            enter_ns=int(enter.p50[number]),
            gil_wait_ns=int(spent["gil"][number]),
            lock_wait_ns=int(spent["lock"][number]),
            hold_ns=int(spent["hold"][number]),
        )
        for number, (entry, called) in enumerate(members)
    ]
    return sorted(work, key=lambda one: (-one.total_ns, one.entry.id, one.callable.id))


def _own_time(trace: Trace, inside: Inside) -> I64:
    """Return the time inside each callback, without getting in and without those inside it."""
    callbacks = trace.callbacks
    own = callbacks.duration - callbacks.enter_ns
    parents = inside.parents()
    inner = parents != NONE
    taken = np.bincount(parents[inner], callbacks.duration[inner], len(own)).astype(np.int64)
    spent: I64 = np.maximum(own - taken, 0)
    return spent


def _distinct(groups: I64, values: I64, size: int) -> I64:
    """Return how many different values each group has."""
    span = int(values.max(initial=0)) + 1
    counts: I64 = np.bincount(np.unique(groups * span + values) // span, minlength=size)
    return counts
