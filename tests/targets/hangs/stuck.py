"""More programs that hang, by other means of the standard library; the first argument names one."""

from __future__ import annotations

import asyncio
import concurrent.futures
import multiprocessing
import queue
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import types

lock = threading.Lock()
ready = threading.Event()


def start(function: object, name: str = "helper", *, daemon: bool = True) -> threading.Thread:
    """Start a thread."""
    thread = threading.Thread(target=function, name=name, daemon=daemon)  # type: ignore[arg-type]
    thread.start()
    return thread


def condition() -> None:
    """Wait for a condition that nobody signals, while the main thread waits for the waiter."""
    changed = threading.Condition()

    def consumer() -> None:
        with changed:
            changed.wait()

    start(consumer, "consumer").join()


def semaphore() -> None:
    """Two threads have one permit of two each, and want another one."""
    permits = threading.Semaphore(2)

    def worker() -> None:
        with permits:
            time.sleep(0.3)
            with permits:
                pass

    first, second = start(worker, "first"), start(worker, "second")
    first.join()
    second.join()


def ended() -> None:
    """Take an RLock whose thread has ended, while another thread goes on."""
    recursive = threading.RLock()

    def beat() -> None:
        while True:
            time.sleep(0.05)

    start(beat, "beat")
    start(recursive.acquire, "careless").join()
    recursive.acquire()


def full() -> None:
    """Put into a full queue whose consumer has ended by an exception."""
    work: queue.Queue[int] = queue.Queue(2)

    def consumer() -> None:
        work.get()
        sys.exit()

    start(consumer, "consumer")
    for i in range(8):
        work.put(i)


def undone() -> None:
    """Join a queue whose worker forgets task_done()."""
    work: queue.Queue[int] = queue.Queue()

    def worker() -> None:
        while True:
            work.get()

    start(worker, "worker")
    work.put(1)
    work.join()


def _take() -> None:
    with lock:
        pass


def pool() -> None:
    """Fork a pool while another thread has a lock that its workers take."""

    def refresh() -> None:
        with lock:
            ready.set()
            time.sleep(0.5)

    start(refresh, "refresh")
    ready.wait()
    with multiprocessing.get_context("fork").Pool(2) as workers:
        workers.apply(_take)


def joins() -> None:
    """Two threads join one another, while another thread goes on."""
    threads: list[threading.Thread] = []

    def beat() -> None:
        while True:
            time.sleep(0.05)

    def left() -> None:
        ready.wait()
        threads[1].join()

    def right() -> None:
        ready.wait()
        threads[0].join()

    start(beat, "beat")
    threads += [start(left, "left"), start(right, "right")]
    ready.set()
    threads[0].join()


class _Finder:
    """Finds a module that takes a lock while it is imported."""

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> object:
        if name != "slow_module":
            return None
        import importlib.machinery  # noqa: PLC0415 - only here

        return importlib.machinery.ModuleSpec(name, _Loader())  # type: ignore[arg-type]


class _Loader:
    """Takes the lock."""

    @staticmethod
    def create_module(_spec: object) -> types.ModuleType | None:
        return None

    @staticmethod
    def exec_module(_module: types.ModuleType) -> None:
        ready.set()
        time.sleep(0.3)
        with lock:
            pass


def imports() -> None:
    """Import a module with the lock that the module takes while another thread imports it."""
    sys.meta_path.insert(0, _Finder())  # type: ignore[arg-type]

    def importer() -> None:
        import slow_module  # type: ignore[import-not-found] # noqa: F401, PLC0415

    start(importer, "importer")
    ready.wait()
    with lock:
        import slow_module  # noqa: F401, PLC0415


def executor() -> None:
    """Wait in the one worker of an executor for what only that worker could do."""
    with concurrent.futures.ThreadPoolExecutor(1, "only") as workers:

        def outer() -> int:
            return workers.submit(int).result()

        workers.submit(outer).result()


def executor_beat() -> None:
    """The same, with two workers, while another thread goes on."""

    def beat() -> None:
        while True:
            time.sleep(0.05)

    start(beat, "beat")
    both = threading.Barrier(2)
    with concurrent.futures.ThreadPoolExecutor(2, "pair") as workers:

        def outer() -> int:
            both.wait()
            return workers.submit(int).result()

        workers.submit(outer)
        workers.submit(outer).result()


def loop() -> None:
    """Wait in the thread of an event loop for a coroutine of that loop."""

    async def inner() -> int:
        return 1

    async def outer() -> None:
        running = asyncio.get_running_loop()
        asyncio.run_coroutine_threadsafe(inner(), running).result()

    asyncio.run(outer())


def loop_beat() -> None:
    """The same in a thread of its own, while the main thread goes on."""

    async def inner() -> int:
        return 1

    async def outer() -> None:
        running = asyncio.get_running_loop()
        asyncio.run_coroutine_threadsafe(inner(), running).result()

    start(lambda: asyncio.run(outer()), "loop")
    while True:
        time.sleep(0.05)


def parties() -> None:
    """Wait at a barrier for a party that has ended."""
    barrier = threading.Barrier(3)
    start(lambda: None, "absent").join()
    start(barrier.wait, "second")
    barrier.wait()


def shutdown() -> None:
    """End the main thread while another one waits for ever."""
    start(threading.Event().wait, "forgotten", daemon=False)


def handler() -> None:
    """Take a lock in a signal's handler that the main thread has."""
    import signal  # noqa: PLC0415 - only here

    def interrupted(_number: int, _frame: object) -> None:
        with lock:
            pass

    signal.signal(signal.SIGALRM, interrupted)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    with lock:
        time.sleep(1)


def empty() -> None:
    """Three workers wait for a queue; one sentinel is not enough to end them."""
    work: queue.Queue[object] = queue.Queue()

    def worker() -> None:
        while work.get() is not None:
            pass

    workers = [start(worker, f"worker {i}") for i in range(3)]
    work.put(None)
    for one in workers:
        one.join()


globals()[sys.argv[1]]()
