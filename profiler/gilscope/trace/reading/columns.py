"""Columns of tables of events: a few of them in memory, the others read from the records."""

from __future__ import annotations

from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gilscope.trace import format as fmt
from gilscope.trace.model import COLUMN_TYPES
from gilscope.trace.reading.records import BLOCK, MAX_INDEX

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from gilscope.trace.arrays import I32, I64, U8, Rows
    from gilscope.trace.reading.clock import ClockMap
    from gilscope.trace.reading.records import Positions, Recorded, Records


# Kinds of which the field is a thread.
_WITH_PEER = [
    fmt.Event.GIL_WAIT,
    fmt.Event.LOCK_WAIT,
    fmt.Event.LOCK_WAKE,
    fmt.Event.GIL_SAMPLE,
]


class EventRows(NamedTuple):
    """Rows of a table: where their records are, and some columns."""

    position: Positions
    start: I64
    thread: I32
    kind: U8
    flags: U8


class EventColumns:
    """The columns of a table, read from the records when they are asked for.

    Args:
        records: where they are read from.
        clock: of the trace.
        opened: what never ended; its positions come behind those of the records.
        rows: of the table, or of more than it.
        later: ns that all starts are later by.
        chosen: of those rows, the table's; None for all.
        taken: the records of the table, if they have been read.
    """

    at_hand = frozenset(EventRows._fields) - {"position"} | {"open"}

    def __init__(
        self,
        records: Records,
        clock: ClockMap,
        opened: Recorded,
        rows: EventRows,
        *,
        later: int = 0,
        chosen: I64 | None = None,
        taken: Recorded | None = None,
    ) -> None:
        self._records, self._clock, self._open, self._rows = records, clock, opened, rows
        self._later, self._chosen = later, chosen
        self._taken = taken
        for column in rows:
            column.flags.writeable = False

    def __len__(self) -> int:
        return len(self._rows.start if self._chosen is None else self._chosen)

    def select(self, rows: Rows) -> EventColumns:
        """Those of some rows."""
        parts, chosen = self._rows, self._chosen
        if chosen is not None:
            chosen = chosen[rows]
        elif isinstance(rows, slice):
            parts = EventRows(*map(itemgetter(rows), parts))
        else:
            # Looked up by numbers of this type, columns need no conversion of them each.
            chosen = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows.astype(np.int64)
        taken = None if self._taken is None else self._taken[rows]
        source = self._records, self._clock, self._open
        return EventColumns(*source, parts, later=self._later, chosen=chosen, taken=taken)

    def shifted(self, ns: int) -> EventColumns:
        """All starts later by ``ns``."""
        source = self._records, self._clock, self._open, self._rows
        return EventColumns(*source, later=self._later + ns, chosen=self._chosen)

    def column(self, name: str) -> npt.NDArray[Any]:
        """A column as `Intervals` has it, `enter_ns` of callbacks, or `bytes` of spans.

        Raises:
            TraceError: the file has become shorter meanwhile.
        """
        if name == "start" and self._later:
            column = self._row("start") + self._later
        elif name == "open":
            column = self._position >= self._records.end
        elif name in self.at_hand:
            column = self._row(name)
        else:
            column = self._read(name)
        column.flags.writeable = False
        return column

    def _row(self, name: str) -> npt.NDArray[Any]:
        column: npt.NDArray[Any] = getattr(self._rows, name)
        return column if self._chosen is None else column[self._chosen]

    @cached_property
    def _position(self) -> Positions:
        return self._row("position")

    def _read(self, name: str) -> npt.NDArray[Any]:
        column = np.empty(len(self), COLUMN_TYPES.get(name, np.int64))
        starts = self._row("start") if name == "duration" else None
        for at in range(0, len(self), BLOCK):
            part = slice(at, at + BLOCK)
            positions = self._position[part]
            column[part] = self._values(name, positions)
            if starts is not None:
                # Up to here they are ends; those of what is open are durations already.
                column[part] -= np.where(positions < self._records.end, starts[part], 0)
        return column

    def _values(self, name: str, positions: Positions) -> npt.NDArray[Any]:
        closed = positions < self._records.end
        if closed.all():
            return self._of(name, self._take(positions))
        values = np.zeros(len(positions), COLUMN_TYPES.get(name, np.int64))
        values[closed] = self._of(name, self._records.take(positions[closed]))
        if name in COLUMN_TYPES:
            values[~closed] = self._open[name][positions[~closed] - self._records.end]
        return values

    def _of(self, name: str, records: Recorded) -> npt.NDArray[Any]:
        values = _VALUES[name](records, self._clock)
        own = self._records.own_peers
        if name == "peer" and len(own):
            left_out = np.isin(values, own) & np.isin(records["kind"], _WITH_PEER)
            values = np.where(left_out, 0, values)
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
    **{name: _field(name) for name in ("aux", "what", "stack")},
    "duration": _end,
    "peer": _peer,
    "enter_ns": _time_to_get_in,
    "bytes": _bytes,
}
