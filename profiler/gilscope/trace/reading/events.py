"""Event records of all threads → tables in nanoseconds, in the order of their starts.

One pass finds out which record belongs to which table, and the order of each; of the columns only
those that every analysis asks for are made then. The others are read from the records when they
are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gilscope.trace import format as fmt
from gilscope.trace.model import COLUMN_TYPES, Callbacks, Intervals, Spans
from gilscope.trace.reading.columns import EventColumns, EventRows
from gilscope.trace.reading.records import BLOCK, times_of

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable

    import numpy.typing as npt

    from gilscope.trace.arrays import I32
    from gilscope.trace.reading.clock import ClockMap
    from gilscope.trace.reading.records import Positions, Recorded, Records

# Kinds with tables of their own. All others are intervals: what a thread is in, one at a time.
_APART = [
    fmt.Event.LOCK_WAKE,
    fmt.Event.CALLBACK,
    fmt.Event.THREAD_STATE,
    fmt.Event.GIL_SWITCH,
    fmt.Event.SPAN,
    fmt.Event.GIL_SAMPLE,
]
_OPEN = np.dtype([(name, dtype) for name, dtype in COLUMN_TYPES.items()])
_KEY_BITS = 63


class OpenInterval(NamedTuple):
    """An interval that was still open; times in ns from the trace's start."""

    kind: int
    flags: int
    what: int
    thread: int
    start: int
    end: int
    peer: int
    stack: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """All events of a trace, by what they are; each sorted by (start, thread)."""

    intervals: Intervals
    wakes: Intervals
    callbacks: Callbacks
    thread_states: Intervals
    gil_switches: Intervals
    spans: Spans
    gil_samples: Intervals


_START, _THREAD, _KIND = map(EventRows._fields.index, ("start", "thread", "kind"))


class EventTables:
    """The events of a trace, found in one pass.

    Attributes:
        lost: what was passed over → how often.
        latest: the end of the last event, ns from the start; 0 without events.
        threads: indices of those that have events.
    """

    def __init__(self, records: Records, clock: ClockMap, spare: int) -> None:
        n = len(records) + spare
        self._records, self._clock = records, clock
        self.lost: Counter[str] = records.lost
        self.latest = 0
        self.threads: set[int] = set()
        self._count = 0
        self._rows = EventRows(
            np.empty(n, records.position_type()),
            np.empty(n, np.int64),
            np.empty(n, np.int32),
            np.empty(n, np.uint8),
            np.empty(n, np.uint8),
        )
        self._open = np.zeros(spare, _OPEN)
        self._open_count = 0
        for positions, threads, found in records.blocks():
            self._scan(positions, threads, found)

    def _scan(self, positions: Positions, threads: I32, found: Recorded) -> None:
        """Add the records that are events."""
        kinds, flags = found["kind"], found["flags"]
        known = (kinds >= min(fmt.Event)) & (kinds <= max(fmt.Event))
        start, end, good = times_of(found, self._clock)
        if not known.all():
            for kind, n in enumerate(np.bincount(kinds[~known]).tolist()):
                if n:
                    self.lost[f"events of kind {kind}, which this gilscope does not know"] += n
        wrong = int(np.count_nonzero(known & ~good))
        if wrong:
            self.lost["events with impossible times"] += wrong
        good &= known
        if not good.all():
            kinds, flags, positions = kinds[good], flags[good], positions[good]
            threads, start, end = threads[good], start[good], end[good]
        rows = slice(self._count, self._count + len(kinds))
        self._rows.position[rows], self._rows.start[rows] = positions, start
        self._rows.thread[rows], self._rows.kind[rows] = threads, kinds
        self._rows.flags[rows] = flags
        self._count = rows.stop
        self.threads.update(threads[np.flatnonzero(np.diff(threads, prepend=0))].tolist())
        self.latest = max(self.latest, int(end.max(initial=0)))

    def add_open(self, intervals: Iterable[OpenInterval]) -> None:
        """Take over what never ended, unless its record is there all the same.

        A thread that dies between the writing of a record and the clearing of its slot leaves both.
        """
        intervals = list(intervals)
        starts = np.array([interval.start for interval in intervals], np.int64)
        rows = np.flatnonzero(np.isin(self._rows.start[: self._count], starts))
        columns = self._rows.kind, self._rows.thread, self._rows.start
        recorded = set(zip(*(column[rows].tolist() for column in columns), strict=True))
        for interval in intervals:
            if (interval.kind, interval.thread, interval.start) in recorded:
                continue
            values = interval._asdict() | {"duration": interval.end - interval.start, "open": True}
            for name in COLUMN_TYPES.keys() & values.keys():
                self._open[name][self._open_count] = values[name]
            self._rows.position[self._count] = self._records.end + self._open_count
            for name in ("start", "thread", "kind", "flags"):
                getattr(self._rows, name)[self._count] = values[name]
            self._open_count += 1
            self._count += 1

    def finish(self) -> Events:
        """Sort and hand over. The rows are gone afterwards."""
        # One column after the other, so that not all of them are there twice.
        columns: list[Any] = [column[: self._count] for column in self._rows]
        del self._rows
        order = _sort(columns)
        kinds = _gathered(columns[_KIND], order)
        kept = np.ones(len(order), np.bool_)
        apart = []
        for kind in _APART:
            chosen = np.flatnonzero(kinds == kind)
            kept[chosen] = False
            parts = [_gathered(column, order[chosen]) for column in columns]
            parts[_START] = columns[_START][chosen]  # which is sorted already
            apart.append(self._table(EventRows(*parts)))
        del kinds, chosen
        order = order[kept]
        for place in range(len(columns)):
            if place != _START:
                columns[place] = _gathered(columns[place], order)
        del order
        columns[_START] = columns[_START][kept]
        wakes, callbacks, states, switches, spans, samples = apart
        return Events(
            Intervals(self._table(EventRows(*columns))),
            Intervals(wakes),
            _callbacks(callbacks),
            Intervals(states),
            Intervals(switches),
            _spans(spans),
            Intervals(samples),
        )

    def _table(self, rows: EventRows) -> EventColumns:
        return EventColumns(self._records, self._clock, self._open, rows)


def _sort(columns: list[Any]) -> Positions:
    """The order of rows by start, then thread, then as they were; sorts the starts in place."""
    start, thread = columns[_START], columns[_THREAD]
    n = len(start)
    narrow: type[np.unsignedinteger[Any]] = np.uint32 if n < 1 << 32 else np.uint64
    order = np.empty(n, narrow)
    bits = n.bit_length()
    if int(start.max(initial=0)).bit_length() + bits <= _KEY_BITS:
        # With the row in the low bits: several times as fast as to sort rows by their starts.
        start <<= bits
        for at in range(0, n, BLOCK):
            start[at : at + BLOCK] += np.arange(at, min(at + BLOCK, n))
        start.sort()
        for at in range(0, n, BLOCK):
            order[at : at + BLOCK] = start[at : at + BLOCK] & ((1 << bits) - 1)
        start >>= bits
    else:
        order[:] = np.argsort(start)
        start.sort()
    same = start[1:] == start[:-1]
    if same.any():
        among = np.zeros(n, np.bool_)
        among[1:] |= same
        among[:-1] |= same
        rows = order[among]
        # Sorted already by start.
        group = np.cumsum(np.append(True, ~same)[among])
        order[among] = rows[np.lexsort((rows, thread[rows], group))]
    return order


def _gathered(column: npt.NDArray[Any], order: Positions) -> npt.NDArray[Any]:
    """The column in an order, without the numbers of all rows in 8 bytes each."""
    result = np.empty(len(order), column.dtype)
    for at in range(0, len(order), BLOCK):
        result[at : at + BLOCK] = column[order[at : at + BLOCK].astype(np.int64)]
    return result


def _callbacks(columns: EventColumns) -> Callbacks:
    """The rows as callbacks: what and peer of theirs are definitions."""
    rows = Intervals(columns)
    callables = rows.peer.astype(np.uint32)
    # Never longer than the whole, of which the part inside the session counts.
    enter = np.minimum(columns.column("enter_ns"), rows.duration)
    for column in (callables, enter):
        column.flags.writeable = False
    return Callbacks(
        thread=rows.thread,
        start=rows.start,
        duration=rows.duration,
        enter_ns=enter,
        entry=rows.what,
        callable=callables,
        flags=rows.flags,
        open=rows.open,
        stack=rows.stack,
    )


def _spans(columns: EventColumns) -> Spans:
    """The rows as spans; what they are called is known to the definitions."""
    rows = Intervals(columns)
    return Spans(rows.thread, rows.start, rows.duration, rows.what, columns.column("bytes"))
