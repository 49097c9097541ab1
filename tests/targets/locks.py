"""Waits for locks that are staged: one thread holds, another one waits, the first one lets go."""

from __future__ import annotations

import queue
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

import stage
from scenario import main, scenario, start_all

from gilscope.target.recording import session as probe

if TYPE_CHECKING:
    from collections.abc import Callable

FAIR_AFTER_S = 0.02  # a mutex is handed over to whom has waited for 1 ms or more


def staged(
    trace: str, wait: Callable[[], object], end: Callable[[], object], lock: object = None
) -> dict[str, object]:
    """Record how the thread "waiter" sleeps in ``wait`` until the main thread calls ``end``."""
    since: list[int] = []

    def run() -> None:
        since.append(time.monotonic_ns())
        wait()

    waiter = threading.Thread(target=run, name="waiter")
    probe.start(trace)
    waiter.start()
    until(since)
    stage.asleep(waiter.native_id)
    address = end()
    waiter.join()
    probe.stop()
    return {
        "waiter": waiter.native_id,
        "ender": threading.get_native_id(),
        "since": since[0],
        "object": id(lock) if lock is not None else 0,
        "address": address if isinstance(address, int) else 0,
    }


def until(flag: list[int]) -> None:
    """Wait, without a lock, until another thread has put something into the list."""
    while not flag:
        time.sleep(0.001)


@scenario
def lock(trace: str) -> dict[str, object]:
    """A threading.Lock."""
    lock = threading.Lock()
    lock.acquire()
    return staged(trace, lock.acquire, lock.release, lock)


@scenario
def rlock(trace: str) -> dict[str, object]:
    """A threading.RLock."""
    lock = threading.RLock()
    lock.acquire()
    return staged(trace, lock.acquire, lock.release, lock)


@scenario
def condition(trace: str) -> dict[str, object]:
    """A threading.Condition that is notified."""
    condition = threading.Condition()

    def wait() -> None:
        with condition:
            condition.wait()

    def end() -> None:
        with condition:
            condition.notify()

    return staged(trace, wait, end)


@scenario
def event(trace: str) -> dict[str, object]:
    """A threading.Event that is set."""
    event = threading.Event()
    return staged(trace, event.wait, event.set)


@scenario
def queue_get(trace: str) -> dict[str, object]:
    """A queue.Queue that gets an item."""
    items: queue.Queue[int] = queue.Queue()
    return staged(trace, items.get, lambda: items.put(1))


@scenario
def simple_queue(trace: str) -> dict[str, object]:
    """A queue.SimpleQueue that gets an item."""
    items: queue.SimpleQueue[int] = queue.SimpleQueue()
    return staged(trace, items.get, lambda: items.put(1))


@scenario
def mutex(trace: str) -> dict[str, object]:
    """A PyMutex of native code."""
    stage.lock_mutex()

    def wait() -> None:
        stage.lock_mutex()
        stage.unlock_mutex()

    return staged(trace, wait, stage.unlock_mutex)


@scenario
def mutex_in_section(trace: str) -> dict[str, object]:
    """A PyMutex of native code that a critical section takes; free-threaded builds only."""
    stage.lock_placed()
    return staged(trace, stage.pass_placed, stage.unlock_placed)


@scenario
def thread_lock(trace: str) -> dict[str, object]:
    """A PyThread_type_lock of native code."""
    stage.lock_thread_lock()

    def wait() -> None:
        stage.lock_thread_lock()
        stage.unlock_thread_lock()

    return staged(trace, wait, stage.unlock_thread_lock)


@scenario
def handed_off(trace: str) -> dict[str, object]:
    """A mutex whose waiter has waited for so long that it gets it before anyone else."""
    stage.lock_mutex()

    def wait() -> None:
        stage.lock_mutex()
        stage.unlock_mutex()

    def end() -> int:
        fair = time.monotonic() + FAIR_AFTER_S
        while time.monotonic() < fair:
            pass
        address: int = stage.unlock_mutex()
        return address

    return staged(trace, wait, end)


@scenario
def timed_out(trace: str) -> dict[str, object]:
    """A threading.Lock that the waiter gives up on."""
    lock = threading.Lock()
    lock.acquire()
    given_up: list[int] = []

    def wait() -> None:
        lock.acquire(timeout=0.2)
        given_up.append(1)

    return staged(trace, wait, lambda: until(given_up), lock)


@scenario
def join(trace: str) -> dict[str, object]:
    """The main thread waits until another one has ended."""
    main_tid = threading.get_native_id()
    since: list[int] = []

    def run() -> None:
        until(since)
        stage.asleep(main_tid)

    thread = threading.Thread(target=run, name="ends")
    probe.start(trace)
    thread.start()
    since.append(time.monotonic_ns())
    thread.join()
    probe.stop()
    return {"waiter": main_tid, "ender": thread.native_id, "since": since[0]}


@scenario
def interrupted(trace: str) -> dict[str, object]:
    """A signal comes while the main thread waits for a lock; its handler runs, it waits on."""
    main_tid = threading.get_native_id()
    lock = threading.Lock()
    lock.acquire()
    since: list[int] = []
    handled: list[int] = []
    signal.signal(signal.SIGUSR1, lambda *_: handled.append(1))

    def release() -> None:
        until(since)
        stage.asleep(main_tid)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
        until(handled)
        stage.asleep(main_tid)
        lock.release()

    thread = threading.Thread(target=release, name="releases")
    probe.start(trace)
    thread.start()
    since.append(time.monotonic_ns())
    lock.acquire()
    thread.join()
    probe.stop()
    ender = thread.native_id
    return {"waiter": main_tid, "ender": ender, "since": since[0], "object": id(lock)}


@scenario
def object_lock(trace: str) -> dict[str, object]:
    """The own lock of a dict, held by native code."""
    shared = {i: i for i in range(10)}

    since: list[int] = []

    def wait() -> None:
        stage.await_hold()
        since.append(time.monotonic_ns())
        shared.copy()

    waiter = threading.Thread(target=wait, name="waiter")
    probe.start(trace)
    waiter.start()
    stage.hold_object(shared, waiter.native_id)
    waiter.join()
    probe.stop()
    return {
        "waiter": waiter.native_id,
        "ender": threading.get_native_id(),
        "since": since[0],
        "object": id(shared),
    }


@scenario
def shared_dict(trace: str) -> dict[str, object]:
    """Four threads copy one large dict over and over."""
    shared = {i: i for i in range(200_000)}
    together = threading.Barrier(4)

    def work() -> None:
        together.wait()
        for _ in range(15):
            shared.copy()

    threads = [threading.Thread(target=work, name=f"copies-{i}") for i in range(4)]
    probe.start(trace)
    start_all(threads)
    probe.stop()
    return {"object": id(shared), "tids": [thread.native_id for thread in threads]}


@scenario
def nothing_shared(trace: str) -> dict[str, object]:
    """Threads that only count, one after another."""

    def work() -> None:
        for _ in range(1000):
            pass

    threads = [threading.Thread(target=work) for _ in range(20)]
    probe.start(trace)
    for thread in threads:
        thread.start()
        thread.join()
    probe.stop()
    return {"tids": [thread.native_id for thread in threads]}


@scenario
def stopped_world(trace: str) -> dict[str, object]:
    """Threads that share nothing are stopped again and again so that their frames can be read."""
    done: list[int] = []

    def work(done: list[int]) -> None:
        x = 0  # a variable of a closure has a lock
        while not done:
            x += 1

    threads = [threading.Thread(target=work, args=(done,), name=f"stopped-{i}") for i in range(3)]
    probe.start(trace)
    for thread in threads:
        thread.start()
    for _ in range(300):
        sys._current_frames()
    done.append(1)
    for thread in threads:
        thread.join()
    probe.stop()
    return {"main": threading.get_native_id(), "tids": [thread.native_id for thread in threads]}


if __name__ == "__main__":
    main()
