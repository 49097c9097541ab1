"""What the threads spent their time on, matched over the builds: what a wait for the GIL became."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.states.state import State
from gilscope.analysis.states.thread_states import lanes
from gilscope.trace.distinct import distinct
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.analysis.states.thread_states import Lane
    from gilscope.trace.arrays import U8
    from gilscope.trace.model import Lock, Trace

ACTIVITIES = {
    "holding_gil": "holding the GIL",
    "running": "running without the GIL",
    "waiting_gil": "waiting for the GIL",
    "object_locks": "waiting for locks of objects",
    "native_locks": "waiting for locks of native code",
    "other_locks": "waiting for other locks",
    "blocked": "blocked: events, queues, ends of threads",
    "stopped": "in stop-the-world pauses",
}
"""What threads spend their time on, by short names, and for people."""

NAMES = tuple(ACTIVITIES)
OF_STATE = {
    State.HOLDING_GIL: "holding_gil",
    State.RUNNING: "running",
    State.WAITING_GIL: "waiting_gil",
    State.WAITING_LOCK: "other_locks",
    State.BLOCKED: "blocked",
    State.STOPPED_WORLD: "stopped",
}
NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class GroupActivity:
    """What a group of threads spent its time on.

    Attributes:
        threads: Their name, with # for the numbers that tell them apart.
        counts: How many there are, by build.
        ns: Time by build and by activity, a key of `ACTIVITIES`.
    """

    threads: str
    counts: dict[str, int]
    ns: dict[str, dict[str, float]]


def activity(traces: Sequence[tuple[str, Trace]]) -> tuple[GroupActivity, ...]:
    """Return what each group of threads spent its time on.

    Threads whose names differ in nothing but numbers are one group, as the members of a pool are:
    which of them did what is left to chance.
    """
    groups: dict[str, GroupActivity] = {}
    for build, trace in traces:
        kinds = lock_activities(trace)
        for lane in lanes(trace):
            name = NUMBER.sub("#", lane.thread.name)
            group = groups.setdefault(name, GroupActivity(name, {}, {}))
            group.counts[build] = group.counts.get(build, 0) + 1
            cell = group.ns.setdefault(build, dict.fromkeys(NAMES, 0.0))
            for what, ns in _spent(lane, kinds).items():
                cell[what] += ns
    return tuple(groups.values())


def lock_activities(trace: Trace) -> U8:
    """Return what a wait for a lock counts as, u8[n + 1] by interval; 255 as its state says."""
    result = np.full(len(trace.intervals) + 1, 255, np.uint8)
    rows = np.flatnonzero(np.isin(trace.intervals.kind, (Event.LOCK_WAIT, Event.SPIN)))
    used, places = distinct(trace.intervals.what[rows])
    names = [_lock_activity(trace.locks[number]) for number in used.tolist()]
    codes = np.array([NAMES.index(name) if name else 255 for name in names], np.uint8)
    result[rows] = codes[places]
    return result


def _lock_activity(lock: Lock) -> str:
    """Return what waits for a lock count as; nothing where their state says it."""
    if lock.native:
        return "native_locks"
    return "object_locks" if lock.kind == "object" else ""


def _spent(lane: Lane, kinds: U8) -> dict[str, float]:
    """Return the time that a thread spent on each activity, ns."""
    sums = np.bincount(activities(lane, kinds), lane.ends - lane.starts, len(NAMES))
    return dict(zip(NAMES, sums.tolist(), strict=True))


def activities(lane: Lane, kinds: U8) -> U8:
    """Return what a thread did in each segment of its lane, u8[n], an index of `NAMES`."""
    by_state = np.array([NAMES.index(OF_STATE[state]) for state in sorted(State)], np.uint8)
    what = by_state[lane.states]
    special = (lane.states == State.WAITING_LOCK) & (kinds[lane.refs] != 255)  # noqa: PLR2004 - see above
    what[special] = kinds[lane.refs][special]
    return what
