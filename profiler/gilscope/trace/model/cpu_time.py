"""How long threads ran on a processor and waited for one, as the kernel counts it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from gilscope.trace.arrays import I32, I64, later


@dataclass(frozen=True, slots=True)
class CpuShare:
    """How a thread spent a stretch of time, in ns; the three add up to `measured_ns`.

    Attributes:
        measured_ns: how much of the stretch lies between samples of the thread.
        on_cpu_ns: it ran.
        runnable_ns: it could have run, and waited for a processor.
        asleep_ns: it waited for anything else.
    """

    measured_ns: int
    on_cpu_ns: int
    runnable_ns: int
    asleep_ns: int


@dataclass(frozen=True, eq=False)
class CpuTimes:
    """Samples as columns of equal length n, by (thread, time).

    Attributes:
        thread: i32[n], `Thread.index`.
        time: i64[n], ns from the trace's start.
        on_cpu: i64[n], ns on a processor since the thread's start.
        runnable: i64[n], ns ready to run and not running, likewise.
    """

    thread: I32
    time: I64
    on_cpu: I64
    runnable: I64

    def __len__(self) -> int:
        return len(self.thread)

    def share(self, thread: int, start_ns: int, end_ns: int) -> CpuShare | None:
        """Return how a thread spent the time from start to end, in proportion between samples.

        A sample is taken about every tenth of a second, and at both ends of a time in which the
        thread did not run at all: what is between two of them is known as a sum only.

        Returns:
            None if there are not two samples of it around any of this time.
        """
        low, high = np.searchsorted(self.thread, (thread, thread + 1))
        time = self.time[low:high]
        if len(time) < 2:  # noqa: PLR2004 - the ends of a stretch
            return None
        ends = np.clip([start_ns, end_ns], time[0], time[-1])
        measured = int(ends[1] - ends[0])
        if measured <= 0:
            return None
        ran = _between(ends, time, self.on_cpu[low:high], measured)
        waited = _between(ends, time, self.runnable[low:high], measured - ran)
        return CpuShare(measured, ran, waited, measured - ran - waited)

    @property
    def total_on_cpu_ns(self) -> int:
        """Processor time of all threads between the first sample of each and its last one."""
        if not len(self.thread):
            return 0
        _, first, counts = np.unique(self.thread, return_index=True, return_counts=True)
        # A thread that began with the session has a sample of its birth, and one of that moment.
        at_first = self.time == np.repeat(self.time[first], counts)
        begun = np.maximum.reduceat(np.where(at_first, self.on_cpu, 0), first)
        return int((self.on_cpu[first + counts - 1] - begun).sum())

    def shifted(self, ns: int) -> CpuTimes:
        """The same samples, later by ``ns``."""
        return replace(self, time=later(self.time, ns))

    @classmethod
    def empty(cls) -> Self:
        """No samples."""
        none = np.zeros(0, np.int64)
        return cls(np.zeros(0, np.int32), none, none, none)


def _between(ends: I64, time: I64, value: I64, most: int) -> int:
    # The kernel's counts and our time stamps are not taken at one moment.
    first, last = np.interp(ends, time, value)
    return int(np.clip(round(last - first), 0, most))
