"""Spans: stretches of time that the program itself named."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from gilscope.trace.arrays import I32, I64, U32, Rows, later
from gilscope.trace.tables import DataTable, category

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, eq=False)
class Spans:
    """Spans: stretches of time that the program named; n rows, sorted by (start, thread).

    They lie around intervals and callbacks, and nest in each other. One that had not ended when the
    trace or its thread did is not there.

    Attributes:
        thread: i32[n], `Thread.index`.
        start: i64[n], ns from the trace's start.
        duration: i64[n], ns.
        name: u32[n], key of `names`.
        bytes: i64[n], how many bytes it was about; -1 if that is not known.
        names: what the program calls them.
    """

    thread: I32
    start: I64
    duration: I64
    name: U32
    bytes: I64
    names: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.thread)

    @cached_property
    def end(self) -> I64:
        """i64[n], ns from the trace's start."""
        end: I64 = self.start + self.duration
        return end

    def select(self, rows: Rows) -> Spans:
        """Those that a mask (bool[n]), row numbers or a slice names, in that order."""
        columns = [one.name for one in fields(self) if one.name != "names"]
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})

    def between(self, start_ns: int, end_ns: int) -> Spans:
        """Those that are, at least in part, in this time; ns from the trace's start."""
        return self.select((self.start < end_ns) & (self.end >= start_ns))

    def of_thread(self, *indices: int) -> Spans:
        """Those of these threads, by `Thread.index`."""
        return self.select(np.isin(self.thread, indices))

    def table(self) -> DataTable:
        """A row a span, numbers of threads only; `Trace.table` has their names as well."""
        return DataTable(
            {
                "thread": self.thread,
                "start_ns": self.start,
                "duration_ns": self.duration,
                "name": category(self.name, lambda code: self.names.get(code, "")),
                "bytes": self.bytes,
            }
        )

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame`, a row a span."""
        return self.table().to_pandas()

    def to_arrow(self) -> Any:
        """A `pyarrow.Table`, a row a span."""
        return self.table().to_arrow()

    def shifted(self, ns: int) -> Spans:
        """The same spans, later by ``ns``."""
        return replace(self, start=later(self.start, ns))

    @classmethod
    def empty(cls) -> Self:
        """None."""
        long = np.zeros(0, np.int64)
        return cls(np.zeros(0, np.int32), long, long, np.zeros(0, np.uint32), long)
