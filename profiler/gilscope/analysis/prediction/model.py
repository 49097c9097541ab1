"""What threads did in a trace, as programs that can be replayed.

A program is cut where the thread waits for another one, or is waited for.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.prediction.cpu_share import Done, Work
from gilscope.analysis.prediction.replay import Kind, Step, replay
from gilscope.analysis.states.state import State
from gilscope.analysis.states.thread_states import ended_by_itself, lanes
from gilscope.analysis.waits.handover import lock_handovers
from gilscope.analysis.waits.joins import hidden_joins, slack_of
from gilscope.trace.format import Event, LockWaitFlag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.analysis.prediction.cpu_share import Basis
    from gilscope.analysis.states.thread_states import Lane
    from gilscope.analysis.waits.joins import Join
    from gilscope.trace.arrays import I64
    from gilscope.trace.model import Trace

    type Cut = tuple[int, int, Step]  # when, ns; which comes first of one moment; what is done
    type F64 = np.typing.NDArray[np.float64]
    type Milestone = tuple[int, int]  # a thread's index; ns from the trace's start


class Model:
    """What threads did, and what they waited for."""

    def __init__(self, trace: Trace, recorded_on: int) -> None:
        self.trace = trace
        self.lanes = [lane for lane in lanes(trace) if len(lane)]
        self.numbers = {lane.thread.index: number for number, lane in enumerate(self.lanes)}
        self.joins = hidden_joins(trace, self.lanes)
        self.together = [join for join in self.joins if join.together]
        self.work = Work(trace, self.lanes, self.joins, recorded_on)
        self._known: dict[Basis, list[Done]] = {}
        self.unexplained: list[tuple[int, int, int]] = []  # thread, start, end
        # When each worker began to work for a join: by the join's start and the worker.
        self.begins: dict[tuple[int, int], int] = {}
        self.waits: list[tuple[int, int, Milestone]] = []  # thread, its end, what it waits for
        self._take_lock_waits()
        self._take_joins()
        self._take_starts()
        known = self.numbers.keys()
        self.waits = [w for w in self.waits if w[0] in known and w[2][0] in known]
        self.unexplained = [
            wait for wait in self.unexplained if wait[0] in known and not self._in_a_join(*wait)
        ]

    def expected(self, processors: float, shared: Sequence[Join], basis: Basis) -> float:
        """Return how long a replay takes, ns."""
        programs, ends = self._programs(processors, shared, basis)
        done = replay(programs, processors)
        times = [done.reached[milestone] for milestone in ends if milestone in done.reached]
        return max([*times, 1.0])

    def _take_lock_waits(self) -> None:
        """Find what ended each wait; a wait that only time ended lasts as long as it did."""
        intervals = self.trace.intervals
        handovers = lock_handovers(self.trace)
        wakes = dict(zip(handovers.effects.tolist(), handovers.causes.tolist(), strict=True))
        itself = ended_by_itself(intervals)
        for row in np.flatnonzero((intervals.kind == Event.LOCK_WAIT) & ~itself).tolist():
            thread, end = int(intervals.thread[row]), int(intervals.end[row])
            peer = int(intervals.peer[row])
            timed_out = int(intervals.flags[row]) & LockWaitFlag.TIMED_OUT
            if row in wakes:
                cause = wakes[row]
                wake = int(self.trace.wakes.thread[cause]), int(self.trace.wakes.start[cause])
                self.waits.append((thread, end, wake))
            elif peer in self.numbers and peer != thread and not timed_out:
                self.waits.append((thread, end, (peer, end)))
            else:
                self.unexplained.append((thread, int(intervals.start[row]), end))

    def _take_joins(self) -> None:
        woken = self._woken_for_joins()
        for join in self.joins:
            for worker in join.workers:
                thread = self._lane(worker).thread
                begin = max(join.start, thread.start_ns)
                self.waits.append((worker, begin, (join.thread, join.start)))
                # Its starter was at work with starting it, or it waited for a processor.
                at_work = max(begin, woken.get((join.start, worker), 0))
                self.begins[join.start, worker] = at_work
                last = min(join.end, thread.end_ns)
                self.waits.append((join.thread, join.end, (worker, last)))

    def _woken_for_joins(self) -> dict[tuple[int, int], int]:
        """Return when workers came out of waits in which joins began: by its start and worker."""
        found: dict[tuple[int, int], int] = {}
        for thread, start, end in self.unexplained:
            for join in self._joins_near(thread, start):
                if thread != join.thread and start < join.start < end < join.end:
                    key = join.start, thread
                    found[key] = max(end, found.get(key, 0))
        return found

    def _in_a_join(self, thread: int, start: int, end: int) -> bool:
        """Return whether a wait is explained by a join: it is that, or comes before or after it."""
        for join in self._joins_near(thread, start):
            slack = slack_of(join.start, join.end)
            if thread == join.thread:
                if start >= join.start and end <= join.end:
                    return True
                continue
            forked = start < join.start and end >= join.start - slack
            done = start < join.end and end >= join.end - slack
            if forked or done:
                return True
        return False

    def _joins_near(self, thread: int, at: int) -> list[Join]:
        """Return the last joins of a thread that began up to a time, and the next one."""
        joins = self._joins_of.get(thread, [])
        place = bisect_right(joins, at, key=lambda join: join.start)
        return joins[max(place - 2, 0) : place + 1]

    @cached_property
    def _joins_of(self) -> dict[int, list[Join]]:
        """The joins that each thread has a part in, by start."""
        found: dict[int, list[Join]] = {}
        for join in sorted(self.joins, key=lambda join: join.start):
            for thread in (join.thread, *join.workers):
                found.setdefault(thread, []).append(join)
        return found

    def _take_starts(self) -> None:
        """Let each thread begin where the one that is taken to have started it was."""
        for lane in self.lanes:
            thread = lane.thread
            starter = self._starter(thread.start_ns, native=thread.native)
            if thread.start_ns > 0 and starter not in (None, thread.index):
                self.waits.append(
                    (thread.index, thread.start_ns, (int(starter or 0), thread.start_ns))
                )

    def _starter(self, at: int, *, native: bool) -> int | None:
        """Return who started a thread: who held the GIL, or the main thread if it is native."""
        main = next((lane.thread for lane in self.lanes if lane.thread.main), None)
        if native and main is not None and main.start_ns < at <= main.end_ns:
            return main.index
        place = int(np.searchsorted(self._holds[0], at, side="right")) - 1
        return int(self._holds[1][place]) if place >= 0 else None

    @cached_property
    def _holds(self) -> tuple[I64, I64]:
        holds = self.trace.intervals.where(Event.GIL_HOLD)
        return holds.start, holds.thread.astype(np.int64)

    def _lane(self, index: int) -> Lane:
        return self.lanes[self.numbers[index]]

    def _programs(
        self, processors: float, shared: Sequence[Join], basis: Basis
    ) -> tuple[list[list[Step]], list[int]]:
        """Return a program a thread, and the milestones at which all is done."""
        cuts, ends = self._cuts
        factors = self.work.even_factors(shared, self.begins, processors, basis)
        done = self._done(basis)
        return [
            self._program(number, cut, factors[number], done[number])
            for number, cut in enumerate(cuts)
        ], ends

    @cached_property
    def _cuts(self) -> tuple[list[list[Cut]], list[int]]:
        """Where the work of each thread is cut into steps, and the milestones at its end."""
        cuts: list[list[Cut]] = [[] for _ in self.lanes]
        for number, (thread, end, (peer, at)) in enumerate(self.waits):
            cuts[self.numbers[thread]].append((end, 0, Step(Kind.AWAIT, number)))
            cuts[self.numbers[peer]].append((at, 1, Step(Kind.REACH, number)))
        for (start, worker), begin in self.begins.items():
            cuts[self.numbers[worker]].append((begin, 0, Step(Kind.PASS, begin - start)))
        for thread, start, end in self.unexplained:
            cuts[self.numbers[thread]].append((end, 0, Step(Kind.PASS, end - start)))
        ends = []
        for number, lane in enumerate(self.lanes):
            ends.append(len(self.waits) + number)
            cuts[number].append((self._last(lane), 2, Step(Kind.REACH, ends[-1])))
        return [sorted(cut, key=lambda c: c[:2]) for cut in cuts], ends

    def _done(self, basis: Basis) -> list[Done]:
        """Return what each thread did between its cuts: the same in all replays on one basis."""
        if basis not in self._known:
            self._known[basis] = [
                self.work.between(number, self._times(number), basis)
                for number in range(len(self.lanes))
            ]
        return self._known[basis]

    def _times(self, number: int) -> F64:
        """Return the beginning of a thread and where it is cut, f64[n + 1]."""
        begin = self.lanes[number].thread.start_ns
        return np.array([begin, *(at for at, _, _ in self._cuts[0][number])], np.float64)

    def _last(self, lane: Lane) -> int:
        """Return up to when a thread's work counts: one that is idle keeps no program running."""
        if lane.thread.main:
            return lane.thread.end_ns
        held = lane.ends[lane.states == State.HOLDING_GIL]
        return int(held[-1]) if len(held) else lane.thread.start_ns

    def _program(
        self,
        number: int,
        cuts: list[Cut],
        factors: list[tuple[int, int, float]],
        done: Done,
    ) -> list[Step]:
        begin = self.lanes[number].thread.start_ns
        known = any(step.kind == Kind.AWAIT and at == begin for at, _, step in cuts)
        steps = [] if known else [Step(Kind.PASS, begin)]
        if factors:
            times = self._times(number)
            done = Done(done.work.copy(), done.asleep.copy())
            for start, end, factor in factors:
                within = (start < times[1:]) & (times[1:] <= end)
                for part in done:
                    part[within] *= factor
        for ran, slept, (_, _, step) in zip(*(part.tolist() for part in done), cuts, strict=True):
            steps += [Step(Kind.RUN, ran), Step(Kind.PASS, slept), step]
        return steps
