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
from gilscope.trace.model import COLUMN_TYPES, Callbacks, Intervals
from gilscope.trace.records import BLOCK, MAX_INDEX, times_of

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable

    import numpy.typing as npt

    from gilscope.trace.clock import ClockMap
    from gilscope.trace.model import I32, I64, U8, Rows
    from gilscope.trace.records import Positions, Recorded, Records

# Kinds with tables of their own. All others are intervals: what a thread is in, one at a time.
_APART = [fmt.Event.LOCK_WAKE, fmt.Event.CALLBACK, fmt.Event.THREAD_STATE, fmt.Event.GIL_SWITCH]
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


class _Rows(NamedTuple):
    """Rows of a table: where their records are, and some columns."""

    position: Positions
    start: I64
    thread: I32
    kind: U8
    flags: U8

    def pick(self, rows: Rows) -> _Rows:
        position, start, thread, kind, flags = self
        return _Rows(position[rows], start[rows], thread[rows], kind[rows], flags[rows])


_AT_HAND = {name: _Rows._fields.index(name) for name in ("start", "thread", "kind", "flags")}


class EventTables:
    """The events of a trace, found in one pass.

    Attributes:
        lost: what was passed over → how often.
        latest: the last end, ns from the start; 0 if there is nothing.
        threads: indices of those that have events.
    """

    def __init__(self, records: Records, clock: ClockMap, spare: int) -> None:
        n = len(records) + spare
        self._records, self._clock = records, clock
        self.lost: Counter[str] = records.lost
        self.latest = 0
        self.threads: set[int] = set()
        self._count = 0
        self._rows = _Rows(
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
        """Take over some records, as far as they are events."""
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
            for name, place in _AT_HAND.items():
                self._rows[place][self._count] = values[name]
            self._open_count += 1
            self._count += 1

    def finish(self) -> Events:
        """Sort and hand over. The rows are gone afterwards."""
        # One column after the other, so that not all of them are there twice.
        columns: list[Any] = list(self._rows.pick(slice(self._count)))
        del self._rows
        _sort(columns)
        rows = _Rows(*columns)
        kept = np.ones(len(rows.kind), np.bool_)
        apart = []
        for kind in _APART:
            chosen = rows.kind == kind
            kept ^= chosen
            apart.append(self._table(rows.pick(np.flatnonzero(chosen))))
        del rows
        if not kept.all():
            for place in range(len(columns)):
                columns[place] = columns[place][kept]
        wakes, callbacks, states, switches = apart
        return Events(
            Intervals.deferred(self._table(_Rows(*columns))),
            Intervals.deferred(wakes),
            _callbacks(callbacks),
            Intervals.deferred(states),
            Intervals.deferred(switches),
        )

    def _table(self, rows: _Rows) -> EventColumns:
        return EventColumns(self._records, self._clock, self._open, rows)


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
        """A column as `Intervals` has it, or `enter_ns`, the time to get in of callbacks.

        Raises:
            TraceError: the file has become shorter meanwhile.
        """
        if name == "start" and self._later:
            return self._rows.start + self._later
        if name in _AT_HAND:
            return self._rows[_AT_HAND[name]]
        if name == "open":
            return self._frozen(self._rows.position >= self._records.end)
        column = np.empty(len(self), COLUMN_TYPES.get(name, np.int64))
        for at in range(0, len(self), BLOCK):
            part = slice(at, at + BLOCK)
            column[part] = self._values(name, self._rows.position[part])
            if name == "duration":
                # Up to here they are ends; those of what is open are durations already.
                closed = self._rows.position[part] < self._records.end
                column[part] -= np.where(closed, self._rows.start[part], 0)
        return self._frozen(column)

    @staticmethod
    def _frozen(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
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


_VALUES: dict[str, Callable[[Recorded, ClockMap], npt.NDArray[Any]]] = {
    **{name: _field(name) for name in ("aux", "what", "stack")},
    "duration": _end,
    "peer": _peer,
    "enter_ns": _time_to_get_in,
}


def _sort(columns: list[Any]) -> None:
    """Sort the columns of `_Rows` by start, then thread, then as they were."""
    _, start, thread, *_ = columns
    # Quicker than a stable sort by both; the few rows that begin together are put right after it.
    order = np.argsort(start)
    start.sort()
    same = start[1:] == start[:-1]
    if same.any():
        among = np.zeros(len(order), np.bool_)
        among[1:] |= same
        among[:-1] |= same
        rows = order[among]
        # Sorted already by start.
        group = np.cumsum(np.append(True, ~same))[among]
        order[among] = rows[np.lexsort((rows, thread[rows], group))]
    del thread
    for place, column in enumerate(columns):
        if column is not start:
            columns[place] = column[order]


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
