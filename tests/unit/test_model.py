"""The model of a trace."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gilscope.trace.format import Event
from gilscope.trace.model import COLUMN_TYPES, Intervals, Locks, Trace
from gilscope.trace.reading.reader import read
from trace_examples import gil_trace


@pytest.fixture
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """A trace of a GIL build."""
    return read(gil_trace().write(tmp_path_factory.mktemp("model") / "x.gilscope"))


def test_columns_have_one_length_and_their_types(trace: Trace) -> None:
    """All columns are equally long and of the documented types."""
    for name, dtype in COLUMN_TYPES.items():
        column = getattr(trace.intervals, name)
        assert column.dtype == dtype
        assert len(column) == len(trace.intervals)


def test_end(trace: Trace) -> None:
    """The end is the start and the duration."""
    assert np.array_equal(trace.intervals.end, trace.intervals.start + trace.intervals.duration)


def test_select_by_mask_rows_and_slice(trace: Trace) -> None:
    """A mask, row numbers and a slice select alike."""
    intervals = trace.intervals
    mask = np.zeros(len(intervals), np.bool_)
    mask[:3] = True
    for rows in (mask, np.arange(3), slice(3)):
        assert intervals.select(rows).start.tolist() == intervals.start[:3].tolist()


def test_where(trace: Trace) -> None:
    """One kind of interval can be picked."""
    waits = trace.intervals.where(Event.LOCK_WAIT)
    assert waits.start.tolist() == [62_000]


def test_empty() -> None:
    """No intervals are intervals too."""
    assert len(Intervals.empty()) == 0
    assert Intervals.empty().end.tolist() == []


def test_main_thread_comes_first(trace: Trace) -> None:
    """Threads stand in the order of the lanes."""
    assert [thread.main for thread in trace.threads] == [True, False, False]
    starts = [thread.start_ns for thread in trace.threads[1:]]
    assert starts == sorted(starts)


def test_thread_name(trace: Trace) -> None:
    """Intervals refer to threads by index; 0 and strangers have no name."""
    assert trace.thread_name(2) == "worker"
    assert trace.thread_name(0) == trace.thread_name(99) == ""


def test_undefined_lock_is_unidentified() -> None:
    """A lock that is not defined is there all the same, without being stored."""
    locks = Locks()
    assert (locks[5].id, locks[5].kind) == (5, "unidentified")
    assert len(locks) == 0


def test_frozen(trace: Trace) -> None:
    """A trace cannot be changed."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        trace.pid = 1  # type: ignore[misc]
