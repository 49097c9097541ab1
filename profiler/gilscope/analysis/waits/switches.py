"""How the GIL goes from thread to thread: how often, what is done in between, what that costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.grouping import order_by, summarize, typical_total
from gilscope.analysis.waits.gil_holds import SLACK_NS
from gilscope.trace.format import Event, HoldFlag

if TYPE_CHECKING:
    from gilscope.trace.arrays import I64, Bools
    from gilscope.trace.model import Trace


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """g times that a GIL was free although a thread waited for it.

    Attributes:
        holds: i64[g], rows of `Trace.intervals`: the hold that ended it.
        lost_ns: i64[g], for how long it was free and waited for.
        switched: bool[g], another thread had held it before.
    """

    holds: I64
    lost_ns: I64
    switched: Bools

    def __len__(self) -> int:
        return len(self.holds)


@dataclass(frozen=True, slots=True)
class Switching:
    """How the GIL changed hands; times in ns.

    Attributes:
        switches: from one thread to another that had waited for it.
        per_second: of the trace.
        work_ns: how long a thread held the GIL, all in all, from one switch to the next: median.
        handover_ns: from a release to the acquisition of the waiting thread: median.
        lost_ns: the GIL was free although a thread waited for it, all in all, without what the
            thread that was to get it had no processor for.
    """

    switches: int
    per_second: float
    work_ns: int
    handover_ns: int
    lost_ns: int


@dataclass(frozen=True, slots=True)
class Starved:
    """How a thread that needs the GIL for moments only waited for threads that keep it.

    Attributes:
        thread: `Thread.index`.
        waits: how often it waited for the GIL.
        asked: of these, waits in which it had to ask for the GIL, a switch interval or more each.
        wait_ns: all in all.
        p50_ns: of one wait, the middle one.
        hold_ns: how long it held the GIL at a time, the middle one.
        holds: how often it held it.
        forced: of these, how often it was asked to give it up itself.
    """

    thread: int
    waits: int
    asked: int
    wait_ns: int
    p50_ns: int
    hold_ns: int
    holds: int
    forced: int


def gaps(trace: Trace) -> Gaps:
    """Return when the GIL was free and waited for."""
    intervals = trace.intervals
    rows = np.flatnonzero(intervals.kind == Event.GIL_HOLD)
    rows = rows[order_by(intervals.what[rows])]
    before, after = rows[:-1], rows[1:]
    same = intervals.what[before] == intervals.what[after]
    before, after = before[same], after[same]
    ends, starts = intervals.end[before], intervals.start[after]
    lost = np.zeros(len(after), np.int64)
    waits = np.flatnonzero(intervals.kind == Event.GIL_WAIT)
    for gil in np.unique(intervals.what[after]).tolist():
        mine, chosen = waits[intervals.what[waits] == gil], intervals.what[after] == gil
        begins, over = intervals.start[mine], np.sort(intervals.end[mine])
        since, until = ends[chosen], starts[chosen]
        # The one that gets it waits until it has it, give or take what time stamps overlap by.
        begun = np.searchsorted(begins, since, "right")
        waiting = begun > np.searchsorted(over, since + SLACK_NS, "right")
        first = np.append(begins, np.iinfo(np.int64).max)[begun]
        lost[chosen] = np.maximum(until - np.where(waiting, since, np.minimum(first, until)), 0)
    some = lost > 0
    switched = intervals.thread[before] != intervals.thread[after]
    return Gaps(after[some], lost[some], switched[some])


def switching(trace: Trace, found: Gaps) -> Switching:
    """Return how the GIL changed hands."""
    intervals = trace.intervals
    rows = np.flatnonzero(intervals.kind == Event.GIL_HOLD)
    rows = rows[order_by(intervals.what[rows])]
    threads = intervals.thread[rows]
    firsts = np.flatnonzero(np.diff(threads, prepend=-1))
    runs = np.add.reduceat(intervals.duration[rows], firsts) if len(rows) else firsts
    switched = found.lost_ns[found.switched]
    seconds = trace.duration_ns / 1e9
    return Switching(
        switches=len(switched),
        per_second=len(switched) / seconds if seconds else 0.0,
        work_ns=_median(runs),
        handover_ns=_median(switched),
        lost_ns=typical_total(found.lost_ns),
    )


def starved(trace: Trace) -> list[Starved]:
    """Return what each thread that waited for the GIL waited and held, longest waits first."""
    intervals = trace.intervals
    size = 1 + max((thread.index for thread in trace.threads), default=0)
    waits, holds = intervals.kind == Event.GIL_WAIT, intervals.kind == Event.GIL_HOLD
    waited = summarize(intervals.thread[waits], intervals.duration[waits], size)
    held = summarize(intervals.thread[holds], intervals.duration[holds], size)
    asked = np.bincount(intervals.thread[waits & (intervals.aux > 0)], minlength=size)
    forced = holds & ((intervals.flags & np.uint8(HoldFlag.FORCED)) != 0)
    pushed = np.bincount(intervals.thread[forced], minlength=size)
    columns = (waited.count, asked, waited.total, waited.p50, held.p50, held.count, pushed)
    rows = np.flatnonzero(waited.count)
    rows = rows[np.argsort(-waited.total[rows], kind="stable")]
    return [Starved(*numbers) for numbers in zip(*_lists(rows, *columns), strict=True)]


def _lists(rows: I64, *columns: I64) -> list[list[int]]:
    return [rows.tolist(), *(column[rows].tolist() for column in columns)]


def _median(values: I64) -> int:
    return int(np.partition(values, len(values) // 2)[len(values) // 2]) if len(values) else 0
