"""Samples of how long threads ran on a processor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gilscope.trace.model import CpuShare, CpuTimes
from gilscope.trace.reading.reader import read
from trace_builder import TraceBuilder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gilscope.trace.model import Trace

    type Reader = Callable[[TraceBuilder], Trace]

MS = 1_000_000


def builder() -> TraceBuilder:
    """A main thread that runs, sleeps and waits for a processor, and one that starts later."""
    built = TraceBuilder()
    main = built.thread("MainThread", main=True)
    late = built.thread("late", start=200 * MS)
    built.cpu_times((main, 0, 70 * MS, 5 * MS), (main, 100 * MS, 150 * MS, 5 * MS))
    built.cpu_times((main, 300 * MS, 150 * MS, 5 * MS), (late, 300 * MS, 40 * MS, 60 * MS))
    built.cpu_times((main, 400 * MS, 200 * MS, 55 * MS))
    built.ticks(500 * MS)
    return built


@pytest.fixture
def read_built(tmp_path: Path) -> Reader:
    """Writes what was built and reads it."""
    return lambda built: read(built.write(tmp_path / "x.gilscope"))


@pytest.fixture
def trace(read_built: Reader) -> Trace:
    """The trace of `builder`."""
    return read_built(builder())


def test_parts_add_up(trace: Trace) -> None:
    """What is between the first and the last sample is on a processor, runnable or asleep."""
    share = trace.cpu_times.share(1, 0, 500 * MS)
    assert share == CpuShare(400 * MS, 130 * MS, 50 * MS, 220 * MS)


def test_all_threads_together(trace: Trace) -> None:
    """What each ran between its first and its last sample."""
    assert trace.cpu_times.total_on_cpu_ns == (130 + 40) * MS
    assert CpuTimes.empty().total_on_cpu_ns == 0


def test_pause_between_equal_samples_is_sleep(trace: Trace) -> None:
    """A thread whose times do not grow did not run."""
    assert trace.cpu_times.share(1, 150 * MS, 250 * MS) == CpuShare(100 * MS, 0, 0, 100 * MS)


def test_part_of_a_stretch_is_in_proportion(trace: Trace) -> None:
    """Between two samples the sum is all that is known."""
    assert trace.cpu_times.share(1, 0, 50 * MS) == CpuShare(50 * MS, 40 * MS, 0, 10 * MS)


def test_thread_of_the_session_begins_with_nothing(trace: Trace) -> None:
    """So one sample is enough for it."""
    assert trace.cpu_times.share(2, 0, 300 * MS) == CpuShare(100 * MS, 40 * MS, 60 * MS, 0)


def test_a_thread_without_a_sample_at_the_end_did_not_run_any_more(trace: Trace) -> None:
    """Others were sampled then: it was at rest since its last sample, as `FORMAT.md` has it."""
    assert trace.cpu_times.share(2, 300 * MS, 500 * MS) == CpuShare(100 * MS, 0, 0, 100 * MS)


def test_of_a_session_that_did_not_end_no_rest_is_known(tmp_path: Path) -> None:
    """A thread may have run since its last sample."""
    trace = read(builder().write(tmp_path / "x.gilscope", end=False))
    assert trace.ended_early
    assert trace.cpu_times.share(2, 300 * MS, 500 * MS) is None


def test_thread_without_samples(trace: Trace) -> None:
    """Nothing is known of it."""
    assert trace.cpu_times.share(3, 0, 500 * MS) is None
    assert trace.cpu_times.share(1, 450 * MS, 500 * MS) is None


def test_shifted(trace: Trace) -> None:
    """All times are later."""
    share = trace.cpu_times.shifted(1_000 * MS).share(1, 1_150 * MS, 1_250 * MS)
    assert share == CpuShare(100 * MS, 0, 0, 100 * MS)


def test_impossible_samples_are_left_out(read_built: Reader) -> None:
    """And counted."""
    built = builder()
    built.cpu_times((1, 1 << 62, 1, 1), (1, 420 * MS, 1 << 63, 1))
    trace = read_built(built)
    assert len(trace.cpu_times) == 8  # six, the start of one thread, and the rest of it
    assert trace.problems == ("samples of processor time that cannot be right: 2 left out",)


def test_trace_without_samples(read_built: Reader) -> None:
    """An older trace has none."""
    built = TraceBuilder()
    built.thread("MainThread", main=True)
    assert len(read_built(built).cpu_times) == 0
