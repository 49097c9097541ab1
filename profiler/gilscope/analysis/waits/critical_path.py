"""The critical path: from the end of the run back, always in the thread that was waited for.

While a thread waited, what it waited for lies on the path, not the wait: that is how long the run
took. Recorded are hand-overs of the GIL and of locks. Inferred are the starts of threads, and waits
of native code for its threads (see `joins`); the path says how many of its steps are.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.grouping import order_by
from gilscope.analysis.states.state import State
from gilscope.analysis.states.thread_states import Lane, lanes
from gilscope.analysis.waits.contention import acquired_waits
from gilscope.analysis.waits.handover import gil_handovers, lock_handovers
from gilscope.analysis.waits.joins import hidden_joins, unexplained, work_signs
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gilscope.analysis.waits.joins import Join
    from gilscope.trace.arrays import I64, Bools
    from gilscope.trace.model import Trace

NO_STEP = -1


@dataclass(frozen=True, slots=True, eq=False)
class Causes:
    """n times that a thread could go on because another one had done something.

    Attributes:
        thread: i64[n], `Thread.index` of the one that could go on.
        at: i64[n], when it did, ns from the trace's start.
        by: i64[n], `Thread.index` of the other one.
        when: i64[n], when that had done it; before `at`.
        inferred: bool[n], the trace does not say so.
    """

    thread: I64
    at: I64
    by: I64
    when: I64
    inferred: Bools

    def __len__(self) -> int:
        return len(self.thread)


@dataclass(frozen=True, slots=True, eq=False)
class CriticalPath:
    """s pieces, in the order of time; together with the hand-overs they fill the run.

    Attributes:
        thread: i64[s], `Thread.index` of who was waited for.
        start: i64[s], ns from the trace's start.
        end: i64[s], ns from the trace's start. From here to the next one's start is a hand-over.
        inferred: how many of the hand-overs were inferred, not recorded.
    """

    thread: I64
    start: I64
    end: I64
    inferred: int

    def __len__(self) -> int:
        return len(self.thread)


@dataclass(frozen=True, slots=True)
class OnPath:
    """What a thread did on the critical path: time in each `State`, ns, by its number."""

    thread: int
    states: tuple[int, ...]

    @property
    def total_ns(self) -> int:
        """How long it was on the path."""
        return sum(self.states)


def critical_path(trace: Trace, life: Sequence[Lane] | None = None) -> CriticalPath:
    """Return the path that ends with the main thread, else with the thread that ended last.

    Args:
        trace: the run.
        life: `lanes(trace)`, if it is at hand.
    """
    if not trace.threads:
        nothing = np.zeros(0, np.int64)
        return CriticalPath(nothing, nothing, nothing, 0)
    causes = _causes(trace, lanes(trace) if life is None else life)
    last = next(
        (thread for thread in trace.threads if thread.main),
        max(trace.threads, key=lambda thread: thread.end_ns),
    )
    steps = _walk(trace, causes, last.index, last.end_ns)
    # Backwards: the first piece ends with the run, each other one where its thread was done.
    threads = np.append(last.index, causes.by[steps])
    ends = np.append(last.end_ns, causes.when[steps])
    first = trace.threads_by_index[int(threads[-1])].start_ns
    starts = np.append(causes.at[steps], min(first, int(ends[-1])))
    return CriticalPath(
        threads[::-1], starts[::-1], ends[::-1], int(np.count_nonzero(causes.inferred[steps]))
    )


def on_path(path: CriticalPath, life: Iterable[Lane]) -> list[OnPath]:
    """Return what each thread of the path did on it, the longest first."""
    found = []
    order = order_by(path.thread)
    threads = path.thread[order]
    for lane in life:
        begin, end = np.searchsorted(threads, [lane.thread.index, lane.thread.index + 1])
        mine = order[begin:end]
        if not len(mine) or not len(lane):
            continue
        sums = [0] * len(State)
        bounds = np.append(lane.starts, lane.ends[-1])
        for state in np.unique(lane.states).tolist():
            spent = np.where(lane.states == state, lane.ends - lane.starts, 0)
            until = np.concatenate([[0], np.cumsum(spent)])
            begun = np.interp(path.start[mine], bounds, until)
            sums[state] = int((np.interp(path.end[mine], bounds, until) - begun).sum().round())
        found.append(OnPath(lane.thread.index, tuple(sums)))
    return sorted(found, key=lambda one: (-one.total_ns, one.thread))


def _walk(trace: Trace, causes: Causes, thread: int, end: int) -> I64:
    """Return the causes on the path, from its end back."""
    # One key for thread and time: all of one thread lies before all of the next.
    span = trace.duration_ns + int(causes.at.max(initial=0)) + 2
    keys = causes.thread * span + causes.at
    order = np.argsort(keys, kind="stable")
    keys = keys[order]

    def before(threads: I64, times: I64) -> I64:
        """Return the last cause of each thread up to a time, by its place in the order."""
        places = np.searchsorted(keys, threads * span + times, "right") - 1
        same = (places >= 0) & (causes.thread[order[places]] == threads)
        return np.where(same, places, NO_STEP)

    if not len(causes):
        return order
    # As quick to look up as a list, which would take four times the memory.
    previous = memoryview(before(causes.by[order], causes.when[order]))
    place = int(before(np.array([thread]), np.array([end]))[0])
    steps = array("q")
    # The only loop over events: a look-up a step, 10 million in about a second. It ends because
    # each cause lies before its effect.
    while place != NO_STEP:
        steps.append(place)
        place = previous[place]
    return order[np.array(steps, np.int64)]


def _causes(trace: Trace, life: Sequence[Lane]) -> Causes:
    """Return which thread let which one go on, each known or inferred."""
    inferred = [*_joins(trace, hidden_joins(trace, [lane for lane in life if len(lane)])),
                *_starts(trace)]  # fmt: skip
    guessed = np.array(inferred, np.int64).reshape(-1, 4).T
    parts = [_of_gil(trace), _of_locks(trace), tuple(guessed)]
    thread, at, by, when = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    flags = np.arange(len(at)) >= len(at) - guessed.shape[1]
    good = (when < at) & (thread != by) & np.isin(by, [t.index for t in trace.threads])
    return Causes(thread[good], at[good], by[good], when[good], flags[good])


def _of_gil(trace: Trace) -> tuple[I64, I64, I64, I64]:
    intervals = trace.intervals
    found = gil_handovers(trace)
    causes, effects = found.causes, found.effects
    # A thread that asked after the release did not wait for it.
    rows = np.flatnonzero(np.isin(intervals.kind, (Event.GIL_HOLD, Event.GIL_WAIT)))
    rows = rows[order_by(intervals.thread[rows])]
    asked = np.full(len(intervals), np.iinfo(np.int64).max)
    waited = acquired_waits(intervals)[rows[:-1]]
    asked[rows[1:][waited]] = intervals.start[rows[:-1][waited]]
    held_up = asked[effects] < intervals.end[causes]
    causes, effects = causes[held_up], effects[held_up]
    return (
        intervals.thread[effects].astype(np.int64),
        intervals.start[effects],
        intervals.thread[causes].astype(np.int64),
        np.minimum(intervals.end[causes], intervals.start[effects] - 1),
    )


def _of_locks(trace: Trace) -> tuple[I64, I64, I64, I64]:
    intervals, wakes = trace.intervals, trace.wakes
    found = lock_handovers(trace)
    return (
        intervals.thread[found.effects].astype(np.int64),
        intervals.end[found.effects],
        wakes.thread[found.causes].astype(np.int64),
        np.minimum(wakes.start[found.causes], intervals.end[found.effects] - 1),
    )


def _joins(trace: Trace, joins: Iterable[Join]) -> Iterable[tuple[int, int, int, int]]:
    """Yield, of each wait of native code for its threads, its end and what began with it."""
    joins = list(joins)
    workers = sorted({worker for join in joins for worker in join.workers})
    _, signs = work_signs(trace, unexplained(trace), workers)
    for join in joins:
        done = {}
        for worker in join.workers:
            place = int(np.searchsorted(signs[worker], join.end)) - 1
            thread = trace.threads_by_index[worker]
            done[worker] = int(signs[worker][place]) if place >= 0 else 0
            if thread.end_ns < join.end:
                done[worker] = thread.end_ns
            if thread.start_ns < join.start:
                yield worker, join.start + 1, join.thread, join.start
        last = max(done, key=lambda worker: done[worker])
        if done[last] > join.start:
            yield join.thread, join.end, last, min(done[last], join.end - 1)


def _starts(trace: Trace) -> Iterable[tuple[int, int, int, int]]:
    """Yield the assumed starter of each thread: the main thread."""
    main = next((thread for thread in trace.threads if thread.main), None)
    for thread in trace.threads:
        if main and not thread.main and main.start_ns < thread.start_ns <= main.end_ns:
            yield thread.index, thread.start_ns + 1, main.index, thread.start_ns
