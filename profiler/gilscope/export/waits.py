"""Waiting time by thread, stack and what was waited for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.states.state import State
from gilscope.analysis.states.thread_states import interval_states
from gilscope.export.scene import name_codes, process_name, slice_name
from gilscope.trace.distinct import distinct

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gilscope.trace.arrays import I64
    from gilscope.trace.model import Frame, Trace


@dataclass(frozen=True, slots=True)
class Waiting:
    """Time that was spent waiting at one place for one thing.

    Attributes:
        path: process if there are several, thread, frames from the outermost on, what for.
        total_ns: in all.
        count: how often.
        on_gil: it was the GIL that was waited for.
    """

    path: tuple[str, ...]
    total_ns: int
    count: int
    on_gil: bool


def waiting(traces: Sequence[Trace]) -> list[Waiting]:
    """Waits for the GIL and for locks, not those for events, of all traces."""
    return [
        found
        for trace in traces
        for found in _of(trace, (process_name(trace),) if len(traces) > 1 else ())
    ]


def _of(trace: Trace, process: tuple[str, ...]) -> Iterator[Waiting]:
    states = interval_states(trace)
    rows = np.flatnonzero((states == State.WAITING_GIL) | (states == State.WAITING_LOCK))
    waits = trace.intervals.select(rows)
    columns = waits.thread.astype(np.int64), name_codes(waits), waits.stack.astype(np.int64)
    group: I64 = np.zeros(len(rows), np.int64)
    for column in columns:
        values, number = distinct(column)
        _, group = distinct(group * len(values) + number)
    _, first = np.unique(group, return_index=True)
    # Exact below 2⁵³ ns, which is 104 days.
    totals = np.bincount(group, waits.duration, len(first)).astype(np.int64)
    counts = np.bincount(group, minlength=len(first))
    keys = zip(*(column[first].tolist() for column in columns), strict=True)
    on_gil = (states[rows[first]] == State.WAITING_GIL).tolist()
    sums = zip(keys, totals.tolist(), counts.tolist(), on_gil, strict=True)
    for (thread, code, stack), total, n, gil in sums:
        frames = map(frame_text, reversed(trace.stacks[stack]))
        path = *process, trace.thread_name(thread), *frames, slice_name(trace, code)
        yield Waiting(path, total, n, gil)


def frame_text(frame: Frame) -> str:
    """A frame in a few words."""
    place = f" ({frame.file.rpartition('/')[2]}:{frame.line})" if frame.line else ""
    return frame.name + place
