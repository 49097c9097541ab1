"""Event records of all threads → tables in nanoseconds, in the order of their starts.

One pass finds out which record belongs to which table, and the order of each; of the columns only
thread and start are made then. The others are read from the records when they are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gilscope.trace import format as fmt
from gilscope.trace.model import COLUMN_TYPES, Callbacks, Intervals
from gilscope.trace.records import BLOCK, MAX_INDEX, times_of
from gilscope.trace.spans import Spans

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable

    import numpy.typing as npt

    from gilscope.trace.clock import ClockMap
    from gilscope.trace.model import I32, I64, U8, Rows
    from gilscope.trace.records import Positions, Recorded, Records

# Kinds with tables of their own. All others are intervals: what a thread is in, one at a time.
_APART = [
    fmt.Event.LOCK_WAKE,
    fmt.Event.CALLBACK,
    fmt.Event.THREAD_STATE,
    fmt.Event.GIL_SWITCH,
    fmt.Event.SPAN,
]
_OPEN = np.dtype([(name, dtype) for name, dtype in COLUMN_TYPES.items()])


class OpenInterval(NamedTuple):
    """What a thread was in the middle of; times in ns from the trace's start."""

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


class _Rows(NamedTuple):
    """Rows of a table: where their records are, and what they are sorted by."""

    position: Positions
    start: I64
    thread: I32

    def pick(self, rows: Rows) -> _Rows:
        return _Rows(self.position[rows], self.start[rows], self.thread[rows])


class EventTables:
    """The events of a trace, found in one pass.

    Attributes:
        lost: what was passed over → how often.
        latest: the last end, ns from the start; 0 if there is nothing.
    """

    def __init__(self, records: Records, clock: ClockMap, spare: int) -> None:
        n = len(records) + spare
        self._records, self._clock = records, clock
        self.lost: Counter[str] = records.lost
        self.latest = 0
        self._count = 0
        self._kind: U8 = np.empty(n, np.uint8)
        self._rows = _Rows(
            np.empty(n, records.position_type()), np.empty(n, np.int64), np.empty(n, np.int32)
        )
        self._open = np.zeros(spare, _OPEN)
        self._open_count = 0
        for positions, threads, found in records.blocks():
            self._scan(positions, threads, found)

    def _scan(self, positions: Positions, threads: I32, found: Recorded) -> None:
        """Take over some records, as far as they are events."""
        kinds = found["kind"]
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
            kinds, positions, threads = kinds[good], positions[good], threads[good]
            start, end = start[good], end[good]
        rows = slice(self._count, self._count + len(kinds))
        self._kind[rows] = kinds
        self._rows.position[rows], self._rows.start[rows] = positions, start
        self._rows.thread[rows] = threads
        self._count = rows.stop
        self.latest = max(self.latest, int(end.max(initial=0)))

    def add_open(self, intervals: Iterable[OpenInterval]) -> None:
        """Take over what never ended, unless its record is there all the same.

        A thread that dies between the writing of a record and the clearing of its slot leaves both.
        """
        intervals = list(intervals)
        starts = np.array([interval.start for interval in intervals], np.int64)
        rows = np.flatnonzero(np.isin(self._rows.start[: self._count], starts))
        columns = self._kind, self._rows.thread, self._rows.start
        recorded = set(zip(*(column[rows].tolist() for column in columns), strict=True))
        for interval in intervals:
            if (interval.kind, interval.thread, interval.start) in recorded:
                continue
            values = interval._asdict() | {"duration": interval.end - interval.start, "open": True}
            for name in COLUMN_TYPES.keys() & values.keys():
                self._open[name][self._open_count] = values[name]
            self._kind[self._count] = interval.kind
            self._rows.position[self._count] = self._records.end + self._open_count
            self._rows.start[self._count] = interval.start
            self._rows.thread[self._count] = interval.thread
            self._open_count += 1
            self._count += 1

    def finish(self) -> Events:
        """Sort and hand over. The rows are gone afterwards."""
        kinds, rows = self._kind[: self._count], self._rows.pick(slice(self._count))
        apart = [self._columns(rows.pick(kinds == kind)) for kind in _APART]
        del self._kind, self._rows
        if any(map(len, apart)):
            kept = ~np.isin(kinds, _APART)
            # One column after the other, so that not all of them are there twice.
            columns: list[Any] = list(rows)
            del rows, kinds
            rows = _Rows(*(columns.pop(0)[kept] for _ in _Rows._fields))
        wakes, callbacks, states, switches, spans = apart
        return Events(
            Intervals.deferred(self._columns(rows)),
            Intervals.deferred(wakes),
            _callbacks(callbacks),
            Intervals.deferred(states),
            Intervals.deferred(switches),
            _spans(spans),
        )

    def _columns(self, rows: _Rows) -> EventColumns:
        order = _order(rows.start, rows.thread).astype(np.uint32)
        columns: list[Any] = list(rows)
        del rows
        ordered = _Rows(*(columns.pop(0)[order] for _ in _Rows._fields))
        return EventColumns(self._records, self._clock, self._open, ordered)


class EventColumns:
    """The columns of a table, read from the records when they are asked for."""

    def __init__(
        self, records: Records, clock: ClockMap, opened: Recorded, rows: _Rows, later: int = 0
    ) -> None:
        self._records, self._clock, self._open, self._rows = records, clock, opened, rows
        self._later = later
        self._taken: Recorded | None = None
        for column in rows:
            column.flags.writeable = False

    def __len__(self) -> int:
        return len(self._rows.start)

    def select(self, rows: Rows) -> EventColumns:
        """Those of some rows."""
        picked = self._rows.pick(rows)
        made = EventColumns(self._records, self._clock, self._open, picked, self._later)
        if self._taken is not None:
            made._taken = self._taken[rows]
        return made

    def shifted(self, ns: int) -> EventColumns:
        """All starts later by ``ns``."""
        parts = self._records, self._clock, self._open, self._rows
        return EventColumns(*parts, self._later + ns)

    def column(self, name: str) -> npt.NDArray[Any]:
        """A column as `Intervals` has it, `enter_ns` of callbacks, or `bytes` of spans.

        Raises:
            TraceError: the file has become shorter meanwhile.
        """
        if name == "thread":
            return self._rows.thread
        if name == "start":
            return self._rows.start + self._later if self._later else self._rows.start
        column = np.empty(len(self), COLUMN_TYPES.get(name, np.int64))
        for at in range(0, len(self), BLOCK):
            part = slice(at, at + BLOCK)
            column[part] = self._values(name, self._rows.position[part])
            if name == "duration":
                # Up to here they are ends; those of what is open are durations already.
                closed = self._rows.position[part] < self._records.end
                column[part] -= np.where(closed, self._rows.start[part], 0)
        column.flags.writeable = False
        return column

    def _values(self, name: str, positions: Positions) -> npt.NDArray[Any]:
        closed = positions < self._records.end
        if closed.all():
            return _VALUES[name](self._take(positions), self._clock)
        values = np.zeros(len(positions), COLUMN_TYPES.get(name, np.int64))
        values[closed] = _VALUES[name](self._records.take(positions[closed]), self._clock)
        if name in COLUMN_TYPES:
            values[~closed] = self._open[name][positions[~closed] - self._records.end]
        return values

    def _take(self, positions: Positions) -> Recorded:
        """The records; of a few rows they are kept, since all columns may be asked for."""
        if len(self) > BLOCK:
            return self._records.take(positions)
        if self._taken is None:
            self._taken = self._records.take(positions)
        return self._taken


def _field(name: str) -> Callable[[Recorded, ClockMap], npt.NDArray[Any]]:
    return lambda records, _: records[name]


def _end(records: Recorded, clock: ClockMap) -> I64:
    return clock.convert(records["start"] + records["duration"])[0]


def _peer(records: Recorded, _: ClockMap) -> npt.NDArray[Any]:
    peers = records["peer"]
    return np.where(peers <= MAX_INDEX, peers, 0)


def _time_to_get_in(records: Recorded, clock: ClockMap) -> I64:
    """The short floats of callbacks in ns."""
    wide = records["aux"].astype(np.uint64)
    ticks = (wide & np.uint64(0x7FF)) << (wide >> np.uint64(11))
    begin, _ = clock.convert(records["start"])
    end, _ = clock.convert(records["start"] + ticks)
    enter: I64 = np.maximum(end - begin, 0)
    return enter


def _bytes(records: Recorded, _: ClockMap) -> I64:
    """The number of bytes of spans; -1 if it is not known."""
    number = records["peer"].astype(np.int64) | records["aux"].astype(np.int64) << 32
    known = (records["flags"] & np.uint8(fmt.SpanFlag.BYTES)) != 0
    found: I64 = np.where(known, number, -1)
    return found


_VALUES: dict[str, Callable[[Recorded, ClockMap], npt.NDArray[Any]]] = {
    **{name: _field(name) for name in ("kind", "flags", "aux", "what", "stack")},
    "duration": _end,
    "peer": _peer,
    "open": lambda records, _: np.zeros(len(records), np.bool_),
    "enter_ns": _time_to_get_in,
    "bytes": _bytes,
}


def _order(start: I64, thread: I32) -> npt.NDArray[np.intp]:
    """Order by start, then thread, then as they were."""
    # Quicker than a stable sort by both; the few rows that begin together are put right after it.
    order = np.argsort(start)
    ordered = start[order]
    same = ordered[1:] == ordered[:-1]
    if same.any():
        among = np.zeros(len(order), np.bool_)
        among[1:] |= same
        among[:-1] |= same
        rows = order[among]
        order[among] = rows[np.lexsort((rows, thread[rows], start[rows]))]
    return order


def _callbacks(columns: EventColumns) -> Callbacks:
    """The rows as callbacks: what and peer of theirs are definitions."""
    rows = Intervals.deferred(columns)
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
    rows = Intervals.deferred(columns)
    return Spans(rows.thread, rows.start, rows.duration, rows.what, columns.column("bytes"))
