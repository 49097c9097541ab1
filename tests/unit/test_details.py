"""Callbacks, pauses, convoys and spins: what the analysis makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gilscope.analysis.callbacks.totals import (
    callback_totals,
    lock_waits_inside,
    thread_state_totals,
)
from gilscope.analysis.states.state import State
from gilscope.analysis.states.thread_states import lanes
from gilscope.analysis.waits import contention
from gilscope.analysis.waits.convoys import convoy_totals, convoys
from gilscope.analysis.waits.pauses import Pause, pauses
from gilscope.cli.info import describe
from gilscope.cli.info_text import text
from gilscope.trace.reading.reader import read
from trace_builder import SPIN, TraceBuilder
from trace_examples import callback_trace, gil_trace

if TYPE_CHECKING:
    from pathlib import Path

    from gilscope.trace.model import Trace


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test writes its trace."""
    return tmp_path / "x.gilscope"


@pytest.fixture
def trace(path: Path) -> Trace:
    """A trace with everything that version 1.1 added."""
    return read(callback_trace().write(path))


def test_callback_totals(path: Path) -> None:
    """Callbacks are summed up by native function and callable, wherever in it they came from."""
    builder = TraceBuilder()
    thread = builder.thread(native=True)
    module = builder.module("/lib/a.so")
    sites = [builder.site(module, offset, "fire()") for offset in (0x10, 0x20)]
    entries = [builder.entry(site, 1) for site in sites]
    called = builder.callable(name="f", module="m")
    for number, length in enumerate((100, 300, 200)):
        start = 1_000 * number
        entry = entries[number % 2]
        builder.callback(
            thread, start, start + length, enter=length // 10, entry=entry, callable=called
        )
    builder.callback(thread, 5_000, entry=entries[0])
    builder.ticks(5_600)
    by_callable, unknown = sorted(
        callback_totals(read(builder.write(path))), key=lambda t: -t.count
    )
    assert (by_callable.entry.function, by_callable.callable.label) == ("fire()", "m.f")
    assert (by_callable.count, by_callable.open, by_callable.total_ns) == (3, 0, 600)
    assert (by_callable.median_ns, by_callable.max_ns) == (200, 300)
    assert (by_callable.enter_ns, by_callable.enter_median_ns) == (60, 20)
    assert by_callable.enter_max_ns == 30
    assert (unknown.count, unknown.open, unknown.total_ns) == (1, 1, 600)
    assert unknown.callable.label == ""


def test_no_callbacks(path: Path) -> None:
    """A trace without any has no totals."""
    assert callback_totals(read(gil_trace().write(path))) == []


def test_lock_waits_inside_a_callback(trace: Trace) -> None:
    """Waits and spins of the thread count to the callbacks around them, others' do not."""
    inside = dict(zip(trace.callbacks.start.tolist(), lock_waits_inside(trace), strict=True))
    assert inside == {2_500: 600, 3_000: 900, 4_000: 0, 9_500: 2_200}


def test_thread_states(trace: Trace) -> None:
    """Thread states made and destroyed are counted, with what they cost."""
    totals = thread_state_totals(trace)
    assert (totals.created, totals.created_ns) == (1, 100)
    assert (totals.deleted, totals.deleted_ns) == (1, 200)


def test_pause(trace: Trace) -> None:
    """A pause goes from the request to the end of the last wait in it."""
    assert pauses(trace) == [
        Pause(start_ns=6_000, duration_ns=1_000, requester=1, request_ns=200, held=1, held_ns=850)
    ]


def test_pauses_one_after_the_other(path: Path) -> None:
    """Waits apart are of different pauses; the ender stands for a requester that did not wait."""
    builder = TraceBuilder(free_threaded=True)
    main, first, second = builder.thread(main=True), builder.thread(), builder.thread()
    pause = builder.lock("stop_the_world")
    for start in (0, 1_000):
        builder.wait(first, pause, start, start + 100, peer=main)
        builder.wait(second, pause, start + 50, start + 200, peer=main)
    found = pauses(read(builder.write(path)))
    assert [(p.start_ns, p.duration_ns, p.held, p.held_ns) for p in found] == [
        (0, 200, 2, 250),
        (1_000, 200, 2, 250),
    ]
    assert {p.requester for p in found} == {main}


def test_a_request_that_waits_in_slices_is_one_pause(path: Path) -> None:
    """A request repeated after a millisecond belongs to the same pause; a new one does not."""
    builder = TraceBuilder(free_threaded=True)
    main = builder.thread(main=True)
    request = builder.lock("stop_the_world_request")
    for start, flags in ((0, 1), (1_100, 1), (2_200, 0), (5_000, 0)):
        builder.wait(main, request, start, start + 1_000, flags=flags)
    found = pauses(read(builder.write(path)))
    assert [(p.start_ns, p.duration_ns, p.request_ns) for p in found] == [
        (0, 3_200, 3_000),
        (5_000, 1_000, 1_000),
    ]


def test_convoy(path: Path) -> None:
    """A lock handed over to a thread that then waits for the GIL is a convoy; else it is none."""
    builder = TraceBuilder()
    main, worker = builder.thread(main=True), builder.thread()
    lock = builder.lock("lock", address=0x10)
    builder.wait(worker, lock, 0, 100, peer=main, flags=4)
    builder.gil_wait(worker, 100, 400, peer=main)
    builder.hold(worker, 400, 500)
    builder.wait(worker, lock, 600, 700, peer=main)
    builder.gil_wait(worker, 700, 800, peer=main)
    builder.hold(worker, 800, 900)
    builder.wait(worker, lock, 900, 950, peer=main, flags=4)
    builder.hold(worker, 950, 990)
    trace = read(builder.write(path))
    assert len(convoys(trace)) == 1
    (totals,) = convoy_totals(trace)
    assert (totals.lock.id, totals.count, totals.gil_wait_ns) == (lock, 1, 300)


def test_spins_are_contention(path: Path) -> None:
    """Spins count as contention for their lock, apart from the waits."""
    builder = TraceBuilder(free_threaded=True)
    thread, lock = builder.thread(), builder.lock(type="list")
    builder.spin(thread, lock, 0, 100, yields=3)
    builder.wait(thread, lock, 100, 150)
    trace = read(builder.write(path))
    (totals,) = contention.lock_totals(trace)
    assert (totals.waits, totals.wait_ns, totals.max_ns) == (1, 50, 50)
    assert (totals.spins, totals.spin_ns) == (1, 100)
    assert contention.thread_totals(trace)[0].lock_wait_ns == 150
    assert lanes(trace)[0].states.tolist() == [State.WAITING_LOCK] * 2


def test_wait_that_the_thread_itself_ended(path: Path) -> None:
    """Nested critical sections on one object are no contention; a lock held by oneself is."""
    builder = TraceBuilder(free_threaded=True)
    thread, lock = builder.thread(), builder.lock(type="list")
    mutex = builder.lock("native_mutex")
    builder.wait(thread, lock, 0, 100, peer=thread)
    builder.wait(thread, mutex, 200, peer=thread, flags=8)
    builder.ticks(300)
    trace = read(builder.write(path))
    assert [totals.lock.id for totals in contention.lock_totals(trace)] == [mutex]
    assert contention.blocked_totals(trace) == []
    assert lanes(trace)[0].states.tolist()[0] == State.RUNNING


def test_spins_before_a_wait_that_the_thread_itself_ended(path: Path) -> None:
    """They are no contention either; spins for another lock, or before another wait, are."""
    builder = TraceBuilder(free_threaded=True)
    thread, other = builder.thread(), builder.thread()
    nested, lock = builder.lock(type="list"), builder.lock(type="dict")
    builder.spin(thread, nested, 0, 100)
    builder.wait(thread, nested, 110, 120, peer=thread)
    builder.spin(thread, nested, 200, 300)
    builder.wait(thread, nested, 310, 320, peer=other)
    builder.spin(thread, lock, 400, 500)
    builder.wait(thread, nested, 510, 520, peer=thread)
    trace = read(builder.write(path))
    found = {totals.lock.id: totals for totals in contention.lock_totals(trace)}
    assert (found[nested].spin_ns, found[nested].wait_ns) == (100, 10)
    assert (found[lock].spin_ns, found[lock].wait_ns) == (100, 0)


def test_waiting_for_a_notification(path: Path) -> None:
    """What Condition.wait waits for is no contention, asleep or spinning."""
    builder = TraceBuilder(free_threaded=True)
    thread, lock = builder.thread(), builder.lock("lock")
    code = builder.code("Condition.wait", "/usr/lib/python3.13/threading.py")
    stack = builder.stack((code, 359))
    builder.event(SPIN, thread, 0, 100, what=lock, stack=stack)
    builder.wait(thread, lock, 100, 150, stack=stack)
    trace = read(builder.write(path))
    assert contention.lock_totals(trace) == []
    assert [totals.wait_ns for totals in contention.blocked_totals(trace)] == [50]
    assert lanes(trace)[0].states.tolist() == [State.BLOCKED] * 2


@pytest.mark.parametrize("kind", ["thread_end", "native_condition", "event", "simple_queue"])
def test_waits_for_something_to_happen(path: Path, kind: str) -> None:
    """Waits for an end, a condition, an event, an item are no contention."""
    builder = TraceBuilder()
    builder.wait(builder.thread(), builder.lock(kind), 0, 100)
    trace = read(builder.write(path))
    assert contention.lock_totals(trace) == []
    assert [totals.wait_ns for totals in contention.blocked_totals(trace)] == [100]


@pytest.mark.parametrize("kind", ["import_lock", "rwlock", "once", "native_mutex", "native_rwlock"])
def test_contended_kinds(path: Path, kind: str) -> None:
    """Waits for these locks are contention."""
    builder = TraceBuilder()
    builder.wait(builder.thread(), builder.lock(kind), 0, 100)
    assert len(contention.lock_totals(read(builder.write(path)))) == 1


def test_info_as_text(trace: Trace) -> None:
    """The text names callbacks, spins, pauses, switches of the GIL, and what the probe costs."""
    shown = text(describe(trace))
    for part in (
        "16 events",
        "31.5 ns an acquire and release of the GIL, 412 ns a stack",
        "events::Loop::fire(int)   pybind11",
        "app.on_event",
        "dict `app.CACHE`",
        "spinning",
        "stop-the-world pauses requested by",
        "/usr/lib/libevents.so.1",
        "native code created 1 thread states (100 ns) and destroyed 1 (200 ns)",
    ):
        assert part in shown


def test_info_of_a_trace_without_these(path: Path) -> None:
    """A trace that has nothing of this shows no tables for it."""
    shown = text(describe(read(gil_trace().write(path))))
    assert "callback" not in shown
    assert "spin" not in shown
    assert "pauses" not in shown
    assert "overwritten" not in shown


def test_drops_are_shown_by_thread(path: Path) -> None:
    """A thread that dropped events is named with their number."""
    builder = TraceBuilder()
    builder.thread("busy", dropped=1_234)
    shown = text(describe(read(builder.write(path))))
    line = next(line for line in shown.splitlines() if line.startswith("busy"))
    assert line.endswith("1,234")
