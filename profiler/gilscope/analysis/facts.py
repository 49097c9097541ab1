"""Results that several analyses of one trace share, each computed once, on first use."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.callbacks.callback_nesting import NONE, Inside, callback_work
from gilscope.analysis.callbacks.totals import lock_waits_inside
from gilscope.analysis.grouping import summarize
from gilscope.analysis.inside_spans import InsideSpans
from gilscope.analysis.states.state import State
from gilscope.analysis.states.thread_states import interval_states, lanes
from gilscope.analysis.waits.blame import blame
from gilscope.analysis.waits.critical_path import critical_path
from gilscope.analysis.waits.gil_holds import hold_places, wanted_holds
from gilscope.analysis.waits.handover import lock_handovers
from gilscope.analysis.waits.holders import pieces
from gilscope.analysis.waits.late_stops import late_stops
from gilscope.analysis.waits.pauses import pauses
from gilscope.analysis.waits.switches import gaps, starved, switching
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from gilscope.analysis.callbacks.callback_nesting import CallbackWork
    from gilscope.analysis.grouping import Summary
    from gilscope.analysis.states.thread_states import Lane
    from gilscope.analysis.waits.blame import Blame
    from gilscope.analysis.waits.critical_path import CriticalPath
    from gilscope.analysis.waits.gil_holds import HoldPlaces, WantedHolds
    from gilscope.analysis.waits.handover import Handovers
    from gilscope.analysis.waits.holders import Pieces
    from gilscope.analysis.waits.late_stops import LateStops
    from gilscope.analysis.waits.pauses import Pause
    from gilscope.analysis.waits.switches import Gaps, Starved, Switching
    from gilscope.trace.arrays import I64, U8
    from gilscope.trace.model import Callbacks, Trace


class Facts:
    """A trace and the results computed from it.

    Attributes:
        trace: the trace.
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    @cached_property
    def states(self) -> U8:
        """`State` that each interval puts its thread into, u8[n]."""
        return interval_states(self.trace)

    @cached_property
    def waits(self) -> I64:
        """Rows of the intervals that are waits for the GIL or for a contended lock."""
        return np.flatnonzero(np.isin(self.states, (State.WAITING_GIL, State.WAITING_LOCK)))

    @cached_property
    def lock_waits(self) -> I64:
        """Rows of the intervals that are waits for a contended lock, asleep or spinning."""
        return np.flatnonzero(self.states == State.WAITING_LOCK)

    @property
    def gil_wait_rows(self) -> I64:
        """Rows of the intervals that are waits for the GIL."""
        return np.flatnonzero(self.states == State.WAITING_GIL)

    @cached_property
    def gil_waits(self) -> Summary:
        """Figures of all waits for the GIL: one group."""
        return self._of_state(State.WAITING_GIL)

    @cached_property
    def lock_wait_figures(self) -> Summary:
        """Figures of all waits for contended locks: one group."""
        return self._of_state(State.WAITING_LOCK)

    def _of_state(self, state: State) -> Summary:
        values = self.trace.intervals.duration[self.states == state]
        return summarize(np.zeros(len(values), np.int64), values, 1)

    @cached_property
    def lanes(self) -> list[Lane]:
        """The life of each thread."""
        return lanes(self.trace)

    @cached_property
    def path(self) -> CriticalPath:
        """The critical path."""
        return critical_path(self.trace, self.lanes)

    @cached_property
    def blame(self) -> Blame:
        """Who waited for whom."""
        return blame(self.trace, self.states)

    @cached_property
    def wanted_holds(self) -> WantedHolds:
        """Holds of the GIL that others waited for."""
        return wanted_holds(self.trace)

    @cached_property
    def hold_places(self) -> HoldPlaces:
        """Where these ended."""
        return hold_places(self.trace, self.wanted_holds)

    @cached_property
    def pieces(self) -> Pieces:
        """In which functions the GIL was held meanwhile."""
        return pieces(self.trace, self.wanted_holds)

    def waited_for_native(self, waits: I64) -> I64:
        """Return how much of each wait for the GIL was for native code that kept it, ns, i64[w]."""
        return self.pieces.shared(self.trace, self.pieces.native, waits)

    @cached_property
    def lock_handovers(self) -> Handovers:
        """Which wake ended which wait for a lock."""
        return lock_handovers(self.trace)

    @cached_property
    def gaps(self) -> Gaps:
        """When the GIL was free and waited for."""
        return gaps(self.trace)

    @cached_property
    def switching(self) -> Switching:
        """How the GIL changed hands."""
        return switching(self.trace, self.gaps)

    @cached_property
    def starved(self) -> list[Starved]:
        """What each thread waited and held the GIL."""
        return starved(self.trace)

    @cached_property
    def inside(self) -> Inside:
        """In which callback something happened."""
        return Inside(self.trace)

    @cached_property
    def inside_spans(self) -> InsideSpans:
        """In which span of the program something happened."""
        return InsideSpans(self.trace)

    @cached_property
    def callbacks(self) -> list[CallbackWork]:
        """What callbacks did and waited for."""
        return callback_work(self.trace, self.inside, self.states)

    @cached_property
    def group_of_callback(self) -> I64:
        """Place in `callbacks` of the group that each callback belongs to, i64[c]."""
        groups = np.zeros(len(self.trace.callbacks), np.int64)
        for number, work in enumerate(self.callbacks):
            groups[work.rows] = number
        return groups

    @cached_property
    def gil_waits_in_callbacks(self) -> tuple[I64, I64]:
        """Rows of the waits for the GIL in callbacks, and the group of each in `callbacks`."""
        rows = np.flatnonzero(self.trace.intervals.kind == Event.GIL_WAIT)
        groups = self.groups_at(rows)
        return rows[groups != NONE], groups[groups != NONE]

    def groups_at(self, rows: I64) -> I64:
        """Return the group in `callbacks` in which each interval began, or -1."""
        intervals = self.trace.intervals
        found = self.inside.at(intervals.thread[rows], intervals.start[rows])
        return np.append(self.group_of_callback, NONE)[found]

    @cached_property
    def outer_callbacks(self) -> Callbacks:
        """Callbacks that lie in no other one."""
        return self.trace.callbacks.select(self.inside.parents() == NONE)

    @cached_property
    def lock_waits_inside(self) -> I64:
        """Contention for locks inside each callback, ns, i64[c]."""
        return lock_waits_inside(self.trace, self.states)

    @cached_property
    def pauses(self) -> list[Pause]:
        """Stop-the-world pauses."""
        return pauses(self.trace)

    @cached_property
    def late_stops(self) -> LateStops:
        """Which threads did not stop when all were to stop."""
        return late_stops(self.trace, self.states, self.lock_handovers)

    @property
    def stopped_ns(self) -> int:
        """Waiting in stop-the-world pauses, of all threads together."""
        return int(self.trace.intervals.duration[self.states == State.STOPPED_WORLD].sum())
