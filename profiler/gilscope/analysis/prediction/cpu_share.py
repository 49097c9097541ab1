"""How much of a processor's time each thread of a recorded run had.

The kernel's samples of a thread say it as a sum between two of them, about a tenth of a second
apart. Within that time, and where there are none, threads are taken to have had equal shares where
more of them ran than there were processors.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gilscope.analysis.states.state import State
from gilscope.trace.format import HoldFlag

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gilscope.analysis.states.thread_states import Lane
    from gilscope.analysis.waits.joins import Join
    from gilscope.trace.arrays import U8, Bools
    from gilscope.trace.model import CpuTimes, Trace

    type F64 = np.typing.NDArray[np.float64]


class Basis(Enum):
    """What tells how much of a processor's time a thread had."""

    SAMPLES = auto()  # the kernel's samples of it, as far as there are any
    SHARES = auto()  # that threads share the processors evenly
    HOLDS = auto()  # the samples while it held the GIL; without it, it is taken to have slept


class Done(NamedTuple):
    """What a thread did in each of n stretches of time, f64[n] each, ns.

    Attributes:
        work: Of a processor's time.
        asleep: In the same time it was at rest, as one that waits for a disk is.
    """

    work: F64
    asleep: F64


class _Measured(NamedTuple):
    """What the kernel's samples of a thread say of its work.

    Attributes:
        times: f64[k], of the samples, ns from the trace's start.
        known: bool[k + 1], before, between and after them: whether it is known.
        ran: f64[k + 1], of the time in which it did something: how much it had a processor.
        slept: f64[k + 1], and how much of it it neither had one nor wanted one.
    """

    times: F64
    known: Bools
    ran: F64
    slept: F64


NOT_MEASURED = _Measured(np.zeros(0), np.zeros(1, np.bool_), np.zeros(1), np.zeros(1))


class Work:
    """How much of a processor's time each thread had, up to any moment."""

    def __init__(self, trace: Trace, lanes: list[Lane], joins: list[Join], processors: int) -> None:
        self._numbers = {lane.thread.index: number for number, lane in enumerate(lanes)}
        idle: dict[int, list[tuple[int, int]]] = {}
        for join in joins:
            idle.setdefault(join.thread, []).append((join.start, join.end))
            for worker in join.workers:
                lane = lanes[self._numbers[worker]]
                idle.setdefault(worker, []).extend(_idle_around(lane, join))
        flags = np.append(trace.intervals.flags, np.uint8(0))  # the last is of no interval
        self._holding = [_spans(lane, lane.states == State.HOLDING_GIL, ()) for lane in lanes]
        self._running = [
            _spans(lane, _working(flags, lane), idle.get(lane.thread.index, ())) for lane in lanes
        ]
        self._clock = _shares([*self._holding, *self._running], processors)
        self._measured = [
            self._hold_against(trace.cpu_times, index, number)
            for index, number in self._numbers.items()
        ]

    def between(self, number: int, times: F64, basis: Basis) -> Done:
        """Return what a thread did between each two of n + 1 times.

        Args:
            number: Of its lane.
            times: f64[n + 1], ns from the trace's start, increasing.
            basis: What tells it.
        """
        measured = NOT_MEASURED if basis is Basis.SHARES else self._measured[number]
        grid = np.union1d(times, measured.times)
        at = np.searchsorted(grid, times)
        cells = np.searchsorted(measured.times, grid[:-1], side="right")

        def summed(fine: F64) -> F64:
            return np.diff(np.concatenate([[0.0], np.cumsum(fine)])[at])

        known = measured.known[cells]
        ran, slept = measured.ran[cells], measured.slept[cells]
        work, asleep = np.zeros(len(cells)), np.zeros(len(cells))
        for spans in (self._holding[number], self._running[number]):
            lasted = np.diff(_up_to(spans, grid, None))
            if basis is Basis.HOLDS and spans is self._running[number]:
                asleep += lasted
                continue
            shared = np.diff(_up_to(spans, grid, self._clock))
            work += np.where(known, lasted * ran, shared)
            asleep += lasted * slept
        return Done(summed(work), summed(asleep))

    def _hold_against(self, samples: CpuTimes, index: int, number: int) -> _Measured:
        """Compare a thread's assumed work with the kernel's samples of it."""
        low, high = np.searchsorted(samples.thread, (index, index + 1))
        times = samples.time[low:high].astype(np.float64)
        times, first = np.unique(times, return_index=True)
        if len(times) < 2:  # noqa: PLR2004 - the ends of a stretch
            return NOT_MEASURED
        spans = self._holding[number], self._running[number]
        lasted = sum(np.diff(_up_to(some, times, None)) for some in spans)
        on_cpu = np.diff(samples.on_cpu[low:high][first])
        runnable = np.diff(samples.runnable[low:high][first])
        # The rest of the measured time is the cost of waiting: it disappears with the waits.
        ran = np.clip(on_cpu / np.maximum(lasted, 1.0), 0, 1)
        slept = np.clip((lasted - on_cpu - runnable) / np.maximum(lasted, 1.0), 0, 1)
        known = np.pad(np.ones(len(ran), np.bool_), 1)
        return _Measured(times, known, np.pad(ran, 1), np.pad(slept, 1))

    def even_factors(
        self,
        joins: Iterable[Join],
        begins: dict[tuple[int, int], int],
        processors: float,
        basis: Basis,
    ) -> list[list[tuple[int, int, float]]]:
        """Return (start, end, factor) by thread: how shared work changes its own work.

        Args:
            joins: Those whose threads share their work.
            begins: When each of them began to work, by the join's start and the worker.
            processors: How many they have.
            basis: What tells how much work it is.
        """
        factors: list[list[tuple[int, int, float]]] = [[] for _ in self._numbers]
        for join in joins:
            numbers = [self._numbers[worker] for worker in join.workers]
            times = np.array([join.start, join.end], np.float64)
            done = [self.between(number, times, basis) for number in numbers]
            work = [float(one.work.sum()) for one in done]
            delays = [begins[join.start, worker] - join.start for worker in join.workers]
            even = shared_work(sum(work), delays, processors)
            for number, own, part in zip(numbers, work, even, strict=True):
                if own:
                    factors[number].append((join.start, join.end, part / own))
        return factors


def shared_work(total: float, delays: Sequence[float], processors: float) -> list[float]:
    """Return each thread's share if all work until the work is done, and end together.

    Args:
        total: The work, ns of a processor.
        delays: When each thread begins, ns.
        processors: How many there are; the threads share them evenly.
    """
    begins = np.sort(np.asarray(delays, np.float64))
    active = np.arange(1, len(begins) + 1)
    # Up to when each thread begins: the work of all, and that of one from the first beginning on.
    spans = np.diff(begins)
    all_by = np.concatenate([[0.0], np.cumsum(spans * np.minimum(processors, active[:-1]))])
    one_by = np.concatenate([[0.0], np.cumsum(spans * np.minimum(1, processors / active[:-1]))])
    last = int(np.searchsorted(all_by, total, side="right")) - 1
    rest = (total - all_by[last]) / min(processors, active[last])
    one = one_by[last] + rest * min(1.0, processors / active[last])
    clock = np.interp(np.asarray(delays, np.float64), begins, one_by)
    parts: list[float] = np.maximum(one - clock, 0).tolist()
    return parts


def _working(flags: U8, lane: Lane) -> Bools:
    """Return the segments without the GIL in which the thread may have been at work, bool[n].

    One that had to give up the GIL has nothing to do but to ask for it again; where that takes
    long, the thread has lost its processor, too.

    Args:
        flags: u8[n + 1], of all intervals; the last is of none.
        lane: The thread.
    """
    forced = (lane.states == State.HOLDING_GIL) & (
        (flags[lane.refs] & np.uint8(HoldFlag.FORCED)) != 0
    )
    working: Bools = lane.states == State.RUNNING
    working[1:] &= ~forced[:-1]
    return working


def _idle_around(lane: Lane, join: Join) -> Iterable[tuple[int, int]]:
    """Yield when a worker had nothing to do: before the join, and when it was done with its work.

    It is done when it gives up the GIL for the last time, as who comes back with a result does.
    """
    held = lane.ends[(lane.states == State.HOLDING_GIL) & (lane.starts < join.end)]
    done = int(held[-1]) if len(held) and held[-1] > join.start else join.end
    if done < lane.thread.end_ns <= join.end:
        done = lane.thread.end_ns
    for row in np.flatnonzero(lane.states == State.RUNNING).tolist():
        start, end = int(lane.starts[row]), int(lane.ends[row])
        if start < join.start < end:
            yield start, join.start
        if done <= start < join.end or start < join.end < end:
            yield max(done, start), end


def _spans(lane: Lane, chosen: Bools, without: Iterable[tuple[int, int]]) -> F64:
    """Return (beginning, end) of a thread's chosen segments, without some times: f64[n, 2]."""
    spans = np.stack([lane.starts[chosen], lane.ends[chosen]], axis=1).astype(np.float64)
    for begin, end in without:
        head, tail = spans.copy(), spans.copy()
        head[:, 1] = np.minimum(head[:, 1], begin)
        tail[:, 0] = np.maximum(tail[:, 0], end)
        spans = np.concatenate([head, tail])
        spans = spans[spans[:, 1] > spans[:, 0]]
    return spans[np.argsort(spans[:, 0], kind="stable")]


def _shares(spans: list[F64], processors: int) -> tuple[F64, F64]:
    """Return (times, work): what a thread has had by then that was running all the time, ns."""
    every = np.concatenate(spans)
    times = np.concatenate([every[:, 0], every[:, 1]])
    steps = np.repeat([1, -1], len(every))
    order = np.argsort(times, kind="stable")
    times, counts = times[order], np.cumsum(steps[order])
    rates = np.minimum(1.0, processors / np.maximum(counts, 1))
    work = np.concatenate([[0.0], np.cumsum(np.diff(times) * rates[:-1])])
    return times, work


def _up_to(spans: F64, times: F64, clock: tuple[F64, F64] | None) -> F64:
    """Return how much of the spans lies before each of the times, by a clock or in ns."""
    if not len(spans):
        return np.zeros(len(times))
    edges = spans.ravel()
    marks = edges if clock is None else np.interp(edges, *clock)
    inside = np.repeat(np.diff(marks.reshape(-1, 2), axis=1).ravel(), 2)
    inside[::2] = 0
    total = np.cumsum(inside)
    at = times if clock is None else np.interp(times, *clock)
    return np.interp(at, marks, total)
