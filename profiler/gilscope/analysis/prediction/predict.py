"""The speed-up to expect without the GIL, from the trace of a run with it.

The trace is replayed: what threads did while they held the GIL or did without it takes as much of a
processor as before, waits for the GIL are left out, and other waits end when the thread has done
what ended them in the trace; where that is not known they take as long as before.

How much of a processor a thread got is known from the kernel's samples of it, as a sum between two
of them. Where there are none, and more threads ran than there were processors, each is taken to
have had the same share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.prediction.cpu_share import Basis
from gilscope.analysis.prediction.model import Model
from gilscope.analysis.states.state import State
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from gilscope.analysis.states.thread_states import Lane
    from gilscope.trace.arrays import I64
    from gilscope.trace.model import Trace

MOST_WAITS = 300_000
"""Waits for locks in a trace beyond which a replay would take too long."""

LEAST = 0.1
"""Share of the processors that other processes always leave."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The expected run without the GIL.

    Attributes:
        processors: On how many.
        recorded_ns: How long the recorded run took.
        expected_ns: How long the same takes without the GIL.
        low_ns: The least that it takes under the other assumptions that the trace allows.
        high_ns: The most.
        gil_wait_ns: Waits for the GIL that are left out, all threads together.
        inferred_joins: Waits of native code for its threads that no hook saw.
        unexplained_ns: Waits that take as long as before, because what ended them is not known.
        least_ns: The least that it can take on so many processors.
    """

    processors: int
    recorded_ns: float
    expected_ns: float
    low_ns: float
    high_ns: float
    gil_wait_ns: int
    inferred_joins: int
    unexplained_ns: int
    least_ns: float

    @property
    def speedup(self) -> float:
        """How much faster it is expected to be."""
        return self.recorded_ns / self.expected_ns

    @property
    def most(self) -> float:
        """The speed-up if all processors were busy all the time."""
        return self.recorded_ns / self.least_ns

    @property
    def interval(self) -> tuple[float, float]:
        """The range of the speed-up over all assumptions."""
        return self.recorded_ns / self.high_ns, self.recorded_ns / self.low_ns


def predict(
    trace: Trace, processors: int, recorded_on: int | None = None, others: float = 0.0
) -> Prediction | None:
    """Replay ``trace`` without its GIL; None if there is nothing to replay.

    Each thread does the work that it did, except that threads which waited for each other and
    finished together share theirs evenly: they are taken for a pool whose threads take the next
    piece of work whenever they are done with one. The least and the most come from this replay and
    from four others: all that waited for each other share their work; none do; what runs without
    the GIL needs no processor, as if it waited for a disk or a network; and threads shared the
    processors evenly, whatever the kernel's samples say. No time is below what all processors take
    for the work that the kernel counted in the recorded run, nor below what they would take if one
    of them had been busy all the time: the speed-up is never above the number of processors, nor
    above that by measured parallelism.

    Args:
        trace: Of a run with the GIL.
        processors: How many there are without it.
        recorded_on: How many there were when it was recorded; by default the same number.
        others: How many of them other processes take, then as now.
    """
    waits = np.count_nonzero(trace.intervals.kind == Event.LOCK_WAIT)
    if not trace.duration_ns or not trace.threads or waits > MOST_WAITS:
        return None
    model = Model(trace, recorded_on or processors)
    left = max(processors - others, LEAST * processors)
    shared = dict.fromkeys((tuple(model.together), tuple(model.joins), ()))  # they may be the same
    times = [
        *(model.expected(left, some, Basis.SAMPLES) for some in shared),
        model.expected(left, model.together, Basis.HOLDS),
        model.expected(processors, model.together, Basis.SHARES),
    ]
    if processors >= (recorded_on or processors):
        # Work that was done with the GIL can be done without it, moment by moment.
        times = [min(time, float(trace.duration_ns)) for time in times]
    # The work that the kernel has counted cannot be done faster than by all processors at once; and
    # where they were idle with the GIL, a trace does not tell whether that was because of it.
    least = max(trace.cpu_times.total_on_cpu_ns, trace.duration_ns) / processors
    times = [max(time, least) for time in times]
    return Prediction(
        processors=processors,
        recorded_ns=float(trace.duration_ns),
        expected_ns=times[0],
        low_ns=min(times),
        high_ns=max(times),
        gil_wait_ns=sum(int(_durations(lane, State.WAITING_GIL).sum()) for lane in model.lanes),
        inferred_joins=len(model.joins),
        unexplained_ns=sum(end - start for _, start, end in model.unexplained),
        least_ns=least,
    )


def _durations(lane: Lane, state: State) -> I64:
    chosen = lane.states == state
    durations: I64 = lane.ends[chosen] - lane.starts[chosen]
    return durations
