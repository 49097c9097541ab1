"""Intervals of a trace: what threads did, and for how long, as columns."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from gilscope.trace.arrays import I32, I64, U8, U16, U32, Bools, Rows, later
from gilscope.trace.format import Event
from gilscope.trace.tables import Column, DataTable, category

_GATHER = 1 << 17  # rows that are read together


class Columns(Protocol):
    """Where columns come from that are read when they are asked for.

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


@dataclass(frozen=True, eq=False)
class Intervals:
    """Intervals as columns of equal length n, sorted by (start, thread).

    Attributes:
        kind: u8[n], an `format.Event`.
        flags: u8[n], as in the format; their meaning depends on the kind.
        aux: u16[n], as in the format.
        what: u32[n], id of a GIL or of a lock, depending on the kind.
        thread: i32[n], `Thread.index`, not a position in `Trace.threads`.
        start: i64[n], ns from the trace's start.
        duration: i64[n], ns, never negative.
        peer: i32[n], `Thread.index` of the other thread of the kind's definition; 0 if unknown. Of
            a lock wait with the flag HOLDER it is the thread that held the lock, else the one that
            ended the wait.
        open: bool[n], never ended in the trace: the reader closed it.
        stack: u32[n], key of `Trace.stacks`; 0 if there is none.
    """

    kind: U8
    flags: U8
    aux: U16
    what: U32
    thread: I32
    start: I64
    duration: I64
    peer: I32
    open: Bools
    stack: U32

    def __len__(self) -> int:
        return len(self.start)

    @classmethod
    def deferred(cls, columns: Columns) -> Self:
        """Intervals of which each column is read when it is first asked for."""
        made = object.__new__(cls)
        made.__dict__["_columns"] = columns
        return made

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            columns = self.__dict__.get("_columns")
            if columns is None or name not in COLUMN_TYPES:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            self.__dict__[name] = columns.column(name)
            return self.__dict__[name]

    @cached_property
    def end(self) -> I64:
        """i64[n], ns from the trace's start."""
        end: I64 = self.start + self.duration
        return end

    def select(self, rows: Rows) -> Intervals:
        """Those intervals that a mask (bool[n]), row numbers or a slice names, in that order."""
        columns: Columns | None = self.__dict__.get("_columns")
        if columns is None:
            return Intervals(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})
        made = Intervals.deferred(columns.select(rows))
        # What is read already is not read again; parts of columns cost nothing.
        wanted = COLUMN_TYPES.keys() - columns.at_hand
        if isinstance(rows, slice):
            wanted = COLUMN_TYPES.keys() | {"end"}
        known = wanted & self.__dict__.keys()
        made.__dict__.update({name: self.__dict__[name][rows] for name in known})
        return made

    def gather(self, name: str, rows: npt.NDArray[np.integer[Any]]) -> npt.NDArray[Any]:
        """A column of some rows, without having all of the column in memory."""
        if name in self.__dict__:  # it is there already
            known: npt.NDArray[Any] = self.__dict__[name][rows]
            return known
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
        columns: Columns | None = self.__dict__.get("_columns")
        if columns is not None:
            return Intervals.deferred(columns.shifted(ns))
        return replace(self, start=later(self.start, ns))

    def where(self, kind: int) -> Intervals:
        """The intervals of one kind."""
        return self.select(self.kind == kind)

    @classmethod
    def empty(cls) -> Self:
        """No intervals."""
        return cls(**{name: np.zeros(0, dtype) for name, dtype in COLUMN_TYPES.items()})


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
