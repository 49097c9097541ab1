"""How long threads ran on a processor and waited for one, as the kernel counts it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import numpy as np

from gilscope.trace.arrays import I32, I64, later

PARTS = 256
"""Of a trace, in each of which it is looked at how many processors its threads wanted."""

SWITCHING = 0.1
"""Share of the time in which threads want processors that they lose without other processes."""


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
        return self._total(self.on_cpu)

    @property
    def total_runnable_ns(self) -> int:
        """How long all threads waited for a processor, likewise."""
        return self._total(self.runnable)

    def _total(self, counted: I64) -> int:
        if not len(self.thread):
            return 0
        _, first, counts = np.unique(self.thread, return_index=True, return_counts=True)
        # A thread that began with the session has a sample of its birth, and one of that moment.
        at_first = self.time == np.repeat(self.time[first], counts)
        begun = np.maximum.reduceat(np.where(at_first, counted, 0), first)
        return int((counted[first + counts - 1] - begun).sum())

    def taken_by_others_ns(self, duration_ns: int, processors: int) -> int:
        """How long threads waited for processors that other processes had, all together.

        What the threads took from one another is left out: as much as they wanted more processors
        than there are. So is as little as waking up and changing places takes.

        Args:
            duration_ns: Of the trace.
            processors: How many there were.
        """
        edges = np.linspace(0, duration_ns, PARTS + 1)
        wanted = np.zeros(PARTS)
        bounds = np.flatnonzero(np.diff(self.thread, prepend=-1)).tolist()
        for low, high in pairwise([*bounds, len(self)]):
            both = self.on_cpu[low:high] + self.runnable[low:high]
            wanted += np.diff(np.interp(edges, self.time[low:high], both))
        each_other = np.maximum(wanted - processors * np.diff(edges), 0).sum()
        waited = max(self.total_runnable_ns - float(each_other), 0.0)
        return int(waited) if waited > SWITCHING * float(wanted.sum()) else 0

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
