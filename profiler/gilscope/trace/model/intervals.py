"""Intervals of a trace: what threads did, and for how long, as columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from gilscope.trace.arrays import I32, I64, U8, U16, U32, Bools, Rows, later
from gilscope.trace.format import Event
from gilscope.trace.tables import Column, DataTable, category

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

_GATHER = 1 << 17  # rows that are read together


class Columns(Protocol):
    """Where the columns of intervals come from.

    Attributes:
        at_hand: names of those that need no reading.
    """

    at_hand: frozenset[str]

    def __len__(self) -> int:
        """How many rows there are."""

    def column(self, name: str) -> npt.NDArray[Any]:
        """A column that cannot be written to."""

    def select(self, rows: Rows) -> Columns:
        """Those of some rows."""

    def shifted(self, ns: int) -> Columns:
        """All starts later by ``ns``."""


class ArrayColumns:
    """Columns in memory."""

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self._arrays = arrays
        self.at_hand = frozenset(arrays)

    def __len__(self) -> int:
        return len(self._arrays["start"])

    def column(self, name: str) -> npt.NDArray[Any]:
        """One of the arrays."""
        return self._arrays[name]

    def select(self, rows: Rows) -> ArrayColumns:
        """Those of some rows."""
        return ArrayColumns({name: array[rows] for name, array in self._arrays.items()})

    def shifted(self, ns: int) -> ArrayColumns:
        """All starts later by ``ns``."""
        return ArrayColumns({**self._arrays, "start": later(self._arrays["start"], ns)})


class Intervals:
    """Intervals as columns of equal length n, sorted by (start, thread).

    A column is read when it is first asked for, and kept.

    Args:
        columns: where they come from.
    """

    __slots__ = ("_columns", "_kept")

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._kept: dict[str, npt.NDArray[Any]] = {}

    @classmethod
    def of(
        cls,
        *,
        kind: U8,
        flags: U8,
        aux: U16,
        what: U32,
        thread: I32,
        start: I64,
        duration: I64,
        peer: I32,
        open: Bools,  # noqa: A002 - the column's name
        stack: U32,
    ) -> Self:
        """Intervals in memory; the arguments are the columns of the same name."""
        arrays: dict[str, npt.NDArray[Any]] = {}
        arrays |= {"kind": kind, "flags": flags, "aux": aux, "what": what, "thread": thread}
        arrays |= {"start": start, "duration": duration, "peer": peer, "open": open}
        return cls(ArrayColumns(arrays | {"stack": stack}))

    @property
    def kind(self) -> U8:
        """u8[n], an `format.Event`."""
        return self._column("kind")

    @property
    def flags(self) -> U8:
        """u8[n], as in the format; their meaning depends on the kind."""
        return self._column("flags")

    @property
    def aux(self) -> U16:
        """u16[n], as in the format."""
        return self._column("aux")

    @property
    def what(self) -> U32:
        """u32[n], id of a GIL or of a lock, depending on the kind."""
        return self._column("what")

    @property
    def thread(self) -> I32:
        """i32[n], `Thread.index`, not a position in `Trace.threads`."""
        return self._column("thread")

    @property
    def start(self) -> I64:
        """i64[n], ns from the trace's start."""
        return self._column("start")

    @property
    def duration(self) -> I64:
        """i64[n], ns, never negative."""
        return self._column("duration")

    @property
    def peer(self) -> I32:
        """i32[n], `Thread.index` of the other thread of the kind's definition; 0 if unknown.

        Of a lock wait with the flag HOLDER it is the thread that held the lock, else the one that
        ended the wait.
        """
        return self._column("peer")

    @property
    def open(self) -> Bools:
        """bool[n], never ended in the trace: the reader closed it."""
        return self._column("open")

    @property
    def stack(self) -> U32:
        """u32[n], key of `Trace.stacks`; 0 if there is none."""
        return self._column("stack")

    @property
    def end(self) -> I64:
        """i64[n], ns from the trace's start."""
        if "end" not in self._kept:
            self._kept["end"] = self.start + self.duration
        return self._kept["end"]

    def __len__(self) -> int:
        return len(self._columns)

    @property
    def kept(self) -> frozenset[str]:
        """Names of the columns that have been asked for, `end` among them."""
        return frozenset(self._kept)

    def _column(self, name: str) -> npt.NDArray[Any]:
        found = self._kept.get(name)
        if found is None:
            found = self._kept[name] = self._columns.column(name)
        return found

    def select(self, rows: Rows) -> Intervals:
        """Those intervals that a mask (bool[n]), row numbers or a slice names, in that order."""
        made = Intervals(self._columns.select(rows))
        # What is read already is not read again; parts of columns cost nothing.
        parts = isinstance(rows, slice)
        for name, column in self._kept.items():
            if parts or (name != "end" and name not in self._columns.at_hand):
                made._kept[name] = column[rows]
        return made

    def gather(self, name: str, rows: npt.NDArray[np.integer[Any]]) -> npt.NDArray[Any]:
        """A column of some rows, without having all of the column in memory."""
        if name in self._kept:
            kept: npt.NDArray[Any] = self._kept[name][rows]
            return kept
        result = np.empty(len(rows), COLUMN_TYPES[name])
        for at in range(0, len(rows), _GATHER):
            part = slice(at, at + _GATHER)
            result[part] = getattr(self.select(rows[part]), name)
        return result

    def between(self, start_ns: int, end_ns: int) -> Intervals:
        """Those that are, at least in part, in this time; ns from the trace's start."""
        return self.select((self.start < end_ns) & (self.end >= start_ns))

    def of_thread(self, *indices: int) -> Intervals:
        """Those of these threads, by `Thread.index`."""
        return self.select(np.isin(self.thread, indices))

    def of_lock(self, *ids: int) -> Intervals:
        """The waits and spins for these locks, by `Lock.id`; of wakes the wakes."""
        about_locks = np.isin(self.kind, (Event.LOCK_WAIT, Event.LOCK_WAKE, Event.SPIN))
        return self.select(about_locks & np.isin(self.what, ids))

    def table(self) -> DataTable:
        """A row an interval, numbers only; `Trace.table` has names as well."""
        columns: dict[str, Column] = {
            "kind": category(self.kind, lambda kind: Event(kind).name),
            "thread": self.thread,
            "start_ns": self.start,
            "duration_ns": self.duration,
            "what": self.what,
            "peer": self.peer,
            "flags": self.flags,
            "aux": self.aux,
            "open": self.open,
            "stack": self.stack,
        }
        return DataTable(columns)

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame`, a row an interval; `Trace.table` has it with names."""
        return self.table().to_pandas()

    def to_arrow(self) -> Any:
        """A `pyarrow.Table`, a row an interval."""
        return self.table().to_arrow()

    def shifted(self, ns: int) -> Intervals:
        """The same intervals, later by ``ns``."""
        return Intervals(self._columns.shifted(ns))

    def where(self, kind: int) -> Intervals:
        """The intervals of one kind."""
        return self.select(self.kind == kind)

    @classmethod
    def empty(cls) -> Self:
        """No intervals."""
        return cls(ArrayColumns({n: np.zeros(0, dtype) for n, dtype in COLUMN_TYPES.items()}))


COLUMN_TYPES: dict[str, type[np.generic]] = {
    "kind": np.uint8,
    "flags": np.uint8,
    "aux": np.uint16,
    "what": np.uint32,
    "thread": np.int32,
    "start": np.int64,
    "duration": np.int64,
    "peer": np.int32,
    "open": np.bool_,
    "stack": np.uint32,
}
