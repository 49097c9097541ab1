"""Spans: stretches of time that the program itself named."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from gilscope.trace import tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Spans:
    """What the program called stretches of time, as columns of equal length n, by (start, thread).

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

    thread: npt.NDArray[np.int32]
    start: npt.NDArray[np.int64]
    duration: npt.NDArray[np.int64]
    name: npt.NDArray[np.uint32]
    bytes: npt.NDArray[np.int64]
    names: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.thread)

    @cached_property
    def end(self) -> npt.NDArray[np.int64]:
        """i64[n], ns from the trace's start."""
        end: npt.NDArray[np.int64] = self.start + self.duration
        return end

    def select(self, rows: Any) -> Spans:
        """Those that a mask (bool[n]), row numbers or a slice names, in that order."""
        columns = [one.name for one in fields(self) if one.name != "names"]
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})

    def between(self, start_ns: int, end_ns: int) -> Spans:
        """Those that are, at least in part, in this time; ns from the trace's start."""
        return self.select((self.start < end_ns) & (self.end >= start_ns))

    def of_thread(self, *indices: int) -> Spans:
        """Those of these threads, by `Thread.index`."""
        return self.select(np.isin(self.thread, indices))

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame`, a row a span."""
        return tables.of_spans(self).to_pandas()

    def to_arrow(self) -> Any:
        """A `pyarrow.Table`, a row a span."""
        return tables.of_spans(self).to_arrow()

    def shifted(self, ns: int) -> Spans:
        """The same spans, later by ``ns``."""
        start = self.start + ns
        start.flags.writeable = False
        return replace(self, start=start)

    @classmethod
    def empty(cls) -> Self:
        """None."""
        long = np.zeros(0, np.int64)
        return cls(np.zeros(0, np.int32), long, long, np.zeros(0, np.uint32), long)
