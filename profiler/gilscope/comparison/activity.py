"""What the threads spent their time on, matched over the builds: what a wait for the GIL became."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope.analysis.states.state import State
from gilscope.analysis.states.thread_states import lanes
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.analysis.states.thread_states import Lane
    from gilscope.trace.arrays import U8
    from gilscope.trace.model import Trace

ACTIVITIES = {
    "holding_gil_s": "holding the GIL",
    "running_s": "running without the GIL",
    "waiting_gil_s": "waiting for the GIL",
    "object_locks_s": "waiting for locks of objects",
    "native_locks_s": "waiting for locks of native code",
    "other_locks_s": "waiting for other locks",
    "blocked_s": "blocked: events, queues, ends of threads",
    "stopped_s": "in stop-the-world pauses",
}
"""Names in the summary, and for people."""

NAMES = tuple(ACTIVITIES)
OF_STATE = {
    State.HOLDING_GIL: "holding_gil_s",
    State.RUNNING: "running_s",
    State.WAITING_GIL: "waiting_gil_s",
    State.WAITING_LOCK: "other_locks_s",
    State.BLOCKED: "blocked_s",
    State.STOPPED_WORLD: "stopped_s",
}
NUMBER = re.compile(r"\d+")


def activity(traces: Sequence[tuple[str, Trace]]) -> list[dict[str, Any]]:
    """Return a row a group of threads: how many there are and what they did, by build.

    Threads whose names differ in nothing but numbers are one group, as the members of a pool are:
    which of them did what is left to chance.
    """
    rows: dict[str, dict[str, Any]] = {}
    for build, trace in traces:
        kinds = lock_activities(trace)
        for lane in lanes(trace):
            group = NUMBER.sub("#", lane.thread.name)
            row = rows.setdefault(group, {"threads": group, "builds": {}})
            cell = row["builds"].setdefault(build, {"count": 0, **dict.fromkeys(NAMES, 0.0)})
            cell["count"] += 1
            for name, seconds in _spent(lane, kinds).items():
                cell[name] = round(cell[name] + seconds, 9)
    return list(rows.values())


def lock_activities(trace: Trace) -> U8:
    """Return what a wait for a lock counts as, u8[n + 1] by interval; 255 as its state says."""
    result = np.full(len(trace.intervals) + 1, 255, np.uint8)
    rows = np.flatnonzero(np.isin(trace.intervals.kind, (Event.LOCK_WAIT, Event.SPIN)))
    for number in np.unique(trace.intervals.what[rows]).tolist():
        lock = trace.locks[number]
        if lock.kind == "object" or lock.native:
            name = "native_locks_s" if lock.native else "object_locks_s"
            result[rows[trace.intervals.what[rows] == number]] = NAMES.index(name)
    return result


def _spent(lane: Lane, kinds: U8) -> dict[str, float]:
    """Return the seconds that a thread spent on each activity."""
    sums = np.bincount(activities(lane, kinds), (lane.ends - lane.starts) / 1e9, len(NAMES))
    return dict(zip(NAMES, sums.tolist(), strict=True))


def activities(lane: Lane, kinds: U8) -> U8:
    """Return what a thread did in each segment of its lane, u8[n], an index of `NAMES`."""
    by_state = np.array([NAMES.index(OF_STATE[state]) for state in sorted(State)], np.uint8)
    what = by_state[lane.states]
    special = (lane.states == State.WAITING_LOCK) & (kinds[lane.refs] != 255)  # noqa: PLR2004 - see above
    what[special] = kinds[lane.refs][special]
    return what
