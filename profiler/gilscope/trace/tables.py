"""Tables of a trace for other tools: columns of numpy arrays, pandas and Arrow on request."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope.errors import GilscopeError
from gilscope.trace import format as fmt
from gilscope.trace.distinct import distinct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy.typing as npt

    from gilscope.trace.model import Callbacks, Intervals, Lock, Thread, Trace
    from gilscope.trace.spans import Spans


@dataclass(frozen=True, slots=True, eq=False)
class Category:
    """A column of texts, few of them different.

    Attributes:
        codes: i32[n], number of each row's text; -1 for none.
        texts: by number.
    """

    codes: npt.NDArray[np.int32]
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def values(self) -> npt.NDArray[np.object_]:
        """The texts row by row; None where there is none."""
        return np.array([*self.texts, None], object)[self.codes]


type Column = npt.NDArray[Any] | Category


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns of equal length, by name."""

    columns: Mapping[str, Column]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def to_pandas(self) -> Any:
        """The table as a `pandas.DataFrame`.

        Raises:
            GilscopeError: pandas is not installed.
        """
        pandas = _library("pandas", "pandas")

        def series(column: Column) -> Any:
            if not isinstance(column, Category):
                return column
            return pandas.Categorical.from_codes(column.codes, categories=list(column.texts))

        return pandas.DataFrame({name: series(c) for name, c in self.columns.items()}, copy=False)

    def to_arrow(self) -> Any:
        """The table as a `pyarrow.Table`.

        Raises:
            GilscopeError: pyarrow is not installed.
        """
        arrow = arrow_library()

        def array(column: Column) -> Any:
            if not isinstance(column, Category):
                return arrow.array(column)
            codes = arrow.array(column.codes, mask=column.codes < 0)
            texts = arrow.array(column.texts, arrow.string())
            return arrow.DictionaryArray.from_arrays(codes, texts)

        return arrow.table({name: array(column) for name, column in self.columns.items()})


def arrow_library() -> Any:
    """The module `pyarrow`.

    Raises:
        GilscopeError: it is not installed.
    """
    return _library("pyarrow", "'gilscope[arrow]'")


def _library(name: str, package: str) -> Any:
    try:
        return __import__(name)
    except ModuleNotFoundError:
        raise GilscopeError(
            f"this needs {name}, which is not installed here: pip install {package}"
        ) from None


def category(codes: npt.NDArray[np.integer[Any]], text: Callable[[int], str]) -> Category:
    """Texts for codes; "" is none."""
    used, places = distinct(codes)
    texts = [text(code) for code in used.tolist()]
    known = dict.fromkeys(filter(None, texts))
    numbers = {name: number for number, name in enumerate(known)}
    table = np.array([numbers.get(name, -1) for name in texts], np.int32)
    return Category(table[places].astype(np.int32), tuple(known))


def of_intervals(intervals: Intervals, trace: Trace | None = None) -> Table:
    """A row an interval; with the trace, names besides numbers."""
    columns: dict[str, Column] = {
        "kind": category(intervals.kind, lambda kind: fmt.Event(kind).name),
        "thread": intervals.thread,
        "start_ns": intervals.start,
        "duration_ns": intervals.duration,
        "what": intervals.what,
        "peer": intervals.peer,
        "flags": intervals.flags,
        "aux": intervals.aux,
        "open": intervals.open,
        "stack": intervals.stack,
    }
    if trace is not None:
        names, locks = trace.thread_name, trace.locks
        about_locks = np.isin(
            intervals.kind, (fmt.Event.LOCK_WAIT, fmt.Event.LOCK_WAKE, fmt.Event.SPIN)
        )
        what = np.where(about_locks, intervals.what.astype(np.int64) + 1, 0)
        columns |= {
            "thread_name": category(intervals.thread, names),
            "lock_name": category(what, lambda code: locks[code - 1].name if code else ""),
            "peer_name": category(intervals.peer, names),
            "stack_text": category(intervals.stack, lambda stack: _frames(trace, stack)),
        }
    return Table(columns)


def of_callbacks(callbacks: Callbacks, trace: Trace | None = None) -> Table:
    """A row a callback; with the trace, names besides numbers."""
    columns: dict[str, Column] = {
        "thread": callbacks.thread,
        "start_ns": callbacks.start,
        "duration_ns": callbacks.duration,
        "enter_ns": callbacks.enter_ns,
        "entry": callbacks.entry,
        "callable": callbacks.callable,
        "flags": callbacks.flags,
        "open": callbacks.open,
        "stack": callbacks.stack,
    }
    if trace is not None:
        entries, callables = trace.entries, trace.callables
        columns |= {
            "thread_name": category(callbacks.thread, trace.thread_name),
            "callable_name": category(callbacks.callable, lambda code: callables[code].label),
            "native_function": category(callbacks.entry, lambda code: entries[code].function),
            "binding": category(callbacks.entry, lambda code: entries[code].binding),
        }
    return Table(columns)


def of_spans(spans: Spans, trace: Trace | None = None) -> Table:
    """A row a span; with the trace, names of threads besides numbers."""
    columns: dict[str, Column] = {
        "thread": spans.thread,
        "start_ns": spans.start,
        "duration_ns": spans.duration,
        "name": category(spans.name, lambda code: spans.names.get(code, "")),
        "bytes": spans.bytes,
    }
    if trace is not None:
        columns["thread_name"] = category(spans.thread, trace.thread_name)
    return Table(columns)


def of_locks(locks: Iterable[Lock]) -> Table:
    """A row a lock."""
    return _of_objects(
        list(locks),
        {"id": np.uint32, "address": np.uint64, "object_address": np.uint64},
        ("kind", "type", "name", "source", "created"),
    )


def of_threads(threads: Iterable[Thread]) -> Table:
    """A row a thread."""
    numbers: dict[str, Any] = {"index": np.int32, "tid": np.int64, "ident": np.uint64}
    numbers |= {"native": np.bool_, "main": np.bool_, "start_ns": np.int64, "end_ns": np.int64}
    return _of_objects(list(threads), numbers | {"dropped": np.uint64}, ("name",))


def _of_objects(objects: Sequence[Any], numbers: Mapping[str, Any], texts: Sequence[str]) -> Table:
    columns: dict[str, Column] = {
        name: np.array([getattr(one, name) for one in objects], dtype)
        for name, dtype in numbers.items()
    }
    rows = np.arange(len(objects))
    for name in texts:
        texts_of = list(map(attrgetter(name), objects))
        columns[name] = category(rows, texts_of.__getitem__)
    return Table(columns)


def _frames(trace: Trace, stack: int) -> str:
    """A stack as one text, the innermost frame first."""
    return " < ".join(
        f"{frame.name} ({frame.file}:{frame.line})" if frame.line else frame.name
        for frame in trace.stacks[stack]
    )


TABLES: dict[str, Callable[[Trace], Table]] = {
    "intervals": lambda trace: of_intervals(trace.intervals, trace),
    "wakes": lambda trace: of_intervals(trace.wakes, trace),
    "callbacks": lambda trace: of_callbacks(trace.callbacks, trace),
    "spans": lambda trace: of_spans(trace.spans, trace),
    "locks": lambda trace: of_locks(trace.locks.values()),
    "threads": lambda trace: of_threads(trace.threads),
}
"""Tables of a trace by name."""
