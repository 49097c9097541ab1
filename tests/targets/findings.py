"""Programs that the findings are about, and programs that have none."""

from __future__ import annotations

import gc
import os
import queue
import sys
import threading
import time

import findings_stage
from scenario import main, scenario, start_all

from gilscope.target.recording import session as probe

THREADS = 4
CALLS = 1500
STATES = 100_000 if sys._is_gil_enabled() else 5000  # which is dear without it
KEPT_MS = 25
STARVED = 60
TURNS = 20_000
COMPUTING_S = 0.4


def nothing() -> None:
    """Be called."""


def compute() -> int:
    """Take some tens of microseconds."""
    return sum(range(2000))


@scenario
def callbacks(trace: str) -> dict[str, int]:
    """Native threads call back at the same time, without a pause."""
    probe.start(trace)
    findings_stage.call(compute, THREADS, CALLS, True)  # noqa: FBT003 - C takes no names
    probe.stop()
    return {"callbacks": THREADS * CALLS}


@scenario
def thread_states(trace: str) -> dict[str, int]:
    """One native thread makes a thread state for each of its callbacks."""
    probe.start(trace)
    findings_stage.call(nothing, 1, STATES, False)  # noqa: FBT003 - C takes no names
    probe.stop()
    return {"created": STATES}


@scenario
def kept(trace: str) -> dict[str, int]:
    """Three threads keep an object, and the GIL if there is one, in native code that takes long."""
    shared: dict[str, int] = {}
    together = threading.Barrier(3)

    def work() -> None:
        together.wait()
        for _ in range(10):
            findings_stage.keep(shared, KEPT_MS)

    probe.start(trace)
    start_all([threading.Thread(target=work, name=f"keeper-{i}") for i in range(3)])
    probe.stop()
    return {"object": id(shared)}


@scenario
def mutex(trace: str) -> list[bool]:
    """A native mutex is held by a thread that waits for the GIL, and wanted by another one.

    ``HOLD_MS`` says for how long, ``WAITER_FIRST`` who began to wait first.
    """
    probe.start(trace)
    asleep = findings_stage.lock_then_gil(
        int(os.environ.get("HOLD_MS", "1")), "WAITER_FIRST" in os.environ
    )
    probe.stop()
    return [asleep]


@scenario
def mutex_and_gil(trace: str) -> list[int]:
    """Two threads take a native mutex and the GIL in turns, and never both."""
    probe.start(trace)
    findings_stage.lock_and_gil(TURNS)
    probe.stop()
    return [TURNS]


@scenario
def starved(trace: str) -> dict[str, int]:
    """A thread that sleeps most of the time wants the GIL while another one computes."""
    done: list[int] = []

    def beat() -> None:
        for _ in range(STARVED):
            time.sleep(0.001)
        done.append(1)

    thread = threading.Thread(target=beat, name="heart")
    probe.start(trace)
    thread.start()
    while not done:
        pass
    thread.join()
    probe.stop()
    return {"beats": STARVED}


@scenario
def computing(trace: str) -> dict[str, int]:
    """Two threads compute in Python, each for as long, whatever else the machine does."""
    done: list[int] = []
    other = threading.Barrier(2)

    def work() -> None:
        other.wait()
        while time.thread_time() < COMPUTING_S:
            sum(range(100))
        done.append(1)

    probe.start(trace)
    start_all([threading.Thread(target=work, name=f"computer-{i}") for i in range(2)])
    probe.stop()
    return {"done": len(done)}


@scenario
def collected(trace: str) -> dict[str, int]:
    """A thread collects garbage again and again, which stops all others each time."""
    ballast = [[i] for i in range(50_000)]
    done: list[int] = []

    def work(done: list[int]) -> None:
        total = 0
        while not done:
            total += 1

    threads = [threading.Thread(target=work, args=(done,)) for _ in range(2)]
    probe.start(trace)
    for thread in threads:
        thread.start()
    for _ in range(80):
        gc.collect()
        time.sleep(0.001)  # threads that do not get to run in between are held once, not twice
    done.append(1)
    for thread in threads:
        thread.join()
    probe.stop()
    return {"kept": len(ballast)}


@scenario
def clean(trace: str) -> dict[str, int]:
    """Native callbacks one thread after the other, a queue, an event: no contention."""
    items: queue.Queue[int] = queue.Queue()
    ready = threading.Event()
    got: list[int] = []

    def consume() -> None:
        ready.wait()
        got.extend(items.get() for _ in range(20))

    probe.start(trace)
    for _ in range(3):
        findings_stage.call(nothing, 1, 500, True)  # noqa: FBT003 - C takes no names
    consumer = threading.Thread(target=consume, name="consumer")
    consumer.start()
    time.sleep(0.05)
    ready.set()
    for number in range(20):
        time.sleep(0.01)
        items.put(number)
    consumer.join()
    probe.stop()
    return {"got": len(got)}


if __name__ == "__main__":
    main()
