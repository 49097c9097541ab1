"""Speed-ups that are predicted for traces whose answer is known."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import pytest

from gilscope.analysis.prediction.contention import kept_after_contention
from gilscope.analysis.prediction.cpu_share import shared_work
from gilscope.analysis.prediction.predict import Prediction, predict
from gilscope.analysis.prediction.replay import Kind, Step, replay
from gilscope.trace.reading.reader import read
from trace_builder import TraceBuilder

if TYPE_CHECKING:
    from pathlib import Path

MS = 1_000_000


def predicted(builder: TraceBuilder, path: Path, processors: int, **more: int) -> Prediction:
    """What is predicted for the trace."""
    found = predict(read(builder.write(path / "t.gilscope")), processors, **more)
    assert found is not None
    return found


def takes_turns(
    builder: TraceBuilder, threads: list[int], times: int, turn: int = 10 * MS, start: int = 0
) -> int:
    """Let threads hold the GIL in turn, and wait for it in between; return the end."""
    end = start
    for _ in range(times):
        for thread in threads:
            if end > start:
                builder.gil_wait(thread, max(start, end - turn * (len(threads) - 1)), end)
            builder.hold(thread, end, end + turn)
            end += turn
    return end


def joined(builder: TraceBuilder, main: int, threads: list[int], end: int, turn: int) -> None:
    """Let the main thread wait for the end of each thread, the last of them at ``end``."""
    begin = 0
    for place, thread in enumerate(threads):
        over = end - turn * (len(threads) - 1 - place)
        lock = builder.lock("thread_end", address=0x9000 + thread)
        builder.wait(main, lock, begin, over, peer=thread)
        begin = over


@pytest.mark.parametrize(("processors", "speedup"), [(1, 1.0), (2, 2.0), (3, 3.0), (8, 3.0)])
def test_python_threads_without_locks(tmp_path: Path, processors: int, speedup: float) -> None:
    """Three threads that took turns run side by side, as far as there are processors."""
    builder = TraceBuilder()
    main = builder.thread("MainThread", main=True)
    threads = [builder.thread(f"t{i}") for i in range(3)]
    end = takes_turns(builder, threads, 4)
    joined(builder, main, threads, end, 10 * MS)
    found = predicted(builder, tmp_path, processors, recorded_on=8)
    assert found.recorded_ns == end == 120 * MS
    assert found.speedup == pytest.approx(speedup, rel=1e-6)
    assert found.gil_wait_ns > 0


def test_no_speedup_is_above_processors_by_measured_parallelism(tmp_path: Path) -> None:
    """Beside threads that took turns, native code used 80 % of a processor that no event shows."""
    builder = TraceBuilder()
    main = builder.thread("MainThread", main=True)
    threads = [builder.thread(f"t{i}") for i in range(3)]
    hidden = builder.thread("native", native=True)
    end = takes_turns(builder, threads, 4)
    joined(builder, main, threads, end, 10 * MS)
    for thread, on_cpu in [*((t, 40 * MS) for t in threads), (hidden, 96 * MS)]:
        builder.cpu_times((thread, 0, 0, 0), (thread, 120 * MS, on_cpu, 0))
    found = predicted(builder, tmp_path, 2)
    most = 2 / ((120 + 96) / 120)
    assert found.speedup <= most + 1e-6
    assert found.interval[1] <= most + 1e-6


def test_no_speedup_is_above_the_number_of_processors(tmp_path: Path) -> None:
    """Threads took turns with a quarter of a processor, since other processes had the rest."""
    builder = TraceBuilder()
    main = builder.thread("MainThread", main=True)
    threads = [builder.thread(f"t{i}") for i in range(3)]
    end = takes_turns(builder, threads, 4)
    joined(builder, main, threads, end, 10 * MS)
    for thread in threads:
        builder.cpu_times((thread, 0, 0, 0), (thread, end, 10 * MS, 30 * MS))
    found = predicted(builder, tmp_path, 2, recorded_on=8)
    assert found.speedup == pytest.approx(2.0, rel=1e-6)
    assert found.interval[1] <= 2.0 + 1e-6


def test_without_waits_for_the_gil_nothing_changes(tmp_path: Path) -> None:
    """Native work in parallel already, on fewer processors than threads."""
    builder = TraceBuilder()
    main = builder.thread("MainThread", main=True)
    builder.hold(main, 0, 10 * MS)
    for i in range(4):
        builder.thread(f"native {i}", native=True, start=(10 + 5 * i) * MS, end=90 * MS)
    builder.hold(main, 90 * MS, 100 * MS)
    found = predicted(builder, tmp_path, 2)
    assert found.speedup == pytest.approx(1.0, rel=1e-6)
    assert found.interval == pytest.approx((1.0, 1.0), rel=1e-6)
    assert found.inferred_joins == 1


def test_a_pool_of_native_threads_that_call_back(tmp_path: Path) -> None:
    """The main thread waits unseen; two threads hold the GIL for all of their time, in turn."""
    builder = TraceBuilder()
    main = builder.thread("MainThread", main=True)
    builder.hold(main, 0, 20 * MS)
    pool = [builder.thread(f"pool {i}", native=True, start=5 * MS, end=None) for i in range(2)]
    end = takes_turns(builder, pool, 4, start=20 * MS)
    builder.hold(main, end, end + 20 * MS)
    found = predicted(builder, tmp_path, 2)
    assert found.recorded_ns == 120 * MS
    assert found.inferred_joins == 1
    assert found.expected_ns == pytest.approx(80 * MS, rel=1e-6)


def test_a_forced_release_is_followed_by_no_work(tmp_path: Path) -> None:
    """Until it asks for the GIL again, the thread has no processor."""
    builder = TraceBuilder()
    main = builder.thread("MainThread", main=True)
    other = builder.thread("t")
    builder.hold(main, 0, 20 * MS, forced=True)
    builder.gil_wait(main, 30 * MS, 40 * MS)
    builder.hold(other, 20 * MS, 40 * MS)
    builder.hold(main, 40 * MS, 60 * MS)
    found = predicted(builder, tmp_path, 2)
    assert found.expected_ns == pytest.approx(40 * MS)


@pytest.mark.parametrize(
    ("on_cpu", "runnable", "expected"),
    [
        (150, 0, 450),  # all of it was work, and there is one processor
        (75, 75, 225),  # half of it they had no processor, and will have
        (50, 0, 250),  # two thirds of it they slept, after work for which they share it
        (0, 0, 150),  # they did no work
    ],
)
def test_the_kernels_samples_tell_work_from_rest(
    tmp_path: Path, on_cpu: int, runnable: int, expected: int
) -> None:
    """What a thread did without the GIL takes the processor's time that it had, and no more."""
    builder = TraceBuilder()
    threads = [builder.thread("MainThread", main=True), *(builder.thread(f"t{i}") for i in (1, 2))]
    for thread in threads:
        # Each of them is outside of Python all the time but at its end.
        builder.hold(thread, 149 * MS + thread * 100_000, 149 * MS + thread * 100_000 + 1)
        builder.cpu_times((thread, 0, 0, 0), (thread, 150 * MS, on_cpu * MS, runnable * MS))
    builder.ticks(150 * MS)
    found = predicted(builder, tmp_path, 1, recorded_on=8)
    assert found.expected_ns / MS == pytest.approx(expected, rel=0.01)


def test_a_pool_that_waits_for_condition_variables(tmp_path: Path) -> None:
    """Nobody knows who signalled them; what the threads do shows it, job by job."""
    builder = TraceBuilder(minor=1)
    main = builder.thread("MainThread", main=True)
    pool = [builder.thread(f"pool {i}", native=True, start=0) for i in range(2)]
    condition = builder.lock("native_condition", address=0x7000)
    end = 0
    for _ in range(3):
        begin = end + 10 * MS
        builder.hold(main, end, begin)
        for thread in pool:
            builder.wait(thread, condition, end, begin)
        end = takes_turns(builder, pool, 2, start=begin)
        builder.wait(main, condition, begin, end)
    builder.hold(main, end, end + 10 * MS)
    found = predicted(builder, tmp_path, 2)
    assert found.recorded_ns == 160 * MS
    assert (found.inferred_joins, found.unexplained_ns) == (3, 0)
    assert found.expected_ns == pytest.approx(100 * MS, rel=1e-6)


def test_locks_keep_their_order(tmp_path: Path) -> None:
    """What a lock makes serial stays serial without the GIL."""
    builder = TraceBuilder()
    main = builder.thread("MainThread", main=True)
    threads = [builder.thread(f"t{i}") for i in range(2)]
    lock = builder.lock("lock", address=0x7000)
    one, two = threads
    builder.hold(one, 0, 50 * MS)
    builder.gil_wait(two, 0, 50 * MS)
    builder.wait(two, lock, 1 * MS, 50 * MS, peer=one)
    builder.wake(one, lock, two, 50 * MS)
    builder.hold(two, 50 * MS, 100 * MS)
    joined(builder, main, threads, 100 * MS, 50 * MS)
    found = predicted(builder, tmp_path, 4)
    assert found.speedup == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize("flags", [0, 1])
def test_a_wait_that_nobody_ended_takes_as_long(tmp_path: Path, flags: int) -> None:
    """It is not known what ended it, or it timed out."""
    builder = TraceBuilder()
    main = builder.thread("MainThread", main=True)
    builder.hold(main, 0, 10 * MS)
    lock = builder.lock("event", address=0x7000)
    builder.wait(main, lock, 10 * MS, 60 * MS, flags=flags)
    builder.hold(main, 60 * MS, 70 * MS)
    found = predicted(builder, tmp_path, 2)
    assert found.expected_ns == pytest.approx(70 * MS)
    assert found.unexplained_ns == 50 * MS


def test_who_never_was_in_python_waits_for_nobody(tmp_path: Path) -> None:
    """Threads that end together are no wait of one for the others, if all of them only work."""
    builder = TraceBuilder()
    main = builder.thread("MainThread", main=True)
    builder.hold(main, 0, 10 * MS)
    done = builder.lock("native_condition")
    pool = [
        builder.thread(f"pool {i}", native=True, start=start * MS, end=90 * MS)
        for i, start in enumerate((10, 12, 14))
    ]
    builder.wait(main, done, 10 * MS, 90 * MS, peer=pool[0])
    builder.hold(main, 90 * MS, 100 * MS)
    found = predicted(builder, tmp_path, 4)
    assert found.inferred_joins == 0
    assert found.expected_ns == pytest.approx(100 * MS)


def test_a_pool_may_share_its_work(tmp_path: Path) -> None:
    """One thread did three times as much as the other: the range has what a pool would do."""
    builder = TraceBuilder()
    main = builder.thread("MainThread", main=True)
    pool = [builder.thread(f"pool {i}", native=True, start=0, end=None) for i in range(2)]
    builder.gil_wait(pool[1], 0, 30 * MS)
    builder.hold(pool[0], 0, 30 * MS)
    builder.hold(pool[1], 30 * MS, 40 * MS)
    builder.hold(main, 40 * MS, 41 * MS)
    found = predicted(builder, tmp_path, 2)
    assert found.expected_ns == pytest.approx(31 * MS, rel=1e-6)
    assert found.low_ns == pytest.approx(21 * MS, rel=1e-6)
    assert found.interval[0] <= found.speedup <= found.interval[1]


def test_an_empty_trace_predicts_nothing(tmp_path: Path) -> None:
    """There is nothing to replay."""
    assert predict(read(TraceBuilder().write(tmp_path / "t.gilscope")), 2) is None


def test_processors_are_shared_evenly() -> None:
    """Three programs of 10 ns on two processors; a pause needs none."""
    run = [Step(Kind.RUN, 10)]
    assert replay([run, run, run], 2).ends == [15.0, 15.0, 15.0]
    assert replay([run, run, [Step(Kind.PASS, 12)]], 2).ends == [10.0, 10.0, 12.0]
    assert replay([run, [Step(Kind.RUN, 30)]], 1).ends == [20.0, 40.0]


def test_a_program_waits_for_a_milestone() -> None:
    """Whether it has been reached before or not."""
    first = [Step(Kind.RUN, 10), Step(Kind.REACH, 1), Step(Kind.RUN, 10), Step(Kind.REACH, 2)]
    second = [Step(Kind.AWAIT, 1), Step(Kind.RUN, 30), Step(Kind.AWAIT, 2), Step(Kind.RUN, 1)]
    done = replay([first, second], 2)
    assert done.ends == [20.0, 41.0]
    assert done.reached == {1: 10.0, 2: 20.0}
    assert not done.forced


def test_a_circle_of_waits_is_broken() -> None:
    """A damaged trace must not keep anybody waiting."""
    done = replay(
        [[Step(Kind.AWAIT, 1), Step(Kind.REACH, 2)], [Step(Kind.AWAIT, 2), Step(Kind.REACH, 1)]], 1
    )
    assert done.forced == 1
    assert inf not in done.ends


@pytest.mark.parametrize(
    ("delays", "processors", "parts"),
    [
        ([0, 0, 0], 8, [20, 20, 20]),
        ([0, 0, 0], 2, [20, 20, 20]),
        ([0, 30, 0], 8, [30, 0, 30]),
        ([0, 15, 0], 8, [25, 10, 25]),
        ([20, 0], 1, [20, 40]),
    ],
)
def test_a_pool_ends_together(delays: list[int], processors: int, parts: list[int]) -> None:
    """A thread that begins late does less."""
    assert shared_work(60, delays, processors) == pytest.approx(parts)


@pytest.mark.parametrize(("kind", "kept"), [(1, 0.5), (2, 0.5), (4, 1.0), (32, 1.0)])
def test_waits_for_locks_of_objects_lower_a_prediction(
    tmp_path: Path, kind: int, kept: float
) -> None:
    """Half of a thread's time; a program's own lock is waited for under the GIL, too."""
    builder = TraceBuilder(free_threaded=True)
    thread = builder.thread("worker")
    builder.wait(thread, builder.lock(kind), 1 * MS, 6 * MS)
    builder.cpu_times((thread, 0, 0, 0), (thread, 10 * MS, 5 * MS, 0))
    trace = read(builder.write(tmp_path / "t.gilscope"))
    assert kept_after_contention(trace, None) == pytest.approx(kept, rel=0.01)


def test_more_processor_time_for_the_same_work_lowers_a_prediction(tmp_path: Path) -> None:
    """It goes into spinning, and into fetching cache lines."""
    traces = []
    for used in (8, 4):
        builder = TraceBuilder(free_threaded=True)
        thread = builder.thread("worker")
        builder.cpu_times((thread, 0, 0, 0), (thread, 10 * MS, used * MS, 0))
        traces.append(read(builder.write(tmp_path / f"{used}.gilscope")))
    assert kept_after_contention(*traces) == pytest.approx(0.5, rel=0.01)
    assert kept_after_contention(*reversed(traces)) == 1
