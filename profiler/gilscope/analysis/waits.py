"""Which intervals are waits for what others have: the GIL, and locks that are contended for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.spans import interval_states
from gilscope.trace.format import Event
from gilscope.trace.model import State

if TYPE_CHECKING:
    from gilscope.trace.model import U8, Bools, Trace

SIGNAL = ("Condition.wait", "threading.py")
"""Function and file in which a thread waits for a `threading.Lock` until another one notifies it:
what Condition, Event, Barrier, Semaphore and Queue are made of. No contention."""


def exact_states(trace: Trace) -> U8:
    """Return `interval_states`, with waits for a notification as what they are: BLOCKED."""
    states = interval_states(trace)
    rows = np.flatnonzero((states == State.WAITING_LOCK) & (trace.intervals.stack != 0))
    rows = rows[trace.intervals.kind[rows] == Event.LOCK_WAIT]
    used, places = np.unique(trace.intervals.stack[rows], return_inverse=True)
    signals = np.array([_is_signal(trace, stack) for stack in used.tolist()], np.bool_)
    if len(used):
        states[rows[signals[places]]] = State.BLOCKED
    return states


def contention(states: U8) -> Bools:
    """Return the intervals that are waits for the GIL or for a contended lock, bool[n]."""
    waiting: Bools = (states == State.WAITING_GIL) | (states == State.WAITING_LOCK)
    return waiting


def _is_signal(trace: Trace, stack: int) -> bool:
    frames = trace.stacks[stack]
    name, file = SIGNAL
    return bool(frames) and frames[0].name == name and frames[0].file.endswith(file)
