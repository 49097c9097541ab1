"""The reader: callbacks, stacks, native code, names of locks."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from gilscope.trace.format import Event
from gilscope.trace.reading.reader import read
from trace_builder import SITE_FRAME, TraceBuilder
from trace_examples import callback_trace

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


def test_everything_is_known(trace: Trace) -> None:
    """A trace of version 1.1 is read without a problem."""
    assert trace.problems == ()
    assert (trace.probe_cost_ns, trace.stack_cost_ns) == (31.5, 412.0)
    assert trace.session == bytes(range(16)).hex()


def test_stack(trace: Trace) -> None:
    """A stack names native and Python functions, the innermost first."""
    (wait,) = trace.intervals.select(trace.intervals.flags == 4).stack.tolist()
    frames = [(f.name, f.file, f.line, f.native, f.module) for f in trace.stacks[wait]]
    assert frames == [
        ("events::Loop::fire(int)", "/src/loop.cpp", 77, True, "/usr/lib/libevents.so.1"),
        ("on_event", "/src/app.py", 42, False, "app"),
        ("Server.work", "/src/app.py", 17, False, "app"),
    ]


def test_native_code_without_a_symbol(trace: Trace) -> None:
    """A place without a function is called after its object and its offset."""
    names = [site.name for site in trace.sites.values()]
    assert names == ["events::Loop::fire(int)", "libevents.so.1+0x5678"]


def test_callback(trace: Trace) -> None:
    """A callback says who entered, what was called, and how long it took to get in."""
    callbacks = trace.callbacks
    row = callbacks.start.tolist().index(3_000)
    entry = trace.entries[int(callbacks.entry[row])]
    called = trace.callables[int(callbacks.callable[row])]
    assert (entry.function, entry.binding) == ("events::Loop::fire(int)", "pybind11")
    assert [frame.native for frame in entry.stack] == [True, True]
    assert (called.label, called.file, called.line) == ("app.on_event", "/src/app.py", 40)
    assert (callbacks.enter_ns[row], callbacks.duration[row]) == (700, 6_000)


def test_time_to_get_in_is_rounded_down(trace: Trace) -> None:
    """A time that takes more than 11 bits of ticks loses its low ones."""
    enter = trace.callbacks.enter_ns[trace.callbacks.start == 2_500]
    assert enter.tolist() == [(2 * 5_555 & ~7) / 2]


def test_callbacks_are_no_intervals(trace: Trace) -> None:
    """What lies around holds and waits, and what has no length, is not among the intervals."""
    kinds = {Event.LOCK_WAIT, Event.SPIN}
    assert set(trace.intervals.kind.tolist()) == kinds
    assert len(trace.callbacks) == 4
    assert trace.thread_states.flags.tolist() == [1, 2]
    assert trace.spins.aux.tolist() == [7]


def test_open_callback_and_open_wait(trace: Trace) -> None:
    """What was open at the end comes from the slots, with its stack and flags."""
    callbacks = trace.callbacks.select(trace.callbacks.open)
    assert (callbacks.start.tolist(), callbacks.end.tolist()) == ([9_500], [12_000])
    assert trace.callables[int(callbacks.callable[0])].name == "on_event"
    waits = trace.intervals.select(trace.intervals.open)
    assert waits.start.tolist() == [8_000, 9_800]
    assert [trace.stacks[stack][-1].name for stack in waits.stack.tolist()] == [
        "Server.work",
        "events::Loop::fire(int)",
    ]
    assert waits.flags.tolist() == [0, 8]


def test_gil_switches(trace: Trace) -> None:
    """A switch of the GIL names the module that did it."""
    switches = trace.gil_switches
    assert switches.module == ("/usr/lib/libevents.so.1", "")
    assert (switches.on.tolist(), switches.permanent.tolist()) == ([True, False], [True, False])


def test_names_of_locks(trace: Trace) -> None:
    """A lock with a name of the program's own shows it, with its type or kind."""
    named = [(lock.name, lock.source, lock.native) for lock in trace.locks.values()]
    assert named == [
        ("dict `app.CACHE`", "module global", False),
        ("std::mutex / pthread_mutex `events::queue_mutex`", "symbol", True),
        ("std::condition_variable / pthread_cond at 0x7f0000004000", "", True),
        ("stop-the-world request", "", False),
        ("stop-the-world pause", "", False),
        ("end of a thread at 0x7f0000005000", "", False),
    ]


@pytest.mark.parametrize(
    ("how", "name"),
    [
        (2, "list `rows` (local)"),
        (3, "list `rows`"),
        (4, "list allocated at rows"),
        (99, "list `rows`"),
    ],
)
def test_form_of_a_name(path: Path, how: int, name: str) -> None:
    """How a name was found shows in its form."""
    builder = TraceBuilder()
    builder.lock_name(builder.lock(type="list"), "rows", how)
    assert [lock.name for lock in read(builder.write(path)).locks.values()] == [name]


def test_definitions_after_their_use(path: Path) -> None:
    """What is referred to may be defined later, and again: the last one counts."""
    builder = TraceBuilder()
    stack = builder.stack((2 | SITE_FRAME, 0), (3, 5))
    assert builder.site(4, 0x10) == 2
    assert builder.code("f", "f.py", 1, "m") == 3
    assert builder.module("/lib/a.so") == 4
    builder.define(11, struct.pack("<IIQIIII", 2, 4, 0x10, builder.string("late()"), 0, 9, 0))
    frames = read(builder.write(path)).stacks[stack]
    assert [(frame.name, frame.line) for frame in frames] == [("late()", 9), ("f", 5)]


def test_references_to_nothing(path: Path) -> None:
    """What refers to something that is not defined gets an empty one, never an error."""
    builder = TraceBuilder(free_threaded=True)
    thread = builder.thread()
    builder.callback(thread, 0, 10, entry=90, callable=91, stack=92)
    builder.wait(thread, 93, 20, 30, stack=94)
    builder.gil_switch(thread, 40, flags=1, module=95)
    builder.lock_name(96, "x", 1)
    stack = builder.stack((97, 1), (98 | SITE_FRAME, 2))
    entry = builder.entry(98, 77, 99)
    trace = read(builder.write(path))
    assert [frame.name for frame in trace.stacks[stack]] == ["?", "?"]
    assert trace.stacks[94] == trace.stacks[0] == ()
    assert (trace.entries[entry].binding, trace.entries[entry].stack) == ("unknown", ())
    assert trace.entries[90].function == "?"
    assert trace.callables[91].label == ""
    assert trace.gil_switches.module == ("",)
    assert 96 not in trace.locks
    assert 90 not in trace.entries
    assert trace.entries.get(90) is None
    assert trace.problems == ()


def test_hold_that_was_recorded_and_is_in_the_slot(path: Path) -> None:
    """With a real clock too, a record and its slot are one hold, and one callback."""
    builder = TraceBuilder(clock=1, ticks_per_second=2_111_111_111, start_ticks=(1 << 62) + 1)
    thread = builder.thread()
    builder.clock_point(3_000_000_000, 1_421_052_700)
    for start in (1_000_001, 700_000_003):
        builder.hold(thread, start, start + 77)
        builder.callback(thread, start + 7, start + 70)
    builder.hold(thread, 700_000_003)
    builder.callback(thread, 700_000_010)
    trace = read(builder.write(path, end=False))
    assert (len(trace.intervals), len(trace.callbacks)) == (2, 2)
    assert not trace.intervals.open.any()
    assert not trace.callbacks.open.any()


def test_what_was_open_before_the_session(path: Path) -> None:
    """An interval that began before the session and never ended counts from the session's start."""
    builder = TraceBuilder()
    builder.wait(builder.thread(), builder.lock("event"), -500)
    intervals = read(builder.write(path, duration=100)).intervals
    assert (intervals.start.tolist(), intervals.duration.tolist()) == ([0], [100])


@pytest.mark.parametrize("options", [{}, {"packed": True}], ids=["file", "packed"])
def test_threads_of_gilscope_are_left_out(options: dict[str, object], path: Path) -> None:
    """With all that they did; who waited for one of them waited for nobody who is known."""
    builder = TraceBuilder()
    main, worker = builder.thread("MainThread", main=True), builder.thread("worker")
    own = builder.thread("gilscope-snapshots")
    builder.hold(own, 0, 50)
    builder.gil_wait(main, 10, 50, peer=own)
    builder.hold(main, 50, 100)
    builder.gil_wait(own, 60, 100, peer=main)
    builder.gil_wait(worker, 70, 100, peer=main)
    builder.cpu_times((own, 0, 0, 0), (own, 100, 50, 0), (main, 0, 0, 0), (main, 100, 50, 0))
    entry = builder.entry(0)
    called = [builder.callable(name=f"f{number}") for number in range(own + 1)]
    assert own in called
    for number in called:
        builder.callback(worker, number * 10 + 200, number * 10 + 205, entry=entry, callable=number)
    builder.gil_wait(worker, 900, None, peer=own)
    trace = read(builder.write(path, **options))
    assert [thread.name for thread in trace.threads] == ["MainThread", "worker"]
    assert trace.problems == ()
    assert set(trace.intervals.thread.tolist()) == {main, worker}
    assert sorted(trace.intervals.peer.tolist()) == [0, 0, 0, main]
    assert trace.callbacks.callable.tolist() == called
    assert own not in trace.cpu_times.thread.tolist()
