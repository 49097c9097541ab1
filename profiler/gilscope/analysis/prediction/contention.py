"""Losses of threads to one another without the GIL, which a trace of the GIL cannot show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.states.state import State
from gilscope.analysis.states.thread_states import interval_states

if TYPE_CHECKING:
    from gilscope.trace.model import Trace

INTERNAL = ("object", "mutex", "raw_mutex", "stop_the_world", "stop_the_world_request")
"""Kinds of locks that nobody contends for under the GIL: of objects, of the interpreter."""


def kept_after_contention(without: Trace, alone: Trace | None) -> float:
    """Return the part of a speed-up that is left, from 0 to 1.

    Two things take from it. Threads wait for locks that the GIL makes superfluous. And they need
    more processor time for the same work, since they spin, or wait for cache lines.

    Args:
        without: The trace of a run without the GIL.
        alone: Of the same build with its GIL on, which does the same work one thread at a time.
    """
    return _not_waiting(without) * _not_slower(without, alone)


def _not_waiting(trace: Trace) -> float:
    """Return the part of its threads' time in which they do not sleep for such locks.

    A wait in which a thread could run, and had no processor, is not the lock's.
    """
    intervals, locks = trace.intervals, trace.locks
    used, places = np.unique(intervals.what, return_inverse=True)
    if not len(used):
        return 1.0
    internal = np.array([n in locks and locks[n].kind in INTERNAL for n in used.tolist()], np.bool_)
    states = interval_states(trace)
    waiting = np.isin(states, (State.WAITING_LOCK, State.STOPPED_WORLD)) & internal[places]
    size = 1 + max((thread.index for thread in trace.threads), default=0)
    waited = np.bincount(intervals.thread[waiting], intervals.duration[waiting], size)
    asleep, wanted = 0.0, 0.0
    for thread in trace.threads:
        done = trace.cpu_times.share(thread.index, thread.start_ns, thread.end_ns)
        if done is not None:
            asleep += min(float(waited[thread.index]), done.asleep_ns)
            wanted += done.on_cpu_ns + done.runnable_ns
    return wanted / (wanted + asleep) if wanted + asleep else 1.0


def _not_slower(without: Trace, alone: Trace | None) -> float:
    """Return how much less processor time the same work takes one thread at a time."""
    needed = without.cpu_times.total_on_cpu_ns
    least = alone.cpu_times.total_on_cpu_ns if alone is not None else 0
    return min(1.0, least / needed) if least and needed else 1.0
