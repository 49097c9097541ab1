"""Comparisons with made-up traces of any length, for the views."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from gilscope.comparison import Run
from gilscope.presentation import Comparison
from gilscope.trace.reading.reader import read
from trace_builder import TraceBuilder

if TYPE_CHECKING:
    from pathlib import Path

    from gilscope.trace.model import Trace

LANES = 5


def gil_run(events: int, scale: int) -> TraceBuilder:
    """Threads that take turns: each works, waits for the GIL, holds it."""
    chance = random.Random(events)  # noqa: S311 - the same picture each time
    builder = TraceBuilder()
    builder.thread("MainThread", main=True)
    threads = [builder.thread(f"eval-{n}", native=True, start=50 * n) for n in range(LANES - 1)]
    ready, free = dict.fromkeys(threads, 300), 0
    holder = threads[0]
    for _ in range(events):
        thread = min(ready, key=lambda t: ready[t])
        asked = ready[thread] + chance.randrange(10 * scale)
        taken = max(asked, free)
        if taken > asked:
            builder.gil_wait(thread, asked, taken, peer=holder)
        free = taken + 1 + chance.randrange(4 * scale)
        builder.hold(thread, taken, free)
        ready[thread], holder = free, thread
    # Of the first thread's time, a quarter went by on a processor, a half waiting for one.
    for share in range(1, 5):
        ns = free * share // 4
        builder.cpu_times((threads[0], ns, ns // 4, ns // 2))
    return builder


def ft_run(events: int, scale: int) -> TraceBuilder:
    """Threads that now and then wait for one object."""
    chance = random.Random(events)  # noqa: S311 - the same picture each time
    builder = TraceBuilder(free_threaded=True)
    builder.thread("MainThread", main=True)
    threads = [builder.thread(f"eval-{n}", native=True, start=50 * n) for n in range(LANES - 1)]
    table = builder.lock("object", type="table<int>", address=0x7F0C5A3B2E4A, object=0x7F0C5A3B2E40)
    for thread in threads:
        now = 500
        for _ in range(events // LANES):
            now += chance.randrange(20 * scale)
            end = now + 1 + chance.randrange(2 * scale)
            builder.wait(thread, table, now, end, peer=threads[thread % len(threads)])
            now = end
    return builder


def pool_run() -> TraceBuilder:
    """Three locks of one name that threads contend for, and two events that a thread waits for."""
    builder = TraceBuilder(free_threaded=True)
    main = builder.thread("MainThread", main=True)
    worker = builder.thread("worker", start=0)
    for number in range(3):
        items = builder.lock("object", type="list", address=0x7F0C5A3B2E0A + 64 * number)
        builder.lock_name(items, "pool.ITEMS", 1)
        begin = (0, 100_000, 300_000)[number]
        builder.wait(worker, items, begin, begin + 100_000 * (number + 1), peer=main)
    for address, begin, end in ((0x1000, 0, 400_000), (0x2000, 400_000, 900_000)):
        builder.wait(main, builder.lock("event", address=address), begin, end, peer=worker)
    builder.ticks(1_000_000)
    return builder


def comparison(directory: Path, title: str, events: int, scale: int) -> Comparison:
    """Return a comparison with made-up traces of ``events`` events."""
    made = {"gil": gil_run(events, scale), "ft": ft_run(events // 3, scale)}
    runs = [
        run_of(build, read(builder.write(directory / f"{title}-{build}.gilscope")))
        for build, builder in made.items()
    ]
    return Comparison(title, (title,), tuple(runs))


def run_of(build: str, trace: Trace) -> Run:
    """Return a run, timed as long as its trace, of the build gil or ft."""
    on, wall = build == "gil", (trace.duration_ns / 1e9,)
    return Run(
        build, trace.python, "python", not on, on, on, None, wall, wall, trace.path, trace, 0
    )


def office_run() -> TraceBuilder:
    """Two workers with waits of 100 µs and 400 µs for two locks, a callback and a span each."""
    builder = TraceBuilder(free_threaded=True)
    main = builder.thread("MainThread", main=True)
    door = builder.lock("lock", address=0x1000)
    desk = builder.lock("lock", address=0x2000)
    for lock, name in ((door, "office.DOOR"), (desk, "office.DESK")):
        builder.lock_name(lock, name, 1)
    site = builder.site(builder.module("/lib/office.so"), 0x10, "Office::log")
    for number, peer in ((1, main), (2, main + 1)):
        worker = builder.thread(f"worker-{number}", start=0)
        builder.wait(worker, door, 100_000, 200_000, peer=peer)
        builder.wait(worker, desk, 300_000, 700_000, peer=peer)
        call = builder.callable(name=f"log-{number}")
        builder.callback(
            worker, 710_000, 710_000 + 20_000 * number, entry=builder.entry(site), callable=call
        )
        builder.span(worker, f"job-{number}", 750_000, 750_000 + 100_000 * number)
    builder.ticks(1_000_000)
    return builder


def many_locks_run(count: int) -> TraceBuilder:
    """A worker that waits once for each of many locks, longest for the last."""
    builder = TraceBuilder(free_threaded=True)
    main = builder.thread("MainThread", main=True)
    worker = builder.thread("worker", start=0)
    for number in range(count):
        lock = builder.lock("lock", address=0x1000 + 64 * number)
        builder.lock_name(lock, f"shelf.BOX_{number:03}", 1)
        begin = 1000 * number
        builder.wait(worker, lock, begin, begin + 500 + number, peer=main)
    return builder


def crowd_run(count: int, *, free_threaded: bool = False) -> TraceBuilder:
    """Threads of one function, eight at a time: one in fifty waits for 6 ms, others for 500 µs."""
    builder = TraceBuilder(free_threaded=free_threaded)
    before = builder.thread("MainThread", main=True)
    table = builder.lock("native_mutex", address=0x1000)
    us = 1000
    for number in range(count):
        begin = 1000 * us * number
        end = begin + (6500 if number % 50 == 25 else 1000) * us
        thread = builder.thread(f"Thread-{number + 1} (f)", start=begin, end=begin + 8000 * us)
        if free_threaded:
            builder.wait(thread, table, begin + 500 * us, end, peer=before, flags=8)
        else:
            builder.gil_wait(thread, begin + 500 * us, end, peer=before)
            builder.hold(thread, end, end + 500 * us)
        before = thread
    builder.ticks(1000 * us * count + 10_000 * us)
    return builder


def crowd(directory: Path, count: int) -> Comparison:
    """Return a comparison of two runs of many threads."""
    runs = [
        run_of(build, read(crowd_run(count, free_threaded=build == "ft").write(path)))
        for build, path in ((build, directory / f"{build}.gilscope") for build in ("gil", "ft"))
    ]
    return Comparison("crowd", ("crowd",), tuple(runs))
