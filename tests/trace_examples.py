"""Small traces of which the tests know every interval.

    python tests/trace_examples.py        writes tests/golden/ anew

The golden traces and what is to be read from them are committed. They change with the format only,
and whoever writes them anew looks at the difference.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

from plain_reader import read
from trace_builder import EVENT, SITE_FRAME, SLOT, TraceBuilder

GOLDEN = Path(__file__).parent / "golden"


def gil_trace(alignment: int = 4096) -> TraceBuilder:
    """A GIL build: three threads, contended and forced hand-overs, a lock wait inside a hold."""
    builder = TraceBuilder(alignment=alignment)
    main = builder.thread("MainThread", main=True)
    worker = builder.thread("worker", start=1_000)
    native = builder.thread(native=True, start=2_000, end=90_000, os_name="pool")
    builder.gil()
    lock = builder.lock("lock", address=0x7F0000001000)
    builder.hold(main, 0, 10_000, before=True, forced=True)
    builder.switch_wait(main, 10_000, 10_500)
    builder.gil_wait(worker, 4_000, 10_500, peer=main, aux=1)
    builder.hold(worker, 10_500, 30_000)
    builder.gil_wait(main, 10_500, 30_000, peer=worker, flags=1)
    builder.hold(main, 30_000, 60_000)
    builder.gil_wait(native, 20_000, 60_100, peer=worker)
    builder.hold(native, 60_100, 80_000)
    builder.wait(native, lock, 62_000, 70_000, peer=worker)
    builder.wake(worker, lock, native, 69_900)
    builder.hold(main, 85_000)
    builder.gil_wait(worker, 86_000, peer=main)
    builder.not_measured("object_lock", "this build has none")
    builder.probe_cost(31_500_000)
    builder.ticks(100_000)
    return builder


def ft_trace(alignment: int = 4096) -> TraceBuilder:
    """A free-threaded build: contention for a dict, a queue, a stop-the-world pause."""
    builder = TraceBuilder(free_threaded=True, pid=4100, alignment=alignment)
    main = builder.thread("MainThread", main=True)
    first = builder.thread('worker "1"', start=500)
    second = builder.thread("Arbeiter ü", start=600, end=45_000)
    table = builder.lock("object", type="dict", address=0x7F000000200A, object=0x7F0000002000)
    queue = builder.lock("simple_queue", address=0x7F0000003000)
    pause = builder.lock("stop_the_world", address=0x7F0000004000)
    mutex = builder.lock("mutex", address=0x7F0000005000)
    builder.wait(first, table, 1_000, 3_000, peer=second)
    builder.wake(second, table, first, 2_900)
    builder.wait(second, table, 5_000, 9_000, peer=first, flags=4)
    builder.wake(first, table, second, 8_950)
    builder.wait(main, queue, 0, 40_000, peer=first)
    builder.wake(first, queue, main, 39_900)
    builder.wait(first, pause, 20_000, 21_500, peer=main)
    builder.wait(second, mutex, 30_000, 31_000, flags=1)
    builder.ticks(50_000)
    return builder


def drifting_clock() -> TraceBuilder:
    """Ticks of 2 GHz, of which the clock's definitions know that they drift."""
    builder = TraceBuilder(clock=1, ticks_per_second=2_000_000_000, alignment=512)
    main = builder.thread("MainThread", main=True)
    builder.clock_point(0, 0)
    builder.clock_point(20_000_000, 10_001_000)
    builder.clock_point(60_000_000, 30_004_000)
    for start in range(0, 40_000_000, 1_000_000):
        builder.hold(main, start, start + 400_000)
    return builder


def later_minor_version() -> TraceBuilder:
    """A file of a later 1.x: longer records, and unknown kinds."""
    builder = TraceBuilder(minor=7, event_size=EVENT + 16, slot_size=SLOT + 64, alignment=512)
    main = builder.thread("MainThread", main=True)
    future = builder.lock(63, type="later")
    builder.define(31, struct.pack("<Q", 1))
    builder.chunk(99, b"something new")
    builder.hold(main, 0, 500)
    builder.event(77, main, 500, 600)
    builder.wait(main, future, 700, 800)
    return builder


def callback_trace(alignment: int = 4096) -> TraceBuilder:
    """What version 1.1 added, all of it: callbacks, stacks, spins, native locks, GIL switches."""
    builder = TraceBuilder(
        free_threaded=True, minor=1, clock=1, ticks_per_second=2_000_000_000, alignment=alignment
    )
    main = builder.thread("MainThread", main=True)
    pool = builder.thread(native=True, start=1_000, os_name="pool")
    late = builder.thread("late", start=2_000)
    builder.gil()
    work = builder.code("Server.work", "/src/app.py", 10, "app")
    event = builder.code("on_event", "/src/app.py", 40, "app")
    library = builder.module("/usr/lib/libevents.so.1", 0x7F1000000000, bytes(range(20)))
    fire = builder.site(library, 0x1234, "events::Loop::fire(int)", "/src/loop.cpp", 77)
    bare = builder.site(library, 0x5678)
    calls = builder.stack((bare | SITE_FRAME, 0), (fire | SITE_FRAME, 0))
    mixed = builder.stack((fire | SITE_FRAME, 0), (event, 42), (work, 17))
    entry = builder.entry(fire, 2, calls)
    called = builder.callable(event)
    plain = builder.callable(name="print", module="builtins")
    cache = builder.lock("object", type="dict", address=0x7F000000200A, object=0x7F0000002000)
    mutex = builder.lock("native_mutex", address=0x7F0000003000)
    condition = builder.lock("native_condition", address=0x7F0000004000)
    request = builder.lock("stop_the_world_request")
    pause = builder.lock("stop_the_world")
    join = builder.lock("thread_end", address=0x7F0000005000)
    builder.lock_name(cache, "app.CACHE", 1)
    builder.lock_name(mutex, "events::queue_mutex", 6)

    builder.gil_switch(main, 500, flags=5, module=library, stack=mixed)
    builder.callback(pool, 3_000, 9_000, enter=700, entry=entry, callable=called, flags=3)
    builder.thread_state(pool, 3_050, 3_150, flags=1)
    builder.callback(pool, 4_000, 5_000, enter=0, entry=entry, callable=plain)
    builder.callback(late, 2_500, 11_000, enter=5_555, entry=entry, callable=plain)
    builder.spin(pool, cache, 5_100, 5_400, yields=7)
    builder.wait(pool, cache, 5_400, 6_000, peer=main, flags=4, stack=mixed)
    builder.wake(main, cache, pool, 5_990, stack=mixed)
    builder.thread_state(pool, 8_700, 8_900, flags=2)
    builder.wait(late, mutex, 3_000, 3_500, peer=pool, flags=8, stack=calls)
    builder.wait(late, mutex, 3_600, 3_700, peer=pool, flags=8 | 16 | 1)
    builder.wait(late, condition, 4_000, 4_500)
    builder.wait(late, cache, 4_600, 4_650, peer=late)
    builder.wait(main, request, 6_000, 6_200)
    builder.wait(late, pause, 6_150, 7_000, peer=main)
    builder.gil_switch(main, 7_500, flags=2)
    builder.callback(pool, 9_500, entry=entry, callable=called)
    builder.wait(pool, mutex, 9_800, peer=late, flags=8, stack=calls)
    builder.wait(main, join, 8_000, stack=mixed)
    builder.probe_cost(31_500_000, 412_000_000)
    builder.ticks(12_000)
    return builder


def created_locks() -> TraceBuilder:
    """What version 1.3 added: where locks were made."""
    builder = TraceBuilder(minor=3, clock=3, ticks_per_second=1_000_000_000, alignment=512)
    main = builder.thread("MainThread", main=True)
    made = builder.code("Service.__init__", "/src/app.py", 10, "app")
    init = builder.code("Condition.__init__", "/lib/threading.py", 270, "threading")
    plain = builder.lock("lock", type="_thread.lock", address=0x7010, object=0x7000)
    named = builder.lock("rlock", type="_thread.RLock", address=0x7110, object=0x7100)
    builder.lock_created(plain, builder.stack((made, 12)))
    builder.lock_created(named, builder.stack((init, 276), (made, 13)))
    builder.lock_name(named, "Service.changed", 3)
    builder.wait(main, plain, 100, 200)
    builder.wait(main, named, 300, 500)
    builder.ticks(1_000)
    return builder


def native_facts() -> TraceBuilder:
    """What version 1.5 added: the interpreter's locks, first waits, what is forbidden."""
    builder = TraceBuilder(minor=5, clock=3, ticks_per_second=1_000_000_000, alignment=512)
    main = builder.thread("MainThread", main=True)
    code = builder.code("work", "/src/app.py", 10, "app")
    site = builder.site(builder.module("/src/pump.so"), 0x40, "Pump::tick()", "/src/pump.cpp", 14)
    types = builder.lock("mutex", address=0x5000)
    other = builder.lock("object", type="dict", address=0x700A, object=0x7000)
    builder.lock_name(types, "interp->types.mutex", 7)
    builder.lock_waited(types, builder.stack((code, 12)))
    builder.lock_waited(other, builder.stack((code, 13)))
    builder.hazard(1, 4711, builder.stack((site | SITE_FRAME, 0)), "PyGILState_Ensure", 1)
    builder.wait(main, types, 100, 200)
    builder.wait(main, other, 300, 500)
    builder.ticks(1_000)
    return builder


def cpu_time_trace() -> TraceBuilder:
    """What version 1.2 added: samples of the processor time of threads."""
    builder = TraceBuilder(minor=2, clock=3, ticks_per_second=1_000_000_000, alignment=512)
    main = builder.thread("MainThread", main=True)
    other = builder.thread("other", start=5)
    builder.cpu_times((main, 0, 70_000_000, 5_000), (other, 10, 900_000, 0))
    builder.cpu_times((main, 100_000_000, 150_000_000, 9_000))
    builder.hold(main, 0, 400_000)
    builder.ticks(100_000_100)
    return builder


def span_trace() -> TraceBuilder:
    """What version 1.3 added: spans that the program named, nested, with a number of bytes."""
    builder = TraceBuilder(minor=3, alignment=512)
    main = builder.thread("MainThread", main=True)
    other = builder.thread("other", start=5)
    builder.hold(main, 0, 60_000)
    builder.span(main, "pickle", 2_000, 3_000, size=70_000)
    builder.span(main, "send ü", 1_000, 4_000)
    builder.span(main, "pickle", 5_000, 5_000, size=0)
    builder.span(other, "pickle", 2_500, 9_000, size=5 << 32 | 7)
    builder.ticks(70_000)
    return builder


def gil_samples() -> TraceBuilder:
    """What version 1.5 added: where threads were that held the GIL for long."""
    builder = TraceBuilder(minor=5, alignment=512)
    main = builder.thread("MainThread", main=True)
    other = builder.thread("other", start=5)
    builder.gil()
    run = builder.code("run", "/src/app.py", 3, "app")
    checksum = builder.site(builder.module("/lib/minex.so"), 0x40, "checksum")
    stack = builder.stack((checksum | SITE_FRAME, 0), (run, 8))
    builder.hold(main, 0, 60_000)
    builder.gil_wait(other, 10_000, 60_000, peer=main)
    builder.sample(main, 20_000, stack, by=other, flags=1)
    builder.sample(main, 30_000, stack)
    builder.sample(main, 40_000, flags=2)
    builder.ticks(70_000)
    return builder


def golden_files() -> dict[str, bytes]:
    """The golden traces by name."""
    torn = gil_trace(512).to_bytes(end=False, sealed=False)
    return {
        "gil": gil_trace().to_bytes(),
        "ft": ft_trace(512).to_bytes(reason="exit"),
        "callbacks": callback_trace(512).to_bytes(),
        "packed": callback_trace(512).to_bytes(packed=True),
        "cpu_time": cpu_time_trace().to_bytes(),
        "created_locks": created_locks().to_bytes(),
        "span": span_trace().to_bytes(),
        "native_facts": native_facts().to_bytes(),
        "gil_samples": gil_samples().to_bytes(),
        "killed": gil_trace(512).to_bytes(end=False, sealed=False, gap=1024),
        "torn": torn[: len(torn) - 700],
        "drifting_clock": drifting_clock().to_bytes(),
        "later_minor_version": later_minor_version().to_bytes(),
    }


def calls(gap: int, *, work: int = 5_000, count: int = 2000) -> TraceBuilder:
    """Two native threads call back in turns; the GIL is free for ``gap`` ns before."""
    builder = TraceBuilder(split=5000)
    threads = [builder.thread(f"pool-{i}", native=True) for i in range(2)]
    library = builder.module("/usr/lib/libevents.so.1")
    entry = builder.entry(builder.site(library, 0x10, "events::fire(int)"), 2)
    called = builder.callable(builder.code("on_event", "/src/app.py", 40, "app"))
    time = free = 1_000
    for number in range(count):
        thread, other = threads[number % 2], threads[1 - number % 2]
        time = free + gap
        # Each asks while the other one still holds it.
        asked = free - work // 2 if number else time
        if gap and number:
            builder.gil_wait(thread, asked, time, peer=other)
        begin = asked if gap else time
        builder.hold(thread, time, time + work)
        builder.callback(
            thread, begin, time + work, enter=time - begin, entry=entry, callable=called
        )
        free = time + work
    return builder


def main() -> None:
    """Write the golden files and what plain_reader.py reads from them."""
    GOLDEN.mkdir(exist_ok=True)
    for name, data in golden_files().items():
        path = GOLDEN / f"{name}.gilscope"
        path.write_bytes(data)
        lines = [f'"{key}": {json.dumps(value)}' for key, value in read(path).items()]
        expected = "{\n" + ",\n".join(lines) + "\n}\n"
        path.with_suffix(".json").write_text(expected)


if __name__ == "__main__":
    main()
