"""Stop-the-world pauses: which thread asked for them, and which threads they held up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.states.state import State
from gilscope.analysis.states.thread_states import interval_states
from gilscope.trace.format import LockWaitFlag

if TYPE_CHECKING:
    from gilscope.trace.arrays import I64, Bools
    from gilscope.trace.model import Intervals, Lock, Trace

REQUEST = "stop_the_world_request"
TURNS = ("interp->stoptheworld", "_PyRuntime.stoptheworld")
"""Beginnings of the source's names of the locks that a thread takes to stop the others."""


def is_turn(lock: Lock) -> bool:
    """Return whether a wait for this lock is a wait for the turn to stop all threads."""
    return lock.member.startswith(TURNS)


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause, as far as threads waited in it; times in ns.

    Attributes:
        start_ns: the first wait of it, from the trace's start.
        duration_ns: until the last wait of it ended.
        requester: `Thread.index` of the thread that asked for it; 0 if unknown.
        request_ns: how long that thread waited for the others to stop.
        held: threads that were held up.
        held_ns: for how long, all together.
    """

    start_ns: int
    duration_ns: int
    requester: int
    request_ns: int
    held: int
    held_ns: int


def pauses(trace: Trace) -> list[Pause]:
    """The pauses in the order of time: waits that overlap are of the same one."""
    waits = trace.intervals.select(interval_states(trace) == State.STOPPED_WORLD)
    if not len(waits):
        return []
    requests = _is_request(trace, waits)
    # Sorted by start: a new pause begins where all waits so far are over.
    latest = np.maximum.accumulate(waits.end)
    new = (waits.start[1:] > latest[:-1]) & ~_goes_on(waits, requests)
    firsts = np.concatenate([[0], 1 + np.flatnonzero(new)])
    starts = waits.start[firsts]
    columns = (
        starts,
        np.maximum.reduceat(waits.end, firsts) - starts,
        _requesters(waits, requests, firsts),
        np.add.reduceat(np.where(requests, waits.duration, 0), firsts),
        _held(waits, requests, firsts),
        np.add.reduceat(np.where(requests, 0, waits.duration), firsts),
    )
    return [Pause(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def _goes_on(waits: Intervals, requests: Bools) -> Bools:
    """Return which waits the next one only goes on with: a request waits in slices of 1 ms."""
    again = requests[:-1] & requests[1:] & (waits.thread[:-1] == waits.thread[1:])
    goes_on: Bools = again & ((waits.flags[:-1] & LockWaitFlag.TIMED_OUT) != 0)
    return goes_on


def _is_request(trace: Trace, waits: Intervals) -> Bools:
    used, places = np.unique(waits.what, return_inverse=True)
    kinds = np.array([trace.locks[lock].kind == REQUEST for lock in used.tolist()], np.bool_)
    return kinds[places]


def _requesters(waits: Intervals, requests: Bools, firsts: I64) -> I64:
    """Return who asked for each pause, 0 if that is not known."""
    none = len(waits)
    asked = np.minimum.reduceat(np.where(requests, np.arange(none), none), firsts)
    # No thread had to be stopped: the thread that resumed the others is the one that asked.
    ended = ~requests & ~waits.open
    low = np.minimum.reduceat(np.where(ended, waits.peer, np.iinfo(np.int32).max), firsts)
    high = np.maximum.reduceat(np.where(ended, waits.peer, 0), firsts)
    threads = np.append(waits.thread, 0)[asked].astype(np.int64)
    return np.where(asked < none, threads, np.where(low == high, high, 0))


def _held(waits: Intervals, requests: Bools, firsts: I64) -> I64:
    """Return how many threads each pause held up."""
    numbers = np.repeat(np.arange(len(firsts)), np.diff(np.append(firsts, len(waits))))
    span = int(waits.thread.max()) + 1
    pairs = np.unique(numbers[~requests] * span + waits.thread[~requests])
    return np.bincount(pairs // span, minlength=len(firsts))
