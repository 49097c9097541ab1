"""Findings that stand on samples of where threads ran."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gilscope.analysis.findings import find
from gilscope.analysis.waits.processors import reachable
from gilscope.trace.format import Event, LockWaitFlag
from gilscope.trace.model.shared_memory import Pools, PoolThread, SharedMemory, Sharer
from gilscope.trace.reading.reader import read
from gilscope.trace.reading.shared_memory import read_pools, read_shared_memory
from trace_builder import TraceBuilder

if TYPE_CHECKING:
    from pathlib import Path

    from gilscope.trace.model import Trace

MS = 1_000_000
SECOND = 1000 * MS


def crowded(path: Path, native: int) -> Trace:
    """Two Python threads, and native ones, that all want a processor for a second; two have one."""
    builder = TraceBuilder(free_threaded=True)
    threads = [builder.thread(f"t{i}", native=i > 1, tid=100 + i) for i in range(2 + native)]
    share = 2 * SECOND // len(threads)
    samples = [(thread, 0, 0, 0) for thread in threads]
    samples += [(thread, SECOND, share, SECOND - share) for thread in threads]
    builder.cpu_times(*sorted(samples))
    return read(builder.write(path / "x.gilscope", duration=SECOND))


@pytest.mark.parametrize(("native", "pools", "said"), [(6, 8, 1), (6, 1, 0), (0, 2, 0)])
def test_pools_that_multiply(tmp_path: Path, native: int, pools: int, said: int) -> None:
    """Not if one thread uses a pool, nor if the pool has no threads of its own."""
    used = tuple(PoolThread(100 + i, "libgomp.so.1", 5) for i in range(pools))
    trace = replace(crowded(tmp_path, native), pools=Pools(used), processors=2)
    found = [one for one in find(trace) if one.name == "processor-oversubscription"]
    assert len(found) == said
    for one in found:
        assert (
            one.title == "2 Python threads and 6 threads of libgomp.so.1 compete for 2 processors"
        )
        assert "OMP_NUM_THREADS=1" in one.advice


def shared(samples: int, *, counted: bool) -> SharedMemory:
    """A line at which two threads were met so often, of a hundred times each."""
    sharers = tuple(Sharer(tid, samples, 100, "app.py:4 in work") for tid in (100, 101))
    functions = (("bump(long*)", "/lib/app.so"),)
    kind, name = ("_thread.lock", "shared") if counted else ("", "")
    return SharedMemory(kind, name, counted, 64, functions, MS, 0, SECOND, sharers)


@pytest.mark.parametrize(
    ("samples", "counted", "title"),
    [
        (50, True, "2 threads count references to one shared object, the lock `shared`: 50% of"),
        (50, False, "2 threads write to one shared cache line in bump (app.so): 50% of"),
        (4, True, ""),
        (4, False, ""),
    ],
)
def test_shared_lines(tmp_path: Path, samples: int, counted: bool, title: str) -> None:  # noqa: FBT001 - a parameter
    """The object or the function, and the part of processor time; little is left alone."""
    trace = replace(crowded(tmp_path, 0), shared_memory=(shared(samples, counted=counted),))
    titles = [one.title for one in find(trace)]
    assert [one.startswith(title) for one in titles] == ([True] if title else [])


@pytest.mark.parametrize(
    ("ran", "ready", "held_ns", "said"),
    [(80, 0, 1000, 1), (40, 40, 1000, 1), (5, 90, 1000, 0), (5, 90, 2 * MS, 1), (5, 90, 0, 1)],
)
def test_the_lock_of_an_object_on_a_busy_machine(
    tmp_path: Path, ran: int, ready: int, held_ns: int, said: int
) -> None:
    """If it was held for moments and threads had no processor, waiting for it is not its doing."""
    builder = TraceBuilder(free_threaded=True)
    threads = [builder.thread(f"worker-{i}") for i in range(2)]
    lock = builder.lock("object", type="dict", address=0x100A, object=0x1000)
    for number in range(20):
        for thread in threads:
            start = number * 10 * MS
            builder.wait(thread, lock, start, start + 5 * MS)
        if held_ns:
            other = threads[number % 2]
            builder.wake(threads[1 - number % 2], lock, other, start + 5 * MS + held_ns)
    used = [(thread, 200 * MS, 2 * ran * MS, 2 * ready * MS) for thread in threads]
    builder.cpu_times(*sorted([(thread, 0, 0, 0) for thread in threads] + used))
    trace = read(builder.write(tmp_path / "x.gilscope", duration=200 * MS))
    assert [one.name for one in find(trace)] == ["hot-object-lock"] * said


REACHED = (
    # busy of the waiting, processors, threads that wait: part that is had back
    (100, 2, 1, 1.0),  # one more can run
    (100, 2, 3, 2 / 3),  # of four threads, two at a time
    (100, 1, 3, 0.0),  # nothing can run beside the one that does
    (0, 1, 3, 1.0),  # whoever has the lock sleeps with it
    (100, 0, 3, 1.0),  # nobody knows
)


@pytest.mark.parametrize(("busy", "processors", "waiting", "part"), REACHED)
def test_what_processors_leave_of_a_cost(
    tmp_path: Path, busy: int, processors: int, waiting: int, part: float
) -> None:
    """A run that does not wait takes no less than all processors take for its work."""
    builder = TraceBuilder(free_threaded=True)
    holder = builder.thread("holder")
    threads = [builder.thread(f"waits-{i}") for i in range(waiting)]
    lock = builder.lock("native_mutex")
    for thread in threads:
        builder.wait(thread, lock, 100 * MS, 400 * MS, peer=holder, flags=LockWaitFlag.HOLDER)
    builder.cpu_times((holder, 0, 0, 0), (holder, 500 * MS, 5 * busy * MS, 0))
    trace = read(builder.write(tmp_path / "x.gilscope", duration=500 * MS))
    trace = replace(trace, processors=processors)
    rows = np.flatnonzero(trace.intervals.kind == Event.LOCK_WAIT)
    assert reachable(trace, rows) == pytest.approx(part, abs=0.01)
    [finding] = find(trace)
    assert finding.name == "hot-lock"
    assert finding.cost_ns == pytest.approx(part * waiting * 300 * MS, abs=3 * MS)
    limited = any(f"{processors} processor" in line for line in finding.evidence)
    assert limited == (part < 1)


def test_each_moment_has_processors_of_its_own(tmp_path: Path) -> None:
    """What was busy while nobody waited takes nothing from what waiting costs."""
    builder = TraceBuilder(free_threaded=True)
    busy, waits = builder.thread("busy"), builder.thread("waits")
    lock = builder.lock("native_mutex")
    builder.wait(waits, lock, 0, 100 * MS, peer=busy)
    builder.wait(waits, lock, 900 * MS, 1000 * MS, peer=busy)
    builder.cpu_times((busy, 0, 0, 0), (busy, 100 * MS, 0, 0), (busy, 900 * MS, 800 * MS, 0))
    trace = read(builder.write(tmp_path / "x.gilscope", duration=1000 * MS))
    rows = np.flatnonzero(trace.intervals.kind == Event.LOCK_WAIT)
    assert reachable(replace(trace, processors=1), rows) == pytest.approx(1.0, abs=0.01)


def test_metadata_of_samples_is_read() -> None:
    """As it is written; what makes no sense is left out or is nothing."""
    threads = [{"tid": 7, "samples": 3, "of": 9, "python": ["a.py:1 in f"]}, 5]
    one = {"kind": "list", "name": "x", "counted": True, "address": 64, "threads": threads}
    found = read_shared_memory({"shared_memory": [one, "?"]}, 0)
    assert found[0].sharers == (Sharer(7, 3, 9, "a.py:1 in f"),)
    assert read_shared_memory({"shared_memory": 3}, 0) == ()
    pools = read_pools({"pools": [{"tid": 7, "pool": "libomp.so"}, None]})
    assert pools == Pools((PoolThread(7, "libomp.so", 0),))
    assert read_pools({}) == Pools()


@pytest.mark.parametrize(("late", "ready", "said"), [(20, 0, 1), (20, 20, 0), (0, 0, 0)])
def test_a_thread_that_does_not_stop(tmp_path: Path, late: int, ready: int, said: int) -> None:
    """It is charged with what others wait until it stops, unless it had no processor."""
    builder = TraceBuilder(free_threaded=True)
    native, asks, waits = (builder.thread(name) for name in ("native", "asks", "waits"))
    request, pause = builder.lock("stop_the_world_request"), builder.lock("stop_the_world")
    where = builder.stack((builder.code("compress", "/src/app.py", 1), 7))
    for number in range(6):
        start, end = number * 50 * MS, (number * 50 + late) * MS + 100_000
        builder.wait(asks, request, start, start + 50_000, flags=LockWaitFlag.TIMED_OUT)
        builder.wait(asks, request, start + 60_000, end, peer=native)
        builder.wake(native, request, asks, end - 1000, stack=where)
        builder.wait(waits, pause, start, end + 10_000, peer=asks)
    used = [(native, 0, 0, 0), (native, 300 * MS, MS, ready * 6 * MS)]
    builder.cpu_times(*used)
    found = find(read(builder.write(tmp_path / "x.gilscope", duration=300 * MS)))
    titles = [one.title for one in found if one.name == "stop-the-world-storm"]
    words = "thread native (app.py:7 in compress) stops 20.1 ms after it was asked to"
    assert [title.startswith(words) for title in titles] == [True] * said
