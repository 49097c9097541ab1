"""How much of what threads waited for each other is due to processors that they did not get."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

WINDOW_NS = 100_000_000
"""In which processors are looked at together: the kernel's samples are about as far apart."""

MOST_WINDOWS = 1000

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gilscope.trace.arrays import I64
    from gilscope.trace.model import Trace

    type F64 = np.ndarray[tuple[int], np.dtype[np.float64]]


def ran_part(trace: Trace, rows: I64) -> float:
    """Return the part of some waits that is left without waiting for processors, 0 to 1.

    Whoever was waited for ran in as large a part of it as these threads did of the time in which
    they could run; and each of them needed a processor itself when it was woken.

    Args:
        trace: the trace.
        rows: of `trace.intervals`: waits for one lock, whose holders never sleep.

    Returns:
        1 if the kernel's samples do not tell.
    """
    intervals = trace.intervals
    if not len(rows):
        return 1.0
    begin, end = int(intervals.start[rows].min()), int(intervals.end[rows].max())
    threads = np.unique(intervals.thread[rows]).tolist()
    shares = [trace.cpu_times.share(thread, begin, end) for thread in threads]
    known = [share for share in shares if share is not None]
    ran = sum(share.on_cpu_ns for share in known)
    ready = sum(share.runnable_ns for share in known)
    measured = sum(share.measured_ns for share in known)
    if not ran:
        return 1.0
    return ran / (ran + ready) * (1 - ready / measured)


def undisturbed_ns(trace: Trace, threads: Iterable[int]) -> int:
    """Return about how long the run would have been if these threads had not waited for processors.

    Args:
        trace: the trace.
        threads: `Thread.index` of each.
    """
    shares = [trace.cpu_times.share(thread, 0, trace.duration_ns) for thread in threads]
    known = [share for share in shares if share is not None]
    ran = sum(share.on_cpu_ns for share in known)
    ready = sum(share.runnable_ns for share in known)
    return int(trace.duration_ns * ran / (ran + ready)) if ran else trace.duration_ns


def reachable(trace: Trace, rows: I64) -> float:
    """Return the part of some waits that can be had back by a run that does not wait, 0 to 1.

    The same work takes the same processor time, so no stretch of the run can become shorter than
    what all processors together take for it. Where r of P processors are busy while k threads
    wait, and P is less than r + k, that is P - r of P parts of these threads' time, not all of k.
    What threads had no processor for is not looked at, nor what other processes use.

    Args:
        trace: the trace.
        rows: of `trace.intervals`: the waits.

    Returns:
        1 if the number of processors is not known, or the kernel's samples do not tell.
    """
    starts, ends = trace.intervals.start[rows], trace.intervals.end[rows]
    if not trace.processors or not len(rows) or not len(trace.cpu_times):
        return 1.0
    begin, end = int(starts.min()), int(ends.max())
    windows = min(max((end - begin) // WINDOW_NS, 1), MOST_WINDOWS)
    edges = np.linspace(begin, end, windows + 1)
    waited = np.diff(_spent_by(starts, edges) - _spent_by(ends, edges))
    ran = np.diff(_ran_by(trace, edges))
    busy = np.minimum(ran / (trace.processors * np.maximum(np.diff(edges), 1)), 1)
    gained = np.minimum(waited, (ran + waited) * (1 - busy))
    return float(gained.sum() / waited.sum()) if waited.any() else 1.0


def _spent_by(starts: I64, edges: F64) -> F64:
    """Return how long ago each of these times had begun at each edge, all together, ns."""
    starts = np.sort(starts)
    begun = np.searchsorted(starts, edges)
    sums = np.concatenate([[0], np.cumsum(starts)])[begun]
    spent: F64 = edges * begun - sums
    return spent


def _ran_by(trace: Trace, edges: F64) -> F64:
    """Return for how long threads had run on processors at each edge, all together, ns."""
    times = trace.cpu_times
    total = np.zeros(len(edges))
    bounds = np.flatnonzero(np.diff(times.thread, prepend=-1, append=-1))
    for low, high in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        total += np.interp(edges, times.time[low:high], times.on_cpu[low:high])
    return total
