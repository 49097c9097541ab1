"""Tables of a trace with names besides numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from gilscope.trace import format as fmt
from gilscope.trace.tables import Column, DataTable, category

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gilscope.trace.model.callbacks import Callbacks
    from gilscope.trace.model.intervals import Intervals
    from gilscope.trace.model.locks import Locks
    from gilscope.trace.model.places import Callable, Entry, Frame
    from gilscope.trace.model.spans import Spans


class Names(Protocol):
    """The names behind the numbers in a trace."""

    @property
    def locks(self) -> Locks:
        """Locks by id."""

    @property
    def stacks(self) -> Mapping[int, tuple[Frame, ...]]:
        """Frames by id, the innermost first."""

    @property
    def entries(self) -> Mapping[int, Entry]:
        """Entries by id."""

    @property
    def callables(self) -> Mapping[int, Callable]:
        """Callables by id."""

    def thread_name(self, index: int) -> str:
        """Name of a thread."""


def of_intervals(intervals: Intervals, names: Names) -> DataTable:
    """A row an interval."""
    locks = names.locks
    about_locks = np.isin(
        intervals.kind, (fmt.Event.LOCK_WAIT, fmt.Event.LOCK_WAKE, fmt.Event.SPIN)
    )
    what = np.where(about_locks, intervals.what.astype(np.int64) + 1, 0)
    columns: dict[str, Column] = {
        "thread_name": category(intervals.thread, names.thread_name),
        "lock_name": category(what, lambda code: locks[code - 1].name if code else ""),
        "peer_name": category(intervals.peer, names.thread_name),
        "stack_text": category(intervals.stack, lambda stack: _text(names.stacks[stack])),
    }
    return DataTable({**intervals.table().columns, **columns})


def of_callbacks(callbacks: Callbacks, names: Names) -> DataTable:
    """A row a callback."""
    entries, callables = names.entries, names.callables
    columns: dict[str, Column] = {
        "thread_name": category(callbacks.thread, names.thread_name),
        "callable_name": category(callbacks.callable, lambda code: callables[code].label),
        "native_function": category(callbacks.entry, lambda code: entries[code].function),
        "binding": category(callbacks.entry, lambda code: entries[code].binding),
    }
    return DataTable({**callbacks.table().columns, **columns})


def of_spans(spans: Spans, names: Names) -> DataTable:
    """A row a span."""
    thread_name = category(spans.thread, names.thread_name)
    return DataTable({**spans.table().columns, "thread_name": thread_name})


def _text(stack: tuple[Frame, ...]) -> str:
    """A stack as one text, the innermost frame first."""
    return " < ".join(
        f"{frame.name} ({frame.file}:{frame.line})" if frame.line else frame.name for frame in stack
    )
