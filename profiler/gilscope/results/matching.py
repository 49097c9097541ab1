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
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.states.state import State
from gilscope.analysis.states.thread_states import interval_states, lanes
from gilscope.results.activity import NAMES, NUMBER, OF_STATE, activities, lock_activities
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gilscope.analysis.states.thread_states import Lane
    from gilscope.trace.arrays import I64, U8, U32
    from gilscope.trace.model import Trace

BECOMES = ("object_locks", "native_locks", "other_locks", "stopped", "waiting_gil")
"""What a wait for the GIL can have become; of `activity.ACTIVITIES`."""

WAITS = tuple(name for name in NAMES if name not in ("holding_gil", "running"))
SIDE_BY_SIDE = "parallel"
ACTIVE = (State.HOLDING_GIL, State.RUNNING)
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
PAIR = ("gil", "ft")

type F64 = np.typing.NDArray[np.float64]
type Key = tuple[str, ...]
type Cells = dict[Key, dict[str, float]]
"""Time in ns by what a place is called, and by activity."""


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


@dataclass(frozen=True)
class Difference:
    """A thread, callback, line or lock, and the time spent there under each build.

    Attributes:
        place: What it is called, in as many parts as `PARTS` names for its table.
        ns: Time by build and by activity: keys of `ACTIVITIES`, and `SIDE_BY_SIDE`.
        became: What its waits for the GIL have become, by activity, and ``gone``, ns; None where
            there were none, or no pair of builds.
    """

    place: Key
    ns: Mapping[str, Mapping[str, float]]
    became: Mapping[str, float] | None


type Differences = Mapping[str, Sequence[Difference]]
"""By table, a key of `PARTS`, what was waited for longest first."""

PARTS: dict[str, Key] = {
    "threads": ("threads",),
    "callbacks": ("entry", "callable"),
    "lines": ("function", "module", "line"),
    "locks": ("lock", "kind"),
}
"""The tables, and what names a place in each."""


def differences(traces: Sequence[tuple[str, Trace]]) -> Differences:
    """Return what is matched in the traces of builds."""
    found = [(build, _Places(trace)) for build, trace in traces]
    tables: dict[str, Callable[[_Places], Cells]] = {
        "threads": _Places.threads,
        "callbacks": _Places.callbacks,
        "lines": _Places.lines,
        "locks": _Places.locks,
    }
    return {
        table: _rows([(build, tables[table](places)) for build, places in found]) for table in PARTS
    }


def _rows(found: Sequence[tuple[str, Cells]]) -> list[Difference]:
    both = {build for build, _ in found} >= set(PAIR)
    rows: dict[Key, dict[str, dict[str, float]]] = {}
    for build, cells in found:
        for key, cell in cells.items():
            rows.setdefault(key, {})[build] = {name: ns for name, ns in cell.items() if ns}
    made = [Difference(key, ns, _became(ns) if both else None) for key, ns in rows.items()]
    return sorted(made, key=lambda row: -_weight(row))


def _weight(row: Difference) -> float:
    cells = row.ns.values()
    return max((sum(cell.get(name, 0.0) for name in WAITS) for cell in cells), default=0.0)


def _became(builds: Mapping[str, Mapping[str, float]]) -> dict[str, float] | None:
    """Return what the waits for the GIL have become; None where there were none or no pair."""
    before, after = (builds.get(build, {}) for build in PAIR)
    waited = before.get("waiting_gil", 0.0)
    if not waited:
        return None
    more = {name: after.get(name, 0.0) - before.get(name, 0.0) for name in BECOMES[:-1]}
    more["waiting_gil"] = after.get("waiting_gil", 0.0)
    became = {name: ns for name, ns in more.items() if ns > 0}
    return {**became, "gone": max(waited - sum(became.values()), 0.0)}


class _Places:
    """Where the threads of a trace spent their time."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._kinds = lock_activities(trace)
        drawn = [lane for lane in lanes(trace) if len(lane)]
        side_by_side = _side_by_side(drawn)
        self._lives = {lane.thread.index: self._life(lane, side_by_side) for lane in drawn}

    def _life(self, lane: Lane, side_by_side: tuple[F64, F64]) -> _Life:
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
OTHER_LOCKS = NAMES.index("other_locks")
WAITING = [NAMES.index(name) for name in WAITS]


def _add(cells: Cells, key: Key, spent: I64) -> None:
    cell = cells.setdefault(key, defaultdict(float))
    for name, ns in zip((*NAMES, SIDE_BY_SIDE), spent.tolist(), strict=True):
        cell[name] += ns


def _side_by_side(drawn: Sequence[Lane]) -> tuple[F64, F64]:
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
    # As numbers that can be interpolated between as they are, for each of thousands of threads.
    sums = np.concatenate([[0], np.cumsum(together)])
    return moments.astype(np.float64), sums.astype(np.float64)
