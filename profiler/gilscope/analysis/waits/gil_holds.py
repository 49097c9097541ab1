"""Holds of the GIL that others waited for: where they ended, how long after they were asked to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.grouping import Summary, summarize
from gilscope.analysis.stacks import Place, innermost, located
from gilscope.analysis.waits.blame import caused_by_holds
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from gilscope.trace.arrays import I64
    from gilscope.trace.model import Trace

SWITCH_INTERVAL_NS = 5_000_000
"""How long a thread waits before it asks for the GIL: `sys.getswitchinterval()` unless set."""

SLACK_NS = 1_000
"""By which the time stamps of a wait's end and of the hold that follows it may overlap."""


@dataclass(frozen=True, slots=True, eq=False)
class WantedHolds:
    """h holds of the GIL for which another thread waited, in the order of their rows.

    Attributes:
        rows: i64[h], of `Trace.intervals`.
        caused_ns: i64[h], waiting in it, all threads together.
        late_ns: i64[h], how long it went on after a thread had asked for the GIL, which is a switch
            interval after it had begun to wait. Python code gives it up in microseconds then.
    """

    rows: I64
    caused_ns: I64
    late_ns: I64

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True, eq=False)
class HoldPlaces:
    """Places at which wanted holds ended, p of them.

    Attributes:
        places: where.
        of_hold: i64[h], place of each hold.
        held: figures of the holds, ns.
        caused_ns: i64[p], waiting that they caused.
        late: i64[p], how many were late by a switch interval or more.
    """

    places: list[Place]
    of_hold: I64
    held: Summary
    caused_ns: I64
    late: I64


def wanted_holds(trace: Trace) -> WantedHolds:
    """Return the holds that others waited for."""
    rows, caused = caused_by_holds(trace)
    wanted = caused > 0
    rows, caused = rows[wanted], caused[wanted]
    order = np.argsort(rows)
    rows, caused = rows[order], caused[order]
    return WantedHolds(rows, caused, _late(trace, rows))


def _late(trace: Trace, rows: I64) -> I64:
    """Return how long each hold went on after it had been asked for."""
    intervals = trace.intervals
    late = np.zeros(len(rows), np.int64)
    waits = np.flatnonzero(intervals.kind == Event.GIL_WAIT)
    for gil in np.unique(intervals.what[rows]).tolist():
        chosen = intervals.what[rows] == gil
        starts, ends = intervals.start[rows[chosen]], intervals.end[rows[chosen]]
        mine = waits[intervals.what[waits] == gil]
        begins, over = intervals.start[mine], np.sort(intervals.end[mine])
        # The thread that waits already when the hold begins, or else the first one after that.
        at = starts + SLACK_NS
        begun = np.searchsorted(begins, at, "right")
        waiting = begun > np.searchsorted(over, at, "right")
        never = np.iinfo(np.int64).max // 2
        following = np.append(begins, never)[begun]
        asked = np.where(waiting, starts, following) + SWITCH_INTERVAL_NS
        late[chosen] = np.maximum(ends - asked, 0)
    return late


def hold_places(trace: Trace, holds: WantedHolds) -> HoldPlaces:
    """Return where the holds ended; those of which no stack was recorded are left out."""
    intervals = trace.intervals
    of_hold, places = located(trace, intervals.stack[holds.rows], innermost)
    n = len(places)
    held = summarize(of_hold, intervals.duration[holds.rows], n)
    caused = np.bincount(of_hold, holds.caused_ns, n).astype(np.int64)
    late = np.bincount(of_hold[holds.late_ns >= SWITCH_INTERVAL_NS], minlength=n)
    return HoldPlaces(places, of_hold, held, caused, late)
