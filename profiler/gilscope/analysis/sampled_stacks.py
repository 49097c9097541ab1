"""Which stacks ran in which state: samples from outside, held against what the probe recorded.

A sample says where a thread was in Python, the probe what the thread did then: hold the GIL, wait,
run without it. Together they say what ran while others waited.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.states.state import State
from gilscope.analysis.states.thread_states import interval_states, lanes
from gilscope.text import time_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gilscope.analysis.states.thread_states import Lane
    from gilscope.trace.arrays import I64, U32
    from gilscope.trace.model import SampledFrame, Trace

LABELS = {
    State.HOLDING_GIL: "holds the GIL",
    State.RUNNING: "runs, or sleeps, without the GIL",
    State.WAITING_GIL: "waits for the GIL",
    State.WAITING_LOCK: "waits for a lock",
    State.BLOCKED: "waits for an event",
    State.STOPPED_WORLD: "is stopped, or stops the world",
}
WHILE_OTHERS_WAIT = "while others wait"
"""States in which a thread waits for the GIL or for a lock."""

_RUNS_PROGRAMS = re.compile(r"^<frozen runpy>$|/gilscope/(__main__|(cli|target)/.*)\.py$")
_COMMAND = "<string>"
"""Of ``python -c``: of what runs the program if that comes after it, else of the program."""

_WAITS = (State.WAITING_GIL, State.WAITING_LOCK, State.STOPPED_WORLD)
_GOES_ON = (State.HOLDING_GIL, State.RUNNING)


@dataclass(frozen=True, slots=True)
class SampledStack:
    """A stack in which a thread was, in one state.

    Attributes:
        state: what the thread did.
        others_wait: whether other threads waited for the GIL, for a lock or for a pause meanwhile;
            told of states only in which a thread goes on.
        thread: its index.
        frames: the innermost one first.
        total_ns: for how long.
    """

    state: State
    others_wait: bool
    thread: int
    frames: tuple[SampledFrame, ...]
    total_ns: int

    @property
    def label(self) -> str:
        """The state for people."""
        text = LABELS[self.state]
        return f"{text} {WHILE_OTHERS_WAIT}" if self.others_wait else text


def sampled_stacks(trace: Trace) -> list[SampledStack]:
    """Return all sampled stacks by state, the longest first."""
    samples = trace.samples
    if not len(samples):
        return []
    waits = _anybody_waits(trace)
    totals: dict[tuple[int, bool, int, int], int] = {}
    for lane in lanes(trace):
        own = np.flatnonzero(samples.thread == lane.thread.index)
        columns = samples.start[own], samples.end[own], samples.stack[own]
        for key, ns in _of_lane(lane, *columns, waits):
            totals[key] = totals.get(key, 0) + ns
    frames = [of_program(stack) for stack in samples.stacks]
    found = [
        SampledStack(State(state), others, thread, frames[stack], ns)
        for (state, others, thread, stack), ns in totals.items()
    ]
    return sorted(found, key=lambda one: -one.total_ns)


def notes_of(traces: Sequence[Trace]) -> Iterator[str]:
    """Yield what has to be known of samples."""
    for trace in traces:
        samples = trace.samples
        if not samples.rate:
            yield f"{trace.path.name} has no samples: record with --sample RATE"
        if samples.by:
            off = f", placed in time to ± {time_text(samples.error_ns)}" if samples.error_ns else ""
            failed = f", {samples.failed:,} could not be read" if samples.failed else ""
            yield f"sampled {samples.rate} times a second by {samples.by}{off}{failed}"
        yield from samples.notes


def of_program(stack: tuple[SampledFrame, ...]) -> tuple[SampledFrame, ...]:
    """Return a stack without the outermost frames of what runs the program."""
    end = place = len(stack)
    while place:
        place -= 1
        if _RUNS_PROGRAMS.search(stack[place].file):
            end = place
        elif stack[place].file != _COMMAND:
            break
    return stack[:end] or stack


def _of_lane(
    lane: Lane, starts: I64, ends: I64, stacks: U32, waits: tuple[I64, I64]
) -> Iterator[tuple[tuple[int, bool, int, int], int]]:
    """Yield (state, whether others wait, thread, stack) and the ns of each, of one thread."""
    if not len(starts) or not len(lane):
        return
    # Where one of the three changes, cut: between cuts all of them are the same.
    cuts = np.unique(np.concatenate([starts, ends, lane.starts, lane.ends, *waits]))
    begins, lengths = cuts[:-1], np.diff(cuts)
    row = np.searchsorted(starts, begins, "right") - 1
    segment = np.searchsorted(lane.starts, begins, "right") - 1
    inside = (row >= 0) & (begins < ends[row]) & (segment >= 0) & (begins < lane.ends[segment])
    row, segment, begins, lengths = (x[inside] for x in (row, segment, begins, lengths))
    states = lane.states[segment].astype(np.int64)
    waited = np.searchsorted(waits[0], begins, "right") > np.searchsorted(waits[1], begins, "right")
    waited &= np.isin(states, _GOES_ON)
    keys = (stacks[row].astype(np.int64) << 8) | (states << 1) | waited
    used, places = np.unique(keys, return_inverse=True)
    totals = np.bincount(places, lengths, len(used)).astype(np.int64)
    for key, ns in zip(used.tolist(), totals.tolist(), strict=True):
        yield (key >> 1 & 127, bool(key & 1), lane.thread.index, key >> 8), ns


def _anybody_waits(trace: Trace) -> tuple[I64, I64]:
    """Return when at least one thread waits: begins and ends of stretches that do not overlap."""
    rows = np.flatnonzero(np.isin(interval_states(trace), _WAITS))
    starts = trace.intervals.start[rows]
    ends = starts + trace.intervals.duration[rows]
    if not len(starts):
        return starts, ends
    order = np.argsort(starts, kind="stable")
    starts, latest = starts[order], np.maximum.accumulate(ends[order])
    first = np.flatnonzero(np.append(True, starts[1:] > latest[:-1]))
    last = np.append(first[1:], len(starts)) - 1
    return starts[first], latest[last]
