"""Findings on built traces: what real programs do not do on demand, and what must stay silent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gilscope.analysis.findings import NAMES, Finding, Severity, find
from gilscope.analysis.grouping import typical_total
from gilscope.analysis.stacks import called_from
from gilscope.trace.format import GilWaitFlag
from gilscope.trace.model import Frame
from gilscope.trace.reading.reader import read
from trace_builder import GIL_HOLD, SITE_FRAME, TraceBuilder
from trace_examples import callback_trace, calls, ft_trace, gil_trace

if TYPE_CHECKING:
    from collections.abc import Callable

    type Found = Callable[..., dict[str, Finding]]

US, MS = 1_000, 1_000_000
STDLIB = "/usr/lib/python3.13"
PAGES = Path(__file__).parents[2] / "docs" / "findings"


@pytest.fixture
def found(tmp_path: Path) -> Found:
    """Write what a builder has, read it and find; by name."""

    def run(builder: TraceBuilder, **options: bool) -> dict[str, Finding]:
        trace = read(builder.write(tmp_path / "x.gilscope", **options))
        return {one.name: one for one in find(trace)}

    return run


@pytest.mark.parametrize("builder", [gil_trace, ft_trace, callback_trace, TraceBuilder])
def test_small_traces_have_no_findings(found: Found, builder: Callable[[], TraceBuilder]) -> None:
    """Some microseconds of waiting are nothing to talk about."""
    assert found(builder()) == {}


@pytest.mark.parametrize("name", NAMES)
def test_every_finding_has_its_page(name: str) -> None:
    """A page says what it is, shows an example and its repair, and says when it is silent."""
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {name}\n")
    for heading in ("## Example", "## Repair", "## When it speaks up"):
        assert heading in page


def test_chatty_callbacks(found: Found) -> None:
    """The time in which the GIL goes from thread to thread is what batches would save."""
    finding = found(calls(30 * US))["chatty-callbacks"]
    assert finding.title.startswith("app.on_event is called 28,5")
    assert "no thread held the GIL while it changed hands, for 60 ms" in finding.evidence[1]
    assert finding.evidence[2].startswith("passing 10 results in each callback saves up to")


def test_callbacks_that_nobody_waits_for_are_not_chatty(found: Found) -> None:
    """However many they are, if getting in costs nothing there is nothing to gain."""
    assert found(calls(0)) == {}


def test_long_callbacks_are_not_chatty(found: Found) -> None:
    """A hand-over is small beside a millisecond of work: the finding is another one."""
    assert "chatty-callbacks" not in found(calls(30 * US, work=MS, count=200))


def convoy(count: int, where: tuple[str, str] = ("work", "/src/app.py")) -> TraceBuilder:
    """A lock is handed over; its new owner then waits for the GIL."""
    builder = TraceBuilder()
    main, worker = builder.thread("MainThread", main=True), builder.thread("worker")
    lock = builder.lock("lock", address=0x1000)
    stack = builder.stack((builder.code(*where), 359))
    for number in range(count):
        start = number * 4 * MS
        builder.wait(worker, lock, start, start + MS, peer=main, flags=4, stack=stack)
        builder.gil_wait(worker, start + MS, start + 3 * MS, peer=main)
        builder.hold(worker, start + 3 * MS, start + 3 * MS + 10 * US)
    return builder


def test_lock_convoy(found: Found) -> None:
    """A lock that waits for the GIL with its owner is found."""
    finding = found(convoy(20))["lock-convoy"]
    assert finding.evidence[0].startswith("20 times a thread was given the lock")
    assert finding.cost_ns == 40 * MS


def test_a_notified_thread_is_no_convoy(found: Found) -> None:
    """No other thread contends for the lock with which a Condition notifies."""
    assert found(convoy(20, ("Condition.wait", f"{STDLIB}/threading.py"))) == {}


def test_a_few_hand_overs_are_no_convoy(found: Found) -> None:
    """It happens to any lock now and then."""
    assert "lock-convoy" not in found(convoy(5))


def hot(kind: str, *, spin: bool = False, stack: tuple[str, str] | None = None) -> TraceBuilder:
    """Two threads wait for one lock, 20 times each."""
    builder = TraceBuilder(free_threaded=True)
    threads = [builder.thread(f"worker-{i}") for i in range(2)]
    lock = builder.lock(kind, type="dict", address=0x100A, object=0x1000)
    where = builder.stack((builder.code(*stack, 1), 359)) if stack else 0
    for number in range(20):
        for thread in threads:
            start = number * 10 * MS
            if spin:
                builder.spin(thread, lock, start, start + 5 * MS, yields=1)
            else:
                builder.wait(thread, lock, start, start + 5 * MS, stack=where)
    return builder


def test_hot_object_lock(found: Found) -> None:
    """Waiting for an object's own lock has a finding of its own."""
    assert found(hot("object")).keys() == {"hot-object-lock"}


def test_hot_lock(found: Found) -> None:
    """So has any other lock, a native one as well."""
    assert found(hot("native_mutex")).keys() == {"hot-lock"}


def test_hot_lock_of_the_interpreter(found: Found) -> None:
    """A lock of the interpreter's has its name, what takes it, and advice of its own."""
    builder = hot("mutex")
    builder.lock_name(1, "interp->types.mutex", 7)
    finding = found(builder)["hot-lock"]
    assert finding.title == "2 threads contend for the interpreter's type lock"
    assert finding.evidence[1].startswith("interp->types.mutex, taken by: attributes and methods")
    assert "Look up methods once" in finding.advice


def test_a_turn_to_stop_the_world_is_no_hot_lock(found: Found) -> None:
    """The pauses are the cause, and have a finding of their own."""
    builder = hot("mutex")
    builder.lock_name(1, "interp->stoptheworld.mutex", 7)
    assert "hot-lock" not in found(builder)


def test_locks_of_one_name_are_one(found: Found) -> None:
    """Waits for the locks that a condition makes for each wait, or for those of a pool, add up."""
    builder = TraceBuilder(free_threaded=True)
    threads = [builder.thread(f"worker-{i}") for i in range(2)]
    for number in range(20):
        lock = builder.lock("lock", address=0x1000 + 16 * number)
        builder.lock_name(lock, "Pool.lock", 3)
        for thread in threads:
            builder.wait(thread, lock, number * 10 * MS, number * 10 * MS + 5 * MS)
    finding = found(builder)["hot-lock"]
    assert finding.title == "2 threads contend for threading.Lock `Pool.lock`"
    assert "20 locks of that name" in finding.evidence[0]


def forbidden(kind: int) -> TraceBuilder:
    """A native thread does something that Python forbids, by the wrapper of a binding."""
    builder = TraceBuilder()
    module = builder.module("/src/pump.so")
    glue = builder.site(module, 0x40, "pybind11::object::~object()", "/usr/pytypes.h", 9)
    tick = builder.site(module, 0x80, "Pump::tick(int)", "/src/pump.cpp", 14)
    stack = builder.stack((glue | SITE_FRAME, 0), (tick | SITE_FRAME, 0))
    builder.hazard(kind, 4711, stack, "Py_DecRef", 12)
    return builder


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        (1, "native-thread-at-exit", "while the interpreter is ending: Pump::tick"),
        (2, "not-attached", "Pump::tick uses Python objects in a thread that is not attached"),
        (3, "other-interpreter", "Pump::tick calls Python functions in an interpreter that"),
    ],
)
def test_what_native_code_must_not_do(found: Found, kind: int, name: str, words: str) -> None:
    """It is of the highest severity, however rare, and names the program's own function."""
    finding = found(forbidden(kind))[name]
    assert words in finding.title
    assert finding.severity == Severity.HIGH
    assert any("Pump::tick (pump.cpp:14)" in line for line in finding.evidence)


@pytest.mark.parametrize("hold", [100, 300, 1500])
def test_one_long_hold_of_a_lock_counts_as_much_as_many(found: Found, hold: int) -> None:
    """Three threads wait for it once each: together for longer than the run."""
    builder = TraceBuilder()
    lock = builder.lock("native_mutex", address=0x1000)
    for number in range(3):
        builder.wait(builder.thread(f"worker-{number}"), lock, number * MS, (hold + number) * MS)
    assert found(builder).keys() == {"hot-lock"}


def test_a_lock_that_one_thread_waits_for(found: Found) -> None:
    """It is contended if another thread is known to have held it, not if that released a signal."""
    for flags, names in ((8, {"hot-lock"}), (0, set[str]())):
        builder = TraceBuilder()
        main, other = builder.thread("MainThread", main=True), builder.thread("other")
        lock = builder.lock("native_mutex", address=0x1000)
        builder.wait(main, lock, MS, 300 * MS, peer=other, flags=flags)
        findings = found(builder)
        assert findings.keys() == names
        if names:
            assert findings["hot-lock"].title.startswith("thread MainThread waits for ")


def test_a_single_release_of_a_signal_is_no_contention(found: Found) -> None:
    """Threads that wait for a gate to be opened wait for what happens before that."""
    builder = TraceBuilder()
    gate = builder.lock("lock", type="_thread.lock", address=0x1010, object=0x1000)
    for number in range(3):
        builder.wait(builder.thread(f"worker-{number}"), gate, number * MS, (300 + number) * MS)
    assert found(builder) == {}


def test_a_lost_processor_is_no_contention(found: Found) -> None:
    """One yield of the processor that takes long was somebody else's turn."""
    assert found(hot("object", spin=True)) == {}


def test_the_line_of_the_program_that_led_there() -> None:
    """It is named, not that at which its thread began, nor what ran the program."""
    handle = Frame("Handler.handle", f"{STDLIB}/logging/__init__.py", 1026, native=False, module="")
    log = Frame("log", "/src/app.py", 4, native=False, module="")
    library = Frame("send", f"{STDLIB}/site-packages/library/client.py", 9, native=False, module="")
    thread = Frame("Thread.run", f"{STDLIB}/threading.py", 994, native=False, module="")
    runner = Frame(
        "execute", "/opt/gilscope/cli/run.py", 81, native=False, module="gilscope.cli.run"
    )
    behind = "logging/__init__.py:1026 in Handler.handle, called from"
    assert called_from([handle, log, thread]) == f"{behind} app.py:4 in log"
    assert called_from([handle, library, log]) == f"{behind} client.py:9 in send"
    assert called_from([log, thread]) == "app.py:4 in log"
    assert called_from([log, runner]) == "app.py:4 in log"


def test_waiting_for_longer_than_the_run(found: Found) -> None:
    """What all threads waited together may be more than the run, and is no share of it then."""
    line = found(hot("lock"))["hot-lock"].evidence[1]
    assert line.startswith("that took 200 ms in all threads together, the run 195 ms;")


def test_waiting_for_a_notification_is_no_contention(found: Found) -> None:
    """A Condition's wait is made of a lock, and is no contention for it."""
    inside = ("Condition.wait", "/usr/lib/python3.13/threading.py")
    assert found(hot("lock", stack=inside)) == {}
    assert found(hot("lock", stack=("work", "/src/app.py"))).keys() == {"hot-lock"}


def kept(late: int, of: int, *, python: bool = False) -> TraceBuilder:
    """A native function holds the GIL, now and then for long, while another thread wants it.

    With ``python``, only the lines of Python are known.
    """
    builder = TraceBuilder()
    main, worker = builder.thread("MainThread", main=True), builder.thread("worker")
    library = builder.module("/usr/lib/libslow.so.1")
    frames = [
        builder.site(library, 0x10, "pybind11::gil_scoped_release::gil_scoped_release(bool)"),
        builder.site(library, 0x20, "slow::compress(char const*)"),
    ]
    stack = builder.stack(*((frame | SITE_FRAME, 0) for frame in frames))
    if python:
        parts = (("match", f"{STDLIB}/re/__init__.py", 167), ("parse", "/src/app.py", 4))
        own = [(builder.code(name, file, module="m"), line) for name, file, line in parts]
        run = builder.code("Thread.run", f"{STDLIB}/threading.py", module="threading")
        stack = builder.stack(*own, (run, 994))
    time = 0
    for number in range(of):
        end = time + (40 * MS if number < late else 2 * MS)
        builder.event(GIL_HOLD, main, time, end, what=1, flags=4, stack=stack)
        builder.gil_wait(worker, time + 10 * US, end, peer=main)
        builder.hold(worker, end, end + 10 * US)
        time = end + 20 * US
    return builder


def test_gil_held_in_a_native_function(found: Found) -> None:
    """The function is named without its binding's glue and its arguments."""
    finding = found(kept(6, of=6))["gil-held-in-native-code"]
    assert finding.title == "the GIL is held for 40 ms up to slow::compress"
    assert not finding.suspected


def test_gil_held_up_to_a_line(found: Found) -> None:
    """Where only the line is known, it is suspected, and what Python itself keeps is named."""
    finding = found(kept(6, of=6, python=True))["gil-held-in-native-code"]
    assert finding.title == "the GIL is held for 40 ms up to re/__init__.py:167 in match"
    assert finding.suspected
    assert "at re/__init__.py:167 in match, called from app.py:4 in parse" in finding.evidence[1]
    assert "Python's own native code" in finding.advice


def test_a_hold_that_is_long_now_and_then_is_not_the_functions_fault(found: Found) -> None:
    """A thread that lost its processor holds the GIL for long as well."""
    assert "gil-held-in-native-code" not in found(kept(4, of=40))
    assert "gil-held-in-native-code" not in found(kept(4, of=8))


def test_gil_ping_pong(found: Found) -> None:
    """Two threads pass the GIL on for less work than passing it on takes."""
    builder = TraceBuilder(split=5000)
    threads = [builder.thread(f"worker-{i}") for i in range(2)]
    time = 0
    for number in range(2000):
        thread, other = threads[number % 2], threads[1 - number % 2]
        builder.gil_wait(thread, time - 2 * US if number else 0, time + 20 * US, peer=other)
        builder.hold(thread, time + 20 * US, time + 25 * US)
        time += 25 * US
    finding = found(builder)["gil-ping-pong"]
    assert finding.title == "the GIL changes hands 39,980 times a second"
    assert "a thread held it for 5 µs, a hand-over took 20 µs" in finding.evidence[1]


def together(factor: int) -> TraceBuilder:
    """A method is called by one thread, then by two at a time, which takes that much longer."""
    builder = TraceBuilder(free_threaded=True)
    threads = [builder.thread(f"pool-{i}", native=True) for i in range(2)]
    entry = builder.entry(builder.site(builder.module("/x.so"), 1, "fire()"), 2)
    called = builder.callable(builder.code("Cache.get", "/src/app.py", 40, "app"))
    time = 0
    for number in range(400):
        length = 100 * US if number < 200 else factor * 100 * US
        for thread in threads[: 1 if number < 200 else 2]:
            builder.callback(thread, time, time + length, entry=entry, callable=called)
        time += length + US
    return builder


def test_refcount_hot_object(found: Found) -> None:
    """What takes longer in company, without a lock, is suspected, not claimed."""
    finding = found(together(3))["refcount-hot-object"]
    assert finding.title == "app.Cache.get takes 3.0 times as long while others call it"
    assert (finding.severity, finding.suspected) == (Severity.LOW, True)


def test_calls_that_company_does_not_slow_down(found: Found) -> None:
    """What takes as long together as alone shares nothing that matters."""
    assert found(together(1)) == {}


def test_deadlock(found: Found) -> None:
    """Each has what the other one waits for, to the end of the trace: nothing is worse."""
    builder = TraceBuilder()
    main = builder.thread("MainThread", main=True)
    pool = builder.thread("pool", native=True)
    mutex = builder.lock("native_mutex", address=0x3000)
    builder.hold(main, 0)
    builder.gil_wait(pool, 1_000, peer=main)
    builder.wait(main, mutex, 2_000, peer=pool, flags=8)
    builder.ticks(5_000)
    finding = found(builder)["native-mutex-held-while-taking-gil"]
    assert finding.severity == Severity.HIGH
    assert finding.title.startswith("deadlock: ")
    assert "neither wait ended before the recording did" in finding.evidence


def test_a_deadlock_whose_holder_was_still_busy(found: Found) -> None:
    """The holder of the mutex may ask for the GIL after the other thread has begun to wait."""
    builder = TraceBuilder()
    main = builder.thread("MainThread", main=True)
    pool = builder.thread("pool", native=True)
    mutex = builder.lock("native_mutex", address=0x3000)
    builder.hold(main, 0)
    builder.wait(main, mutex, 1_000, peer=pool, flags=8)
    builder.gil_wait(pool, 2_000, peer=main)
    builder.ticks(5_000)
    finding = found(builder, end=False)["native-mutex-held-while-taking-gil"]
    assert finding.severity == Severity.HIGH


def test_a_mutex_whose_holder_has_the_gil_is_no_hazard(found: Found) -> None:
    """A holder that waits for nothing lets the others in."""
    builder = TraceBuilder()
    main = builder.thread("MainThread", main=True)
    pool = builder.thread("pool", native=True)
    mutex = builder.lock("native_mutex", address=0x3000)
    builder.gil_wait(pool, 1_000, 1_500, peer=main)
    builder.hold(pool, 1_500, 4_000)
    builder.wait(main, mutex, 2_000, 3_000, peer=pool, flags=8)
    assert found(builder) == {}


def wanted_from_a_holder(ends: int, flags: int) -> TraceBuilder:
    """A mutex whose holder asks for the GIL at 2,000 ns and has it at 5,000."""
    builder = TraceBuilder()
    main = builder.thread("MainThread", main=True)
    pool = builder.thread("pool", native=True)
    other = builder.thread("other", native=True)
    mutex = builder.lock("native_mutex", address=0x3000)
    builder.hold(main, 0, 5_000)
    builder.wait(other, mutex, 3_000 if flags == 0 else 1_000, ends, peer=pool, flags=8)
    builder.gil_wait(pool, 2_000, 5_000, peer=main, flags=flags)
    return builder


def test_a_mutex_given_back_before_its_holder_had_the_gil(found: Found) -> None:
    """A mutex that is taken while its last holder waits for the GIL was free: no hazard."""
    assert found(wanted_from_a_holder(4_000, 0)) == {}
    assert found(wanted_from_a_holder(6_000, 0)).keys() == {"native-mutex-held-while-taking-gil"}


def test_a_mutex_that_was_wanted_before_its_holder_asked_for_the_gil(found: Found) -> None:
    """The holder says whether it still had the mutex when it asked."""
    holds = GilWaitFlag.HOLDS_WANTED_LOCK
    name = "native-mutex-held-while-taking-gil"
    assert found(wanted_from_a_holder(6_000, holds)).keys() == {name}
    assert found(wanted_from_a_holder(6_000, GilWaitFlag.AFTER_FORCED)) == {}
    assert found(wanted_from_a_holder(4_000, holds)) == {}


@pytest.mark.parametrize(("asks", "cost"), [(None, 5_000), (6_500, 500), (20_000, 5_000)])
def test_who_needs_the_gil_next_gains_little(found: Found, asks: int | None, cost: int) -> None:
    """A thread that waited for the mutex until 6,000 would have waited for the GIL instead."""
    builder = wanted_from_a_holder(6_000, GilWaitFlag.HOLDS_WANTED_LOCK)
    if asks:
        builder.gil_wait(3, asks, asks + 1_000)
    finding = found(builder)["native-mutex-held-while-taking-gil"]
    assert finding.cost_ns == cost
    assert any("waiting for the GIL instead" in line for line in finding.evidence) == (cost < 5_000)


def test_a_hazard_comes_before_what_costs_more(tmp_path: Path) -> None:
    """It may stop the program another time."""
    builder = wanted_from_a_holder(6_000, GilWaitFlag.HOLDS_WANTED_LOCK)
    lock = builder.lock("native_mutex", address=0x9000)
    for thread in (1, 3):
        builder.wait(thread, lock, 10 * MS, 300 * MS)
    names = [one.name for one in find(read(builder.write(tmp_path / "x.gilscope")))]
    assert names == ["native-mutex-held-while-taking-gil", "hot-lock"]


def switched(flags: int) -> TraceBuilder:
    """A free-threaded build whose GIL is switched on, by the import of a module."""
    builder = TraceBuilder(free_threaded=True, minor=1)
    main = builder.thread("MainThread", main=True)
    library = builder.module("/usr/lib/python3/fast.cpython-313t-x86_64-linux-gnu.so")
    builder.gil_switch(main, 5_000, flags=flags, module=library)
    return builder


def test_gil_reenabled(found: Found) -> None:
    """The finding has the moment and the module, also in a trace that was cut short."""
    finding = found(switched(1 | 4), end=False)["gil-reenabled"]
    assert finding.title == "the GIL was switched on by the import of fast"
    assert finding.intervals[0].start_ns == 5_000


def test_a_gil_that_is_on_during_an_import_is_no_finding(found: Found) -> None:
    """Python does that with each extension module, and switches it off again."""
    assert found(switched(1)) == found(switched(1), end=False) == {}


def test_a_finding_as_json(tmp_path: Path) -> None:
    """Times are seconds, threads have their names, the page is where it is."""
    trace = read(convoy(20).write(tmp_path / "x.gilscope"))
    one = next(one for one in find(trace) if one.name == "lock-convoy").as_dict(trace)
    assert one["severity"] == "medium"
    assert one["page"] == "docs/findings/lock-convoy.md"
    assert one["cost_s"] == 0.04
    assert one["intervals"][0] == {
        "thread": 2, "thread_name": "worker", "start_s": 0.001, "end_s": 0.003,
        "note": "holds threading.Lock at 0x1000 and waits for the GIL",
    }  # fmt: skip


def states(count: int, made: int, destroyed: int, *, lost: int = 0) -> TraceBuilder:
    """A native thread makes and destroys thread states; some of them with its processor lost."""
    builder = TraceBuilder(split=5000)
    thread = builder.thread("pool", native=True)
    time = 0
    for number in range(count):
        long = 5 * MS if number < lost else 0
        for flags, length in ((1, made + long), (2, destroyed)):
            builder.thread_state(thread, time, time + length, flags=flags)
            time += length
        time += 2 * US
    return builder


def test_thread_state_churn(found: Found) -> None:
    """States that take microseconds each are found, with what they take."""
    finding = found(states(5000, 5 * US, 3 * US))["thread-state-churn"]
    assert finding.title == "5,000 thread states created by 1 native thread"
    assert finding.cost_ns == 40 * MS


def test_thread_states_do_not_cost_what_a_lost_processor_cost(found: Found) -> None:
    """Where a few took milliseconds and all others next to nothing, nothing is to be gained."""
    assert found(states(15_000, 210, 107, lost=26)) == {}
    finding = found(states(5000, 5 * US, 3 * US, lost=26))["thread-state-churn"]
    assert finding.cost_ns == 40 * MS + 26 * 45 * US


def test_hand_overs_do_not_cost_what_a_lost_processor_cost() -> None:
    """One that took more than ten times as long as the middle one counts for ten times."""
    assert typical_total(np.array([4, 5, 6, 30, 7000], np.int64)) == 4 + 5 + 6 + 30 + 60
    assert typical_total(np.array([], np.int64)) == 0
