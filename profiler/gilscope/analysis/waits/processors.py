"""How much of what threads waited for each other is due to processors that they did not get."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gilscope.trace.arrays import I64
    from gilscope.trace.model import Trace


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
