"""The reader: what it makes of whole, torn, damaged and strange files."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gilscope.errors import TraceError
from gilscope.trace.format import Event
from gilscope.trace.model import COLUMN_TYPES
from gilscope.trace.reading import events
from gilscope.trace.reading.reader import read
from trace_builder import (
    CHUNK,
    EVENTS,
    SITE_FRAME,
    START_MONOTONIC,
    TraceBuilder,
    checksum,
)
from trace_examples import ft_trace, gil_trace

if TYPE_CHECKING:
    from gilscope.trace.model import Trace

PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test writes its trace."""
    return tmp_path / "x.gilscope"


def simple() -> TraceBuilder:
    """One thread that holds the GIL three times."""
    builder = TraceBuilder(split=1)
    main = builder.thread("MainThread", main=True)
    for start in (0, 100, 200):
        builder.hold(main, start, start + 50)
    return builder


def chunk_offsets(data: bytes, kind: int) -> list[int]:
    """Where the chunks of a kind begin."""
    heads = range(PAGE, len(data), PAGE)
    return [at for at in heads if struct.unpack_from("<IH", data, at) == (0x4B435347, kind)]


def read_bytes(path: Path, data: bytes) -> Trace:
    """Write bytes to a file and read it."""
    path.write_bytes(data)
    return read(path)


def test_whole_trace(path: Path) -> None:
    """A trace that was stopped in order is read without a problem."""
    trace = read(gil_trace().write(path))
    assert trace.problems == ()
    assert not trace.ended_early
    assert trace.end_reason == "stop"
    assert (trace.build, trace.python, trace.free_threaded) == ("gil", "3.13.5", False)
    assert (trace.gil_enabled_start, trace.gil_enabled_end) == (True, True)
    assert trace.argv == ("example.py", "--fast")
    assert trace.start_monotonic_ns == START_MONOTONIC
    assert trace.duration_ns == 100_000
    assert trace.not_measured == {"object_lock": "this build has none"}
    assert trace.probe_cost_ns == 31.5
    assert trace.gils[1].address == 0x5000


def test_free_threaded_build(path: Path) -> None:
    """A trace of the free-threaded build says so."""
    trace = read(ft_trace().write(path))
    assert (trace.build, trace.free_threaded, trace.gil_enabled_start) == ("ft", True, False)


@pytest.mark.parametrize(
    ("hexversion", "version"), [(0x030D05F0, "3.13.5"), (0x030F00B2, "3.15.0b2")]
)
def test_python_version(path: Path, hexversion: int, version: str) -> None:
    """The version is that of PY_VERSION_HEX, pre-releases included."""
    assert read(TraceBuilder(python=hexversion).write(path)).python == version


def test_thread_names(path: Path) -> None:
    """A given name counts, then the kernel's unless it is inherited, then one made from the id."""
    builder = TraceBuilder(pid=10)
    builder.thread(native=True, os_name="python", tid=77, start=5)
    builder.thread(os_name="python", tid=78, start=6)
    builder.thread("named", os_name="other", start=7)
    builder.thread(os_name="pool-1", start=8)
    builder.thread(main=True, start=9)
    names = [thread.name for thread in read(builder.write(path)).threads]
    assert names == ["MainThread", "native thread 77", "thread 78", "named", "pool-1"]


def test_last_definition_counts(path: Path) -> None:
    """A thread that was renamed has its last name."""
    builder = TraceBuilder()
    thread = builder.thread("before")
    builder.define(2, struct.pack("<II", thread, 5) + b"after")
    assert read(builder.write(path)).threads[0].name == "after"


def test_text_from_the_file_is_harmless(path: Path) -> None:
    """Names lose control characters and what is no UTF-8, and have a limit."""
    builder = TraceBuilder()
    builder.define(2, struct.pack("<II", 1, 6) + b"a\x1b[\xff\nb")
    builder.thread()
    builder.thread("x" * 10_000)
    first, second = read(builder.write(path)).threads
    assert first.name == "a\ufffd[\ufffd\ufffdb"
    assert len(second.name) <= 512


def test_lock_names(path: Path) -> None:
    """A lock is named after its object, else after its kind."""
    builder = TraceBuilder()
    builder.lock("object", type="dict", address=0x100A, object=0x1000)
    builder.lock("lock", address=0x2000)
    builder.lock("stop_the_world")
    names = [lock.name for lock in read(builder.write(path)).locks.values()]
    assert names == ["dict at 0x1000", "threading.Lock at 0x2000", "stop-the-world pause"]


def test_locks_by_where_they_were_first_waited_for(path: Path) -> None:
    """A lock that nothing else names has the name of the place; what it is in is passed over."""
    builder = TraceBuilder()
    code = builder.code("f", "/src/app.py", 1, "app")
    inside = builder.code("Queue.get", "/lib/queue.py", 180, "queue")
    library = builder.module("/src/pool.so")
    lock = builder.site(library, 0x10, "std::mutex::lock()", "/usr/include/mutex.h", 7)
    work = builder.site(library, 0x20, "Pool::work(std::list<int> const&)", "/src/pool.cpp", 61)
    native = (lock | SITE_FRAME, 0), (work | SITE_FRAME, 0), (code, 12)
    plain = builder.lock("object", type="dict", address=0x100A, object=0x1000)
    mutex = builder.lock("native_mutex", address=0x2000)
    pause = builder.lock("stop_the_world", address=0x3000)
    unknown = builder.lock("mutex", address=0x4000)
    builder.lock_waited(plain, builder.stack((inside, 181), (code, 12)))
    builder.lock_waited(plain, builder.stack((code, 99)))
    builder.lock_waited(mutex, builder.stack(*native))
    builder.lock_waited(pause, builder.stack((code, 12)))
    builder.lock_waited(unknown, builder.stack())
    builder.lock_waited(99, builder.stack((code, 12)))
    locks = read(builder.write(path)).locks
    assert [(lock.name, lock.source) for lock in locks.values()] == [
        ("dict first waited for at app.py:12", "first wait"),
        ("std::mutex / pthread_mutex first waited for in Pool::work (pool.cpp:61)", "first wait"),
        ("stop-the-world pause at 0x3000", ""),
        ("PyMutex at 0x4000", ""),
    ]


def test_a_library_without_symbols_is_named_by_what_it_exports(path: Path) -> None:
    """Where that is on the stack; an address alone says nothing to a reader."""
    builder = TraceBuilder()
    library, module = builder.module("/lib/libsqlite3.so.0"), builder.module("/lib/_sqlite3.so")
    inside = builder.site(library, 0xBD860)
    exported = builder.site(library, 0x1000, "sqlite3_step")
    caller = builder.site(module, 0x1000, "cursor_execute")
    for number, frames in enumerate(((inside, exported, caller), (inside, caller))):
        lock = builder.lock("native_mutex", address=0x1000 + 64 * number)
        builder.lock_waited(lock, builder.stack(*((site | SITE_FRAME, 0) for site in frames)))
    names = [
        lock.name.partition("first waited for ")[2]
        for lock in read(builder.write(path)).locks.values()
    ]
    assert names == ["in sqlite3_step (libsqlite3.so.0+0xbd860)", "in libsqlite3.so.0+0xbd860"]


@pytest.mark.parametrize(
    ("member", "name"),
    [
        ("interp->types.mutex", "the interpreter's type lock"),
        ("interp->types.mutex of interpreter 2", "the interpreter's type lock of interpreter 2"),
        ("interp->later.mutex", "the interpreter's lock `interp->later.mutex`"),
    ],
)
def test_locks_of_the_interpreter(path: Path, member: str, name: str) -> None:
    """They have the names that people know them by, and keep those of the source."""
    builder = TraceBuilder()
    builder.lock_name(builder.lock("mutex", address=0x1000), member, 7)
    (lock,) = read(builder.write(path)).locks.values()
    assert (lock.name, lock.member, lock.source) == (name, member, "interpreter")


def test_hazards(path: Path) -> None:
    """What is forbidden comes with its function, thread and stack; a later count replaces one."""
    builder = TraceBuilder()
    site = builder.site(builder.module("/src/pump.so"), 0x40, "Pump::tick()", "/src/pump.cpp", 14)
    stack = builder.stack((site | SITE_FRAME, 0))
    builder.hazard(2, 4711, stack, "Py_DecRef", 1)
    builder.hazard(9, 4711, stack, "Py_Later", 1)
    builder.hazard(2, 4711, stack, "Py_DecRef", 12)
    (hazard,) = read(builder.write(path)).hazards
    assert (hazard.kind, hazard.tid, hazard.count) == ("not attached", 4711, 12)
    assert (hazard.function, hazard.stack[0].name) == ("Py_DecRef", "Pump::tick()")


def test_locks_by_where_they_were_made(path: Path) -> None:
    """What makes locks for others is passed over; a name comes first; the file is kept whole."""
    builder = TraceBuilder()
    code = builder.code("f", "/src/app.py", 1, "app")
    inside = builder.code("Condition.__init__", "/lib/threading.py", 270, "threading")
    plain, named, alone = (builder.lock("lock", address=address) for address in (1, 2, 3))
    builder.lock_created(plain, builder.stack((inside, 276), (code, 12)))
    builder.lock_created(named, builder.stack((code, 13)))
    builder.lock_created(alone, builder.stack((inside, 276)))
    builder.lock_created(99, builder.stack((code, 14)))
    builder.lock_name(named, "app.LOCK", 1)
    locks = read(builder.write(path)).locks
    assert [(lock.name, lock.source, lock.created) for lock in locks.values()] == [
        ("threading.Lock created at app.py:12", "creation", "/src/app.py:12"),
        ("threading.Lock `app.LOCK`", "module global", "/src/app.py:13"),
        ("threading.Lock created at threading.py:276", "creation", "/lib/threading.py:276"),
    ]


def test_undefined_lock(path: Path) -> None:
    """A wait for a lock that nothing defines is a wait for an unidentified lock."""
    builder = TraceBuilder()
    builder.wait(builder.thread(), 42, 0, 10)
    trace = read(builder.write(path))
    assert trace.locks[int(trace.intervals.what[0])].kind == "unidentified"


def test_intervals_are_sorted(path: Path) -> None:
    """Intervals come by start, then by thread, whatever the order of the chunks."""
    builder = TraceBuilder(split=2)
    first, second = builder.thread(), builder.thread()
    for start in (300, 100, 200):
        builder.hold(second, start, start + 1)
        builder.hold(first, start, start + 1, gil=2)
    intervals = read(builder.write(path)).intervals
    assert intervals.start.tolist() == [100, 100, 200, 200, 300, 300]
    assert intervals.thread.tolist() == [first, second] * 3


def test_order_of_a_long_trace(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Times too large to be sorted in one number with their rows give the same order."""
    builder, chance = TraceBuilder(), np.random.default_rng(5)
    for thread in (builder.thread(), builder.thread()):
        for start in chance.integers(0, 50, 60).tolist():
            builder.event(3, thread, start, start + 1, what=int(chance.integers(1, 99)))
    builder.write(path)
    quick = read(path).intervals
    monkeypatch.setattr(events, "_KEY_BITS", 0)
    slow = read(path).intervals
    for name in ("start", "thread", "what", "duration"):
        assert getattr(quick, name).tolist() == getattr(slow, name).tolist()


def test_chosen_intervals(path: Path) -> None:
    """Parts of parts are the same whether columns were read before or not."""
    whole = read(gil_trace().write(path)).intervals
    expected = {name: getattr(whole, name)[[5, 2, 4]].tolist() for name in COLUMN_TYPES}
    for read_before in ((), ("what", "start"), COLUMN_TYPES):
        fresh = read(path).intervals
        part = fresh.select(slice(1, 7))
        for name in read_before:
            getattr(fresh, name), getattr(part, name), part.end
        last = part.select(np.arange(len(part)) < 5).select(np.array([4, 1, 3], np.uint32))
        assert {name: getattr(last, name).tolist() for name in COLUMN_TYPES} == expected
        assert last.select(slice(1, 2)).end.tolist() == [whole.end[2]]


def test_columns_cannot_be_written_to(path: Path) -> None:
    """The model is immutable, its columns too."""
    intervals = read(simple().write(path)).intervals
    with pytest.raises(ValueError, match="read-only"):
        intervals.start[0] = 1


def test_open_intervals_are_closed_at_the_stop(path: Path) -> None:
    """What is open when the session stops ends there, and says so."""
    builder = TraceBuilder()
    main, worker = builder.thread(main=True), builder.thread()
    builder.hold(main, 10)
    builder.gil_wait(worker, 20, peer=main)
    intervals = read(builder.write(path, duration=100)).intervals
    assert intervals.kind.tolist() == [Event.GIL_HOLD, Event.GIL_WAIT]
    assert intervals.duration.tolist() == [90, 80]
    assert intervals.open.all()
    assert intervals.peer.tolist() == [0, main]


def test_open_intervals_are_closed_at_the_end_of_their_thread(path: Path) -> None:
    """What is open when a thread exits ends with it."""
    builder = TraceBuilder()
    builder.wait(builder.thread(end=50), builder.lock("event"), 10)
    intervals = read(builder.write(path, duration=100)).intervals
    assert intervals.end.tolist() == [50]


def test_record_and_slot_of_the_same_interval(path: Path) -> None:
    """A thread that died between writing its record and clearing its slot is not counted twice."""
    builder = TraceBuilder()
    thread = builder.thread()
    builder.hold(thread, 10, 30)
    builder.hold(thread, 10)
    intervals = read(builder.write(path, end=False)).intervals
    assert intervals.duration.tolist() == [20]
    assert not intervals.open.any()


def test_killed_process(path: Path) -> None:
    """Chunks that are still open are read up to the first empty record."""
    trace = read(simple().write(path, end=False, sealed=False))
    assert trace.ended_early
    assert trace.end_reason is None
    assert trace.gil_enabled_end is None
    assert len(trace.intervals) == 3
    assert trace.duration_ns == 250
    assert trace.problems == ()


def test_reserved_space_is_passed_over(path: Path) -> None:
    """Zeros between chunks and behind them are no problem."""
    path.write_bytes(simple().to_bytes(gap=8 * PAGE, end=False) + bytes(64 * PAGE))
    trace = read(path)
    assert len(trace.intervals) == 3
    assert trace.problems == ()


def test_hole_of_a_sparse_file(path: Path) -> None:
    """A hole of a terabyte at the end costs nothing."""
    simple().write(path)
    os.truncate(path, 1 << 40)
    assert len(read(path).intervals) == 3


def test_torn_file(path: Path) -> None:
    """A file that lost its tail is read as far as it goes, and says that it is torn."""
    data = simple().to_bytes(end=False)
    (_, _, last) = chunk_offsets(data, EVENTS)
    trace = read_bytes(path, data[: last + CHUNK + 16])
    assert len(trace.intervals) == 2
    assert trace.ended_early
    assert any("the file ends inside a chunk" in problem for problem in trace.problems)


@pytest.mark.parametrize("at", [CHUNK, 8, 0, 33])
def test_damaged_chunk(path: Path, at: int) -> None:
    """A chunk with a wrong byte in its payload or header is left out and counted."""
    data = bytearray(simple().to_bytes())
    data[chunk_offsets(data, EVENTS)[1] + at] ^= 0x10
    trace = read_bytes(path, data)
    assert trace.intervals.start.tolist() == [0, 200]
    assert len(trace.problems) == 1
    assert trace.problems[0].endswith("1 left out")


def test_damaged_header(path: Path) -> None:
    """A header with a wrong byte that does not matter gives a trace with a problem."""
    data = bytearray(simple().to_bytes())
    data[64] ^= 1
    assert read_bytes(path, data).problems == (
        "the header is damaged: times, build and version may be wrong",
    )


@pytest.mark.parametrize(("at", "value"), [(12, 7), (16, 0), (16, 3), (20, 1), (24, 1 << 31)])
def test_hopeless_header(path: Path, at: int, value: int) -> None:
    """Sizes that cannot be are refused, not followed."""
    data = bytearray(simple().to_bytes())
    data[at : at + 4] = struct.pack("<I", value)
    data[120:128] = struct.pack("<Q", checksum(bytes(data[:120])))
    with pytest.raises(TraceError, match="header is damaged"):
        read_bytes(path, data)


@pytest.mark.parametrize("size", [0, 1, 100, 127])
def test_too_short(path: Path, size: int) -> None:
    """A file that ends inside its header is no trace."""
    path.write_bytes(simple().to_bytes()[:size])
    with pytest.raises(TraceError, match=r"not a gilscope trace"):
        read(path)


def test_header_alone(path: Path) -> None:
    """A header without chunks is an empty trace."""
    trace = read_bytes(path, simple().to_bytes()[:PAGE])
    assert (len(trace.threads), len(trace.intervals), trace.duration_ns) == (0, 0, 0)
    assert trace.ended_early


def test_no_trace(path: Path) -> None:
    """Another file is no trace."""
    path.write_bytes(b"\x7fELF" + bytes(1000))
    with pytest.raises(TraceError, match="not a gilscope trace"):
        read(path)


def test_no_file(path: Path) -> None:
    """A file that is not there gives one clear line."""
    with pytest.raises(TraceError, match=r"cannot read .*x\.gilscope: No such file"):
        read(path)


def test_no_regular_file(tmp_path: Path) -> None:
    """Folders and pipes are refused without waiting for anything."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(TraceError, match="not a regular file"):
            read(path)


def test_other_major_version(path: Path) -> None:
    """Another major version is refused by its number."""
    data = bytearray(simple().to_bytes())
    data[8:10] = struct.pack("<H", 2)
    path.write_bytes(data)
    with pytest.raises(TraceError, match=r"trace format 2\.0, but this gilscope reads 1\.x"):
        read(path)


def test_impossible_times(path: Path) -> None:
    """Events that end before they begin, or in another century, are left out and counted."""
    builder = simple()
    builder.event(1, 1, 400, 300)
    builder.event(1, 1, 400, 1 << 60)
    trace = read(builder.write(path, duration=500))
    assert len(trace.intervals) == 3
    assert trace.problems == ("events with impossible times: 2 left out",)


def test_wait_from_before_the_session(path: Path) -> None:
    """Of a wait that began before the session, the part inside counts."""
    builder = TraceBuilder()
    builder.gil_wait(builder.thread(), -40, 10)
    intervals = read(builder.write(path)).intervals
    assert (intervals.start.tolist(), intervals.duration.tolist()) == ([0], [10])


def test_events_of_an_unknown_thread(path: Path) -> None:
    """Events of a thread without a slot are kept, under a made-up thread."""
    builder = TraceBuilder()
    builder.event(1, 9, 10, 20)
    trace = read(builder.write(path))
    assert [(thread.index, thread.name) for thread in trace.threads] == [(9, "thread 9")]
    assert "threads that have events and no slot: 1" in trace.problems[0]


def test_dropped_events(path: Path) -> None:
    """What the threads dropped is summed up."""
    builder = TraceBuilder()
    builder.thread(dropped=3)
    builder.thread(dropped=4)
    trace = read(builder.write(path, end=False))
    assert trace.dropped_events == 7
    assert sorted(thread.dropped for thread in trace.threads) == [3, 4]


def test_clock_definitions_are_better_than_the_header(path: Path) -> None:
    """Times follow the clock's definitions, piece by piece, and the mean rate beyond them."""
    builder = TraceBuilder(clock=1, ticks_per_second=1_000_000_000)
    thread = builder.thread()
    builder.clock_point(10_000_000, 10_100_000)
    builder.clock_point(20_000_000, 20_100_000)
    for at in (0, 5_000_000, 10_000_000, 15_000_000, 20_000_000, 30_000_000):
        builder.hold(thread, at, at)
    starts = read(builder.write(path)).intervals.start
    expected = [0, 5_050_000, 10_100_000, 15_100_000, 20_100_000, 30_150_000]
    assert starts.tolist() == expected


def test_contradicting_clock_definition(path: Path) -> None:
    """A clock definition that runs backwards or wildly off is left out and named."""
    builder = simple()
    builder.clock_point(10_000_000, 10_000_000)
    builder.clock_point(20_000_000, 5_000_000)
    builder.clock_point(30_000_000, 90_000_000_000)
    trace = read(builder.write(path))
    assert trace.intervals.start.tolist() == [0, 100, 200]
    assert sum("contradicts" in problem for problem in trace.problems) == 2


def test_long_session_is_exact_to_the_nanosecond(path: Path) -> None:
    """After a day at 3 GHz, times are still right to the nanosecond."""
    day = 86_400 * 1_000_000_000
    builder = TraceBuilder(clock=1, ticks_per_second=3_000_000_000, start_ticks=(1 << 63) - 5)
    builder.hold(builder.thread(), day + 1, day + 12)
    intervals = read(builder.write(path)).intervals
    assert (intervals.start[0], intervals.duration[0]) == (day + 1, 11)


def test_end_that_is_no_json(path: Path) -> None:
    """An empty END chunk counts as none."""
    builder = simple()
    builder.chunk(5, b"\xffnothing")
    trace = read(builder.write(path, end=False))
    assert trace.ended_early
    assert trace.problems == ("damaged chunks (end): left out",)


def test_memory_stays_small(path: Path) -> None:
    """Reading takes no more than four times the file's size, whatever the file says of sizes."""
    tracemalloc = pytest.importorskip("tracemalloc")
    builder = TraceBuilder(split=1 << 20)
    thread = builder.thread()
    record = struct.pack("<BBHIQQII", 1, 0, 0, 1, builder.start_ticks, 1, 0, 0)
    builder.records[thread] = [record] * 200_000
    size = builder.write(path).stat().st_size
    tracemalloc.start()
    try:
        trace = read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(trace.intervals) == 200_000
    assert peak < 4 * size


def test_file_is_let_go(path: Path) -> None:
    """A trace keeps no part of its file mapped: it may be replaced or truncated afterwards."""
    trace = read(simple().write(path))
    assert str(path) not in Path("/proc/self/maps").read_text()
    assert np.all(trace.intervals.kind == Event.GIL_HOLD)
