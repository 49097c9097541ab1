"""The lock-order graph of a trace: what its contended locks prove of who held what and asked.

A trace does not have the locks that were free when they were taken, nor what puts threads in order.
So a cycle is suspected, and that there is none means nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope.analysis.findings.hazards import NO_ROW, covering, holders_without_gil
from gilscope.analysis.order.hazards import find
from gilscope.analysis.order.recorded import Recorded
from gilscope.severity import Severity
from gilscope.trace.format import Event, LockWaitFlag

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.analysis.order.model import Found
    from gilscope.trace.arrays import I64
    from gilscope.trace.model import Frame, Trace

GIL = 0
"""Id of the GIL among the locks; those of the trace begin with 1."""
KINDS = ("lock", "rlock", "native_mutex", "native_rwlock")
"""Locks of the program itself."""
NO_NAME = "\0"
"""Begins no file's name."""
DOUBT = "a trace does not say what else keeps these threads apart"
MISSING = "locks that were free when they were taken: run the program under gilscope lock-order"


def find_in(trace: Trace) -> Found:
    """Return the hazards that a trace shows, each of them suspected."""
    found = find(Recorded(_raw(trace)))
    hazards = tuple(
        replace(one, severity=Severity.MEDIUM, suspected=True, doubt=DOUBT) for one in found.hazards
    )
    return replace(found, hazards=hazards)


@dataclass(frozen=True)
class _Asked:
    """A thread held a lock and asked for another one; ids of locks, `GIL` is the GIL."""

    thread: int
    held: int
    asked: int
    stack: int
    has_gil: bool
    has_limit: bool


def _raw(trace: Trace) -> dict[str, Any]:
    """Return the trace's edges as a watch gives them."""
    counted = Counter(_asked(trace))
    stacks = [()] + [trace.stacks[one] for one in sorted({edge.stack for edge in counted} - {0})]
    numbers = {one: i for i, one in enumerate(sorted({edge.stack for edge in counted} - {0}), 1)}
    places: list[dict[str, Any]] = [_place(None)]
    known: dict[Frame, int] = {}
    listed = []
    for stack in stacks:
        for frame in stack:
            if frame not in known:
                known[frame] = len(places)
                places.append(_place(frame))
        listed.append([known[frame] for frame in stack])
    edges: dict[int, list[dict[str, Any]]] = {thread.index: [] for thread in trace.threads}
    for edge, count in counted.items():
        edges.setdefault(edge.thread, []).append(_edge(edge, count, numbers))
    locks = {one for edge in counted for one in (edge.held, edge.asked)}
    return {
        "has_gil": trace.gil_enabled_start,
        "missing": [MISSING],
        "own": NO_NAME,
        "outside": ["<frozen "],
        "known": [[]],
        "places": places,
        "stacks": listed,
        "locks": {one: _lock(trace, one) for one in locks},
        "threads": [_thread(trace, index, mine) for index, mine in edges.items()],
    }


def _asked(trace: Trace) -> Iterator[_Asked]:
    intervals = trace.intervals
    gil = trace.gil_enabled_start
    limited = (intervals.flags & np.uint8(LockWaitFlag.TIMED_OUT)) != 0

    def edges(rows: I64, held: I64, *, with_gil: I64 | None = None) -> Iterator[_Asked]:
        for place, row in enumerate(rows.tolist()):
            is_wait = intervals.kind[row] == Event.LOCK_WAIT
            yield _Asked(
                int(intervals.thread[row]),
                int(held[place]),
                int(intervals.what[row]) if is_wait else GIL,
                int(intervals.stack[row]),
                has_gil=with_gil is not None and bool(with_gil[place] != NO_ROW),
                has_limit=is_wait and bool(limited[row]),
            )

    if gil:
        waits, theirs = holders_without_gil(trace)
        asked, first = np.unique(theirs, return_index=True)
        yield from edges(asked, intervals.what[waits][first].astype(np.int64))
    ours = [number for number, lock in trace.locks.items() if lock.kind in KINDS]
    rows = np.flatnonzero((intervals.kind == Event.LOCK_WAIT) & np.isin(intervals.what, ours))
    with_gil = covering(trace, Event.GIL_HOLD, intervals.thread[rows], intervals.start[rows])
    if gil:
        alone = rows[with_gil != NO_ROW]
        yield from edges(alone, np.full(len(alone), GIL))
    # Who held the lock when a wait for it began, and waited for another one then.
    holder = (intervals.flags[rows] & np.uint8(LockWaitFlag.HOLDER)) != 0
    held = rows[holder & (intervals.peer[rows] > 0)]
    theirs = covering(trace, Event.LOCK_WAIT, intervals.peer[held], intervals.start[held])
    good = (theirs != NO_ROW) & np.isin(intervals.what[theirs], ours)
    good &= intervals.what[theirs] != intervals.what[held]
    asked, first = np.unique(theirs[good], return_index=True)
    what = intervals.what[held[good]][first].astype(np.int64)
    with_gil = covering(trace, Event.GIL_HOLD, intervals.thread[asked], intervals.start[asked])
    yield from edges(asked, what, with_gil=with_gil if gil else None)


def _edge(edge: _Asked, count: int, numbers: dict[int, int]) -> dict[str, Any]:
    return {
        "held": edge.held, "asked": edge.asked, "held_at": 0, "asked_at": edge.stack,
        "mode": "timed" if edge.has_limit else "blocking", "held_shared": False,
        "asked_shared": False, "gil_is_gate": edge.has_gil, "count": count,
        "stack": numbers.get(edge.stack, 0), "gates": [], "points": [(edge.thread, 1, 0)],
    }  # fmt: skip


def _lock(trace: Trace, number: int) -> tuple[Any, ...]:
    """Return a lock as a watch describes it."""
    if number == GIL:
        return ("gil", 0, 0, 0, False, 0, "")
    lock = trace.locks[number]
    return ("named", 0, lock.address, 0, False, 0, lock.name)


def _thread(trace: Trace, index: int, edges: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "serial": index, "name": trace.thread_name(index), "edges": edges, "passed": [],
        "provided": [], "waits": [], "left_out": 0, "late_requests": 0, "late_stack": 0,
    }  # fmt: skip


def _place(frame: Frame | None) -> dict[str, Any]:
    if frame is None:
        return {"file": "", "function": "", "native": True}
    return {
        "file": frame.file or frame.module,
        "function": frame.name,
        "line": frame.line,
        "native": frame.native,
    }
