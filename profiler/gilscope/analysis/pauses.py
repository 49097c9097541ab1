"""Stop-the-world pauses: who asked for them, whom they held up."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.spans import interval_states
from gilscope.trace.model import State

if TYPE_CHECKING:
    from gilscope.trace.model import Bools, Intervals, Trace

REQUEST = "stop_the_world_request"


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
    firsts = 1 + np.flatnonzero(waits.start[1:] > latest[:-1])
    bounds = [0, *firsts.tolist(), len(waits)]
    parts = (slice(a, b) for a, b in pairwise(bounds))
    return [_pause(waits.select(part), requests[part]) for part in parts]


def _is_request(trace: Trace, waits: Intervals) -> Bools:
    used, places = np.unique(waits.what, return_inverse=True)
    kinds = np.array([trace.locks[lock].kind == REQUEST for lock in used.tolist()], np.bool_)
    return kinds[places]


def _pause(waits: Intervals, requests: Bools) -> Pause:
    held = waits.select(~requests)
    if requests.any():
        requester = int(waits.thread[requests][0])
    else:
        # Nobody had to be waited for: the thread that let the others go on is the one that asked.
        enders = np.unique(held.peer[~held.open])
        requester = int(enders[0]) if len(enders) == 1 else 0
    start = int(waits.start[0])
    return Pause(
        start_ns=start,
        duration_ns=int(waits.end.max()) - start,
        requester=requester,
        request_ns=int(waits.duration[requests].sum()),
        held=len(np.unique(held.thread)),
        held_ns=int(held.duration.sum()),
    )
