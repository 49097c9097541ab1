"""What each wait for the GIL turned into, matched over the builds by thread, callback and line.

Threads are matched by name without numbers, callbacks by native function and Python callable, lines
by the innermost Python frame of a wait, locks by name without addresses. What the same place waited
for without the GIL, and did not with it, is what its waits for the GIL have become; the rest of
them is gone. Waits in the C library's allocator are not recorded, so they are in none of these.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope.analysis.states.state import State
from gilscope.analysis.states.thread_states import interval_states, lanes
from gilscope.comparison.activity import NAMES, NUMBER, OF_STATE, activities, lock_activities
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gilscope.analysis.states.thread_states import Lane
    from gilscope.trace.arrays import I64, U8, U32
    from gilscope.trace.model import Trace

BECOMES = ("object_locks_s", "native_locks_s", "other_locks_s", "stopped_s", "waiting_gil_s")
"""What a wait for the GIL can have become; of `activity.ACTIVITIES`."""

WAITS = tuple(name for name in NAMES if name not in ("holding_gil_s", "running_s"))
SIDE_BY_SIDE = "parallel_s"
ACTIVE = (State.HOLDING_GIL, State.RUNNING)
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
PAIR = ("gil", "ft")

type Key = tuple[str, ...]
type Cells = dict[Key, dict[str, float]]
"""Seconds by what a place is called, and by activity."""


@dataclass(frozen=True, eq=False)
class _Life:
    """A thread's lane, so that the time it spent on something between two moments can be told.

    Attributes:
        thread: `Thread.index`.
        group: Name of the thread without numbers.
        starts: i64[n], of its segments.
        what: u8[n], index of `NAMES`.
        sums: i64[n + 1, len(NAMES) + 1], ns spent up to the begin of each segment; the last column
            is for the time in which another thread ran as well.
        rates: i64[n, len(NAMES) + 1], of what each ns of a segment is one.
    """

    thread: int
    group: str
    starts: I64
    sums: I64
    rates: I64

    def between(self, begins: I64, ends: I64) -> I64:
        """i64[len(NAMES) + 1], ns, all pairs of moments together."""
        total: I64 = (self._until(ends) - self._until(begins)).sum(axis=0)
        return total

    def _until(self, moments: I64) -> I64:
        rows = np.clip(np.searchsorted(self.starts, moments, "right") - 1, 0, None)
        inside = np.maximum(moments - self.starts[rows], 0)
        return np.asarray(self.sums[rows] + inside[:, np.newaxis] * self.rates[rows])


def differences(traces: Sequence[tuple[str, Trace]]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each table: ``threads``, ``callbacks``, ``lines``, ``locks``."""
    found = [(build, _Places(trace)) for build, trace in traces]
    tables: dict[str, tuple[tuple[str, ...], Callable[[_Places], Cells]]] = {
        "threads": (("threads",), _Places.threads),
        "callbacks": (("entry", "callable"), _Places.callbacks),
        "lines": (("function", "module", "line"), _Places.lines),
        "locks": (("lock", "kind"), _Places.locks),
    }
    return {
        table: _rows(names, [(build, cells(places)) for build, places in found])
        for table, (names, cells) in tables.items()
    }


def _rows(names: Sequence[str], found: Sequence[tuple[str, Cells]]) -> list[dict[str, Any]]:
    both = {build for build, _ in found} >= set(PAIR)
    rows: dict[Key, dict[str, Any]] = {}
    for build, cells in found:
        for key, cell in cells.items():
            row = rows.setdefault(key, {**dict(zip(names, key, strict=True)), "builds": {}})
            row["builds"][build] = {name: round(ns / 1e9, 9) for name, ns in cell.items() if ns}
    for row in rows.values():
        row["became"] = _became(row["builds"]) if both else None
    return sorted(rows.values(), key=lambda row: -_weight(row))


def _weight(row: dict[str, Any]) -> float:
    cells = row["builds"].values()
    return max((sum(cell.get(name, 0.0) for name in WAITS) for cell in cells), default=0.0)


def _became(builds: dict[str, dict[str, float]]) -> dict[str, float] | None:
    """Return what the waits for the GIL have become; None where there were none or no pair."""
    before, after = (builds.get(build, {}) for build in PAIR)
    waited = before.get("waiting_gil_s", 0.0)
    if not waited:
        return None
    more = {name: after.get(name, 0.0) - before.get(name, 0.0) for name in BECOMES[:-1]}
    more["waiting_gil_s"] = after.get("waiting_gil_s", 0.0)
    became = {name: round(seconds, 9) for name, seconds in more.items() if seconds > 0}
    return {**became, "gone_s": round(max(waited - sum(became.values()), 0.0), 9)}


class _Places:
    """Where the threads of a trace spent their time."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._kinds = lock_activities(trace)
        drawn = [lane for lane in lanes(trace) if len(lane)]
        side_by_side = _side_by_side(drawn)
        self._lives = {lane.thread.index: self._life(lane, side_by_side) for lane in drawn}

    def _life(self, lane: Lane, side_by_side: tuple[I64, I64]) -> _Life:
        what = activities(lane, self._kinds)
        lengths = lane.ends - lane.starts
        rates = np.zeros((len(lane), len(NAMES) + 1), np.int64)
        rates[np.arange(len(lane)), what] = 1
        sums = rates * lengths[:, np.newaxis]
        others = np.interp(lane.ends, *side_by_side) - np.interp(lane.starts, *side_by_side)
        active = np.isin(lane.states, ACTIVE)
        sums[active, -1] = others[active].astype(np.int64)
        before = np.concatenate([np.zeros((1, sums.shape[1]), np.int64), np.cumsum(sums, axis=0)])
        group = NUMBER.sub("#", lane.thread.name)
        return _Life(lane.thread.index, group, lane.starts, before, rates)

    def threads(self) -> Cells:
        """By the name of the thread, without numbers."""
        cells: Cells = {}
        for life in self._lives.values():
            _add(cells, (life.group,), life.sums[-1])
        return cells

    def callbacks(self) -> Cells:
        """By native function and what it called; callbacks inside of one count for both."""
        trace, rows = self._trace, self._trace.callbacks
        cells: Cells = {}
        order = np.lexsort((rows.start, rows.thread, rows.callable, rows.entry))
        columns = np.stack([rows.entry, rows.callable, rows.thread], axis=1)[order].astype(np.int64)
        firsts = np.flatnonzero((np.diff(columns, axis=0, prepend=-1) != 0).any(axis=1))
        for first, some in zip(firsts.tolist(), np.split(order, firsts)[1:], strict=True):
            entry, called, thread = columns[first].tolist()
            if life := self._lives.get(thread):
                spent = life.between(rows.start[some], rows.end[some])
                spent[-1] = 0  # known for whole segments only
                names = trace.entries[entry].function, trace.callables[called].label
                _add(cells, names, spent)
        return cells

    def lines(self) -> Cells:
        """By the innermost Python frame that waited; by the native one where there is none."""
        trace = self._trace
        return self._waits(trace.intervals.stack, self._line)

    def locks(self) -> Cells:
        """By the name of the lock, without its address."""
        trace = self._trace
        numbers = np.where(np.isin(trace.intervals.kind, LOCKS), trace.intervals.what, 0)
        return self._waits(numbers.astype(np.uint32), self._lock)

    def _line(self, stack: int) -> Key:
        frames = self._trace.stacks[stack]
        python = next((frame for frame in frames if not frame.native), None)
        frame = python or (frames[0] if frames else None)
        if frame is None:
            return ("", "", "")
        # The builds have files of their own, but modules of one name.
        module = Path(frame.module).name.partition(".")[0] if frame.native else frame.module
        return frame.name, module, str(frame.line or "")

    def _lock(self, number: int) -> Key:
        lock = self._trace.locks[number]
        return (ADDRESS.sub("", lock.name), lock.kind) if number else ("the GIL", "gil")

    def _waits(self, groups: U32, name: Callable[[int], Key]) -> Cells:
        """Sum the waits up by what ``name`` makes of the group that each interval is in."""
        cells: Cells = {}
        by_state = np.array([NAMES.index(OF_STATE[state]) for state in sorted(State)], np.uint8)
        what: U8 = by_state[interval_states(self._trace)]
        special = self._kinds[:-1] != 255  # noqa: PLR2004 - as lock_activities has it
        what = np.where(special & (what == OTHER_LOCKS), self._kinds[:-1], what)
        waits = np.isin(what, WAITING)
        used, places = np.unique(groups[waits], return_inverse=True)
        width = len(NAMES) + 1
        cell_of = places * width + what[waits]
        spent = np.bincount(cell_of, self._trace.intervals.duration[waits], len(used) * width)
        for group, row in zip(used.tolist(), spent.reshape(-1, width), strict=True):
            _add(cells, name(group), row.astype(np.int64))
        return cells


LOCKS = (Event.LOCK_WAIT, Event.SPIN)
OTHER_LOCKS = NAMES.index("other_locks_s")
WAITING = [NAMES.index(name) for name in WAITS]


def _add(cells: Cells, key: Key, spent: I64) -> None:
    cell = cells.setdefault(key, defaultdict(float))
    for name, ns in zip((*NAMES, SIDE_BY_SIDE), spent.tolist(), strict=True):
        cell[name] += ns


def _side_by_side(drawn: Sequence[Lane]) -> tuple[I64, I64]:
    """Return moments, and for each how long two threads or more have run at a time until then."""
    active = [np.isin(lane.states, ACTIVE) for lane in drawn]
    starts = [lane.starts[mask] for lane, mask in zip(drawn, active, strict=True)]
    ends = [lane.ends[mask] for lane, mask in zip(drawn, active, strict=True)]
    moments = np.concatenate([np.zeros(1, np.int64), *starts, *ends])
    counts = sum(map(len, starts))
    steps = np.concatenate([[0], np.ones(counts, np.int64), -np.ones(counts, np.int64)])
    order = np.argsort(moments, kind="stable")
    moments, running = moments[order], np.cumsum(steps[order])
    together = np.diff(moments) * (running[:-1] > 1)
    return moments, np.concatenate([[0], np.cumsum(together)])
