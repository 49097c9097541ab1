"""What each thread was doing at each moment of its life."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from gilscope.analysis.grouping import order_by
from gilscope.analysis.states.nesting import NO_ROW, Nested, edges, nested
from gilscope.analysis.states.state import State
from gilscope.trace.distinct import distinct
from gilscope.trace.format import Event, LockWaitFlag

if TYPE_CHECKING:
    from gilscope.trace.arrays import I64, U8, U32, Bools
    from gilscope.trace.model import Intervals, Thread, Trace

# Kinds of locks whose waits are not contention.
LOCK_STATES = {
    "simple_queue": State.BLOCKED,
    "event": State.BLOCKED,
    "thread_end": State.BLOCKED,
    "native_condition": State.BLOCKED,
    "stop_the_world": State.STOPPED_WORLD,
    "stop_the_world_request": State.STOPPED_WORLD,
}

MOST_KEPT = 300_000
"""Intervals of a trace whose lanes are kept as long as it is: a view asks for them many times, and
with thousands of threads that takes longer than all else."""

_kept: WeakKeyDictionary[Trace, list[Lane]] = WeakKeyDictionary()
_BLOCK = 1 << 17  # intervals that are looked at together
_STATE_OF_KIND = np.full(256, State.WAITING_GIL, np.uint8)
_STATE_OF_KIND[Event.GIL_HOLD] = State.HOLDING_GIL

SIGNAL = ("Condition.wait", "threading.py")
"""Function and file in which a thread waits for a `threading.Lock` until another one notifies it:
what Condition, Event, Barrier, Semaphore and Queue are made of. No contention."""


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """The life of a thread, cut into n segments without gaps and without overlap.

    Attributes:
        thread: whose life it is.
        starts: i64[n], ns from the trace's start; the first one is `thread.start_ns`.
        ends: i64[n], ns from the trace's start; each is the next one's start.
        states: u8[n], a `State`.
        refs: i64[n], row of `Trace.intervals` that says so; -1 where none does: RUNNING.
    """

    thread: Thread
    starts: I64
    ends: I64
    states: U8
    refs: I64

    def __len__(self) -> int:
        return len(self.starts)


def lanes(trace: Trace) -> list[Lane]:
    """One lane a thread, in the order of `trace.threads`; a life of length 0 has no segments."""
    if len(trace.intervals) > MOST_KEPT:
        return _lanes(trace)
    if trace not in _kept:
        _kept[trace] = _lanes(trace)
    return list(_kept[trace])


def _lanes(trace: Trace) -> list[Lane]:
    # One more than there are intervals: the last is what -1 refers to.
    states = np.append(interval_states(trace), np.uint8(State.RUNNING))
    return [_lane(thread, intervals, states) for thread, intervals in nested(trace)]


def interval_states(trace: Trace) -> U8:
    """The `State` that each interval of the trace puts its thread into, u8[n]."""
    intervals = trace.intervals
    states = _STATE_OF_KIND[intervals.kind]
    rows = np.flatnonzero((intervals.kind == Event.LOCK_WAIT) | (intervals.kind == Event.SPIN))
    parts = [np.zeros(0, np.int64)]
    for at in range(0, len(rows), _BLOCK):
        own = rows[at : at + _BLOCK]
        some = intervals.select(own)
        states[own] = _states_on_locks(trace, some)
        parts.append(own[ended_by_itself(some)])
    # A wait that the thread ended itself is not contention: nested critical sections do that.
    itself = np.concatenate(parts)
    states[itself] = State.RUNNING
    states[_spins_before(intervals, itself)] = State.RUNNING
    return states


def _states_on_locks(trace: Trace, intervals: Intervals) -> U8:
    used, places = distinct(intervals.what)
    table = np.array([_lock_state(trace.locks[lock].kind) for lock in used.tolist()], np.uint8)
    states: U8 = table[places]
    states[intervals.kind == Event.SPIN] = State.WAITING_LOCK
    contended = states == State.WAITING_LOCK
    states[contended & wait_for_signal(trace, intervals.stack)] = State.BLOCKED
    return states


def wait_for_signal(trace: Trace, stacks: U32) -> Bools:
    """Which of these stacks, u32[n], wait for a lock until another thread notifies, bool[n]."""
    used, places = distinct(stacks)
    signals = np.array([_is_signal(trace, stack) for stack in used.tolist()], np.bool_)
    return signals[places]


def _is_signal(trace: Trace, stack: int) -> bool:
    frames = trace.stacks[stack]
    name, file = SIGNAL
    return bool(frames) and frames[0].name == name and frames[0].file.endswith(file)


def _spins_before(intervals: Intervals, waits: I64) -> I64:
    """The spins that went over into these waits for locks, rows."""
    if not len(waits):
        return np.zeros(0, np.int64)
    threads, kinds = intervals.thread, intervals.kind
    # Of the threads that it is about only: those are few. The rows are by start already.
    wanted = np.zeros(int(threads.max()) + 1, np.bool_)
    wanted[threads[waits]] = True
    rows = np.flatnonzero(((kinds == Event.SPIN) | (kinds == Event.LOCK_WAIT)) & wanted[threads])
    rows = rows[order_by(threads[rows])]
    chosen = np.zeros(len(intervals), np.bool_)
    chosen[waits] = True
    places = np.flatnonzero(chosen[rows[1:]] & (kinds[rows[:-1]] == Event.SPIN))
    before, after = rows[places], rows[places + 1]
    same = threads[before] == threads[after]
    same &= intervals.gather("what", before) == intervals.gather("what", after)
    spins: I64 = before[same]
    return spins


def ended_by_itself(intervals: Intervals) -> Bools:
    """The waits for locks that the waiting thread itself ended, bool[n]."""
    holder = (intervals.flags & np.uint8(LockWaitFlag.HOLDER)) != 0
    itself: Bools = (intervals.kind == Event.LOCK_WAIT) & (intervals.peer == intervals.thread)
    itself &= ~holder & ~intervals.open
    return itself


def _lock_state(kind: str) -> State:
    return LOCK_STATES.get(kind, State.WAITING_LOCK)


def _lane(thread: Thread, intervals: Nested, states: U8) -> Lane:
    cuts = edges(intervals)
    times = np.concatenate([[thread.start_ns], cuts.times, [thread.end_ns]])
    refs = np.concatenate([[NO_ROW], cuts.after])
    long_enough = times[1:] > times[:-1]
    starts, refs = times[:-1][long_enough], refs[long_enough]
    # Around something of length 0 the same segment goes on.
    new = np.ones(len(refs), np.bool_)
    new[1:] = refs[1:] != refs[:-1]
    refs = refs[new]
    # One column in memory for both, since each end is the next one's start.
    bounds = np.append(starts[new], thread.end_ns)
    return Lane(thread, bounds[:-1], bounds[1:], states[refs], refs)
