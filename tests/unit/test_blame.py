"""Which thread waited for which, the critical path, and the tables of `gilscope top`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from gilscope.analysis.callbacks.callback_nesting import Inside
from gilscope.analysis.comparing.metrics import metrics
from gilscope.analysis.facts import Facts
from gilscope.analysis.findings import find
from gilscope.analysis.grouping import order_by, summarize
from gilscope.analysis.rows import SORTS
from gilscope.analysis.stacks import short
from gilscope.analysis.states.state import State
from gilscope.analysis.states.thread_states import lanes
from gilscope.analysis.top import TABLES, top
from gilscope.analysis.waits import blame as module
from gilscope.analysis.waits import overlaps
from gilscope.analysis.waits.blame import Blame, blame, caused_by_holds
from gilscope.analysis.waits.critical_path import critical_path, on_path
from gilscope.trace.reading.reader import read
from trace_builder import LOCK_WAKE, TraceBuilder
from trace_examples import callback_trace, ft_trace, gil_trace

if TYPE_CHECKING:
    from pathlib import Path

    from gilscope.trace.model import Trace


@pytest.fixture
def gil(tmp_path: Path) -> Trace:
    """The example of a GIL build."""
    return read(gil_trace().write(tmp_path / "gil.gilscope"))


def pairs(found: Blame) -> dict[tuple[int, int], tuple[int, int]]:
    """(waiter, holder) → (for the GIL, for locks)."""
    columns = (found.waiter, found.holder, found.gil_ns, found.lock_ns)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return {(waiter, holder): (gil, lock) for waiter, holder, gil, lock in rows}


def test_figures_are_those_of_each_group() -> None:
    """Count, sum and quantiles agree with those of each group looked at alone."""
    chance = np.random.default_rng(3)
    groups, values = chance.integers(0, 7, 1000), chance.integers(0, 10**9, 1000)
    found = summarize(groups, values, 9)
    for group in range(7):
        own = np.sort(values[groups == group])
        n = len(own)
        expected = (n, own.sum(), own[(n + 1) // 2 - 1], own[int(np.ceil(n * 0.99)) - 1], own[-1])
        columns = (found.count, found.total, found.p50, found.p99, found.max)
        assert tuple(int(column[group]) for column in columns) == expected
    assert found.count[7:].tolist() == found.max[7:].tolist() == [0, 0]


def test_figures_of_values_that_are_huge() -> None:
    """Values that leave no room for the group's number are sorted another way, to the same end."""
    values = np.array([1 << 62, 5, 3, 1 << 61], np.int64)
    found = summarize(np.array([1, 0, 1, 0]), values, 2)
    assert found.max.tolist() == [1 << 61, 1 << 62]
    assert found.p50.tolist() == [5, 3]


def test_order_keeps_rows_of_one_number_in_their_order() -> None:
    """The sort is stable, for small numbers and for large ones."""
    for large in (0, 1 << 20):
        keys = np.array([2, 1, 2, 1, 0]) + large
        assert order_by(keys).tolist() == [4, 1, 3, 0, 2]


def test_a_wait_is_charged_to_all_that_held_the_gil_meanwhile(gil: Trace) -> None:
    """Each holder gets its time; the time of the hand-over has no holder."""
    main, worker, pool = 1, 2, 3
    assert pairs(blame(gil)) == {
        (main, worker): (19_500, 0),
        (worker, 0): (500, 0),
        (worker, main): (20_000, 0),
        (pool, 0): (100, 0),
        (pool, main): (30_000, 0),
        (pool, worker): (10_000, 8_000),
    }


def test_blame_is_the_same_in_small_steps(gil: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many pairs are looked at together, and however the sums are kept."""
    whole = pairs(blame(gil))
    monkeypatch.setattr(overlaps, "MOST_PAIRS", 1)
    monkeypatch.setattr(module, "DENSE", 0)
    assert pairs(blame(gil)) == whole


def test_holds_cause_what_is_charged_to_their_threads(gil: Trace) -> None:
    """The waiting that holds caused is that of the blame, hold by hold."""
    rows, caused = caused_by_holds(gil)
    by_thread = np.bincount(gil.intervals.thread[rows], caused, 4).tolist()
    assert by_thread == [0, 50_000, 29_500, 0]


def test_a_wait_is_charged_to_all_that_had_the_lock_meanwhile(tmp_path: Path) -> None:
    """One thread has it for 10 µs, the next one for 40: the third one waits for both of them."""
    builder = TraceBuilder()
    first, second, third = (builder.thread(name) for name in ("first", "second", "third"))
    lock = builder.lock("lock", address=0x1000)
    builder.wait(second, lock, 1_000, 10_000, peer=first)
    builder.wait(third, lock, 1_000, 50_000, peer=second)
    builder.wake(first, lock, second, 10_000)
    builder.wake(second, lock, third, 50_000)
    found = pairs(blame(read(builder.write(tmp_path / "x.gilscope"))))
    assert found == {
        (second, first): (0, 9_000),
        (third, first): (0, 9_000),
        (third, second): (0, 40_000),
    }


def test_what_nobody_is_known_to_have_held_is_charged_to_who_ended_the_wait(
    tmp_path: Path,
) -> None:
    """There is no other event than the wait itself."""
    builder = TraceBuilder()
    first, second = (builder.thread(name) for name in ("first", "second"))
    lock = builder.lock("lock", address=0x1000)
    builder.wait(second, lock, 1_000, 10_000, peer=first)
    found = pairs(blame(read(builder.write(tmp_path / "x.gilscope"))))
    assert found == {(second, first): (0, 9_000)}


def test_blame_of_random_traces_adds_up(tmp_path: Path) -> None:
    """All waiting is charged, neither more nor less, whatever overlaps."""
    chance = np.random.default_rng(5)
    builder = TraceBuilder()
    threads = [builder.thread(f"t{i}") for i in range(5)]
    time = 0
    for _ in range(200):
        thread, length = int(chance.choice(threads)), int(chance.integers(1, 50))
        builder.hold(thread, time, time + length)
        time += length + int(chance.integers(0, 5))
    for thread in threads:
        for start in range(0, time, 100):
            builder.gil_wait(thread, start, start + int(chance.integers(1, 100)))
    trace = read(builder.write(tmp_path / "x.gilscope"))
    found = blame(trace)
    waits = trace.intervals.where(2)
    assert found.gil_ns.sum() == waits.duration.sum()
    assert (found.gil_ns >= 0).all()
    held = found.gil_ns[found.holder != 0].sum()
    assert held == caused_by_holds(trace)[1].sum()


def test_critical_path_goes_through_who_was_waited_for(tmp_path: Path) -> None:
    """While the main thread waits for a lock, the thread that gave it up is on the path."""
    builder = TraceBuilder()
    main = builder.thread("MainThread", main=True)
    worker = builder.thread("worker")
    lock = builder.lock("lock", address=0x1000)
    builder.wait(main, lock, 20_000, 70_000, peer=worker)
    builder.wake(worker, lock, main, 69_000)
    builder.hold(worker, 30_000, 60_000)
    trace = read(builder.write(tmp_path / "x.gilscope", duration=100_000))
    path = critical_path(trace)
    rows = zip(path.thread.tolist(), path.start.tolist(), path.end.tolist(), strict=True)
    assert list(rows) == [(worker, 0, 69_000), (main, 70_000, 100_000)]
    found = {one.thread: one for one in on_path(path, lanes(trace))}
    assert found[worker].states[State.HOLDING_GIL] == 30_000
    assert found[worker].total_ns + found[main].total_ns == 99_000
    assert path.inferred == 0


def test_critical_path_follows_the_gil(gil: Trace) -> None:
    """A thread that waited for the GIL got it from the one that is on the path before."""
    path = critical_path(gil)
    assert path.thread.tolist()[-1] == 1
    assert (path.start[1:] > path.end[:-1]).all()
    assert path.end[-1] == 100_000


@pytest.mark.parametrize("seed", range(5))
def test_critical_path_of_anything_ends(tmp_path: Path, seed: int) -> None:
    """It goes back in time whatever is damaged, and never lies outside of the run."""
    chance = np.random.default_rng(seed)
    builder = TraceBuilder()
    lock = builder.lock("lock", address=0x1000)
    threads = [builder.thread(f"t{i}", main=not i) for i in range(4)]
    for kind, start, length in chance.integers([1, 0, 0], [6, 1000, 50], (300, 3)).tolist():
        thread, other = chance.choice(threads, 2).tolist()
        end = start if kind == LOCK_WAKE else start + length
        builder.event(kind, thread, start, end, what=lock, peer=other)
    trace = read(builder.write(tmp_path / "x.gilscope"))
    path = critical_path(trace)
    assert (path.start <= path.end).all()
    assert (path.end[:-1] <= path.start[1:]).all()
    assert path.start[0] >= 0
    assert path.end[-1] == trace.duration_ns


def wild(seed: int) -> TraceBuilder:
    """Anything that a damaged file may hold: kinds, peers, locks and times at random."""
    chance = np.random.default_rng(seed)
    builder = TraceBuilder(free_threaded=bool(seed % 2), minor=1)
    kinds = ["object", "lock", "native_mutex", "stop_the_world", "stop_the_world_request"]
    locks = [builder.lock(kind, address=0x1000) for kind in kinds]
    stack = builder.stack((builder.code("work", "/src/app.py", 1), 2))
    threads = [builder.thread(f"t{i}", main=not i) for i in range(4)]
    longest = 10 ** int(chance.integers(2, 17))
    for kind in chance.integers(1, 10, 400).tolist():
        start, length = chance.integers(0, longest, 2).tolist()
        end = start if kind in (LOCK_WAKE, 9) else start + length
        about = {
            "what": int(chance.choice([*locks, 0, 77])),
            "peer": int(chance.choice([*threads, 0, 99, 1 << 31])),
            "flags": int(chance.integers(256)),
            "aux": int(chance.integers(1 << 16)),
            "stack": int(chance.choice([0, stack, 55])),
        }
        builder.event(kind, int(chance.choice(threads)), start, end, **about)
    return builder


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(40))
def test_anything_is_analysed(tmp_path: Path, seed: int) -> None:
    """Whatever a trace holds, there are tables, numbers and findings, and no error."""
    facts = Facts(read(wild(seed).write(tmp_path / "x.gilscope")))
    for by in TABLES:
        top(facts, by)
    assert all(value >= 0 for value in metrics(facts).values())
    assert all(one.cost_ns >= 0 for one in find(facts))


def test_the_innermost_callback(tmp_path: Path) -> None:
    """A moment belongs to the callback that began last and is not over."""
    trace = read(callback_trace().write(tmp_path / "x.gilscope"))
    inside = Inside(trace)
    pool = 2
    times = np.array([2_999, 3_000, 4_500, 5_000, 8_999, 9_000, 9_500, 11_999])
    rows = inside.at(np.full(len(times), pool, np.int32), times)
    starts = [int(trace.callbacks.start[row]) if row >= 0 else None for row in rows.tolist()]
    assert starts == [None, 3_000, 4_000, 3_000, 3_000, None, 9_500, 9_500]
    parents = inside.parents()
    inner = int(np.flatnonzero(trace.callbacks.start == 4_000)[0])
    assert trace.callbacks.start[parents[inner]] == 3_000


@pytest.mark.parametrize("builder", [gil_trace, ft_trace, callback_trace, TraceBuilder])
@pytest.mark.parametrize("by", TABLES)
def test_tables_are_in_order(tmp_path: Path, builder: type[TraceBuilder], by: str) -> None:
    """Each table of each trace can be sorted by each column."""
    facts = Facts(read(builder().write(tmp_path / "x.gilscope")))
    for sort, key in SORTS.items():
        values = [key(row) for row in top(facts, by, sort)]
        assert values == sorted(values, reverse=True)


def test_table_by_thread(gil: Trace) -> None:
    """A thread has its own waits, and what others waited for it."""
    rows = {row.name: row for row in top(Facts(gil), "thread")}
    assert (rows["pool"].count, rows["pool"].total_ns, rows["pool"].caused_ns) == (2, 48_100, 0)
    assert rows["MainThread"].caused_ns == 50_000


def test_table_by_line_and_function(tmp_path: Path) -> None:
    """A wait is at the innermost line of Python, and in the native function above it."""
    facts = Facts(read(callback_trace().write(tmp_path / "x.gilscope")))
    lines = {row.name: row.total_ns for row in top(facts, "line")}
    assert lines["app.py:42 in on_event"] == 600
    functions = {row.name: row.total_ns for row in top(facts, "function")}
    assert functions["events::Loop::fire(int)"] == 600


def test_metrics_have_numbers_for_every_trace(tmp_path: Path) -> None:
    """The names are the same for all traces, so that any two can be compared."""
    names = None
    for builder in (gil_trace, ft_trace, callback_trace, TraceBuilder):
        found = metrics(read(builder().write(tmp_path / "x.gilscope")))
        assert names in (None, found.keys())
        names = found.keys()
        assert all(isinstance(value, float) for value in found.values())


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("(anonymous namespace)::Logger::log(int, std::string)", "Logger::log"),
        ("events::Loop::fire(int)", "events::Loop::fire"),
        ("libfoo.so+0x1a2b", "libfoo.so+0x1a2b"),
        ("work", "work"),
    ],
)
def test_short_names_of_functions(name: str, wanted: str) -> None:
    """C++ is shown without its arguments."""
    assert short(name) == wanted
