"""Convoys: a thread was handed a lock, and then had to wait for the GIL while it owned it.

Whoever wants the lock meanwhile waits for a thread that cannot run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.grouping import order_by
from gilscope.analysis.states.state import State
from gilscope.analysis.states.thread_states import interval_states
from gilscope.trace.format import Event, LockWaitFlag

if TYPE_CHECKING:
    from gilscope.trace.arrays import I64, U8
    from gilscope.trace.model import Lock, Trace


@dataclass(frozen=True, slots=True, eq=False)
class Convoys:
    """k convoys, as rows of `Trace.intervals`.

    Attributes:
        lock_waits: i64[k], the waits that ended with the lock.
        gil_waits: i64[k], the waits for the GIL that followed.
    """

    lock_waits: I64
    gil_waits: I64

    def __len__(self) -> int:
        return len(self.lock_waits)


@dataclass(frozen=True, slots=True)
class ConvoyTotals:
    """The convoys of one lock: how many, and the time that its owners waited for the GIL, ns."""

    lock: Lock
    count: int
    gil_wait_ns: int


def convoys(trace: Trace, states: U8 | None = None) -> Convoys:
    """Waits for locks that ended with a hand-over, and what their threads did next: wait again.

    Args:
        trace: the trace.
        states: its `interval_states`, if they are at hand: who is notified owns nothing that others
            want.
    """
    intervals = trace.intervals
    states = interval_states(trace) if states is None else states
    rows = order_by(intervals.thread)
    before, after = rows[:-1], rows[1:]
    found = (
        (intervals.thread[before] == intervals.thread[after])
        & (intervals.kind[before] == Event.LOCK_WAIT)
        & (states[before] == State.WAITING_LOCK)
        & ((intervals.flags[before] & np.uint8(LockWaitFlag.HANDED_OFF)) != 0)
        & (intervals.kind[after] == Event.GIL_WAIT)
        & (intervals.start[after] >= intervals.end[before])
    )
    return Convoys(before[found], after[found])


def convoy_totals(trace: Trace) -> list[ConvoyTotals]:
    """Convoys by lock, the longest first."""
    found = convoys(trace)
    what = trace.intervals.what[found.lock_waits]
    ids, places = np.unique(what, return_inverse=True)
    counts = np.bincount(places, minlength=len(ids)).tolist()
    sums = np.bincount(places, trace.intervals.duration[found.gil_waits], len(ids)).tolist()
    totals = [
        ConvoyTotals(trace.locks[lock], n, int(ns))
        for lock, n, ns in zip(ids.tolist(), counts, sums, strict=True)
    ]
    return sorted(totals, key=lambda t: (-t.gil_wait_ns, t.lock.id))
