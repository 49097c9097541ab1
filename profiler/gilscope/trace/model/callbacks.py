"""Callbacks of a trace: times that native code was in Python."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from gilscope.trace.arrays import I32, I64, U8, U32, Bools, Rows, later
from gilscope.trace.tables import DataTable


@dataclass(frozen=True, eq=False)
class Callbacks:
    """Times that native code was in Python, as columns of equal length n, by (start, thread).

    They are no part of `Trace.intervals`, because they lie around holds of the GIL and waits; they
    nest in each other.

    Attributes:
        thread: i32[n], `Thread.index`.
        start: i64[n], when the native code asked to get in, ns from the trace's start.
        duration: i64[n], ns, until it was out again.
        enter_ns: i64[n], of these the time to get in, to three digits; 0 of an open one.
        entry: u32[n], key of `Trace.entries`; 0 if unknown.
        callable: u32[n], key of `Trace.callables`; 0 if none was called or it is unknown.
        flags: u8[n], `format.CallbackFlag`.
        open: bool[n], it was still in Python when the trace or its thread ended.
        stack: u32[n], key of `Trace.stacks`; 0 if there is none.
    """

    thread: I32
    start: I64
    duration: I64
    enter_ns: I64
    entry: U32
    callable: U32
    flags: U8
    open: Bools
    stack: U32

    def __len__(self) -> int:
        return len(self.thread)

    @cached_property
    def end(self) -> I64:
        """i64[n], ns from the trace's start."""
        end: I64 = self.start + self.duration
        return end

    def select(self, rows: Rows) -> Callbacks:
        """Those that a mask (bool[n]), row numbers or a slice names, in that order."""
        return Callbacks(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def between(self, start_ns: int, end_ns: int) -> Callbacks:
        """Those that are, at least in part, in this time; ns from the trace's start."""
        return self.select((self.start < end_ns) & (self.end >= start_ns))

    def of_thread(self, *indices: int) -> Callbacks:
        """Those of these threads, by `Thread.index`."""
        return self.select(np.isin(self.thread, indices))

    def table(self) -> DataTable:
        """A row a callback, numbers only; `Trace.table` has names as well."""
        return DataTable(
            {
                "thread": self.thread,
                "start_ns": self.start,
                "duration_ns": self.duration,
                "enter_ns": self.enter_ns,
                "entry": self.entry,
                "callable": self.callable,
                "flags": self.flags,
                "open": self.open,
                "stack": self.stack,
            }
        )

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame`, a row a callback."""
        return self.table().to_pandas()

    def to_arrow(self) -> Any:
        """A `pyarrow.Table`, a row a callback."""
        return self.table().to_arrow()

    def shifted(self, ns: int) -> Callbacks:
        """The same callbacks, later by ``ns``."""
        return replace(self, start=later(self.start, ns))

    @classmethod
    def empty(cls) -> Self:
        """No callbacks."""
        return cls(**{name: np.zeros(0, dtype) for name, dtype in CALLBACK_TYPES.items()})


CALLBACK_TYPES: dict[str, type[np.generic]] = {
    "thread": np.int32,
    "start": np.int64,
    "duration": np.int64,
    "enter_ns": np.int64,
    "entry": np.uint32,
    "callable": np.uint32,
    "flags": np.uint8,
    "open": np.bool_,
    "stack": np.uint32,
}
