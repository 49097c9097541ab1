"""Programs that hang by several parts of the standard library; the first argument names one."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import multiprocessing
import queue
import sys
import threading
import time

ready = threading.Event()


def start(function: object, name: str = "helper", *, daemon: bool = True) -> threading.Thread:
    """Start a thread."""
    thread = threading.Thread(target=function, name=name, daemon=daemon)  # type: ignore[arg-type]
    thread.start()
    return thread


def beat() -> None:
    """Go on for ever."""
    while True:
        time.sleep(0.05)


def nested() -> None:
    """Wait for a condition inside an RLock that the notifier needs."""
    guard, changed = threading.RLock(), threading.Condition(threading.RLock())

    def notifier() -> None:
        ready.wait()
        with guard, changed:
            changed.notify_all()

    start(notifier, "notifier")
    with guard, guard, changed, changed:
        ready.set()
        changed.wait()


def mapped() -> None:
    """Map in the one worker of an executor what only that worker could do."""
    start(beat, "beat")
    with concurrent.futures.ThreadPoolExecutor(1, "only") as workers:

        def outer() -> list[str]:
            return list(workers.map(str, range(3)))

        print(workers.submit(outer).result())


def forgotten() -> None:
    """Join a queue one of whose items was never said to be done, since its handling failed."""
    work: queue.Queue[int] = queue.Queue()

    def worker() -> None:
        while True:
            item = work.get()
            try:
                1 / item
                work.task_done()
            except ZeroDivisionError:
                continue

    for i in range(2):
        start(worker, f"worker {i}")
    for item in (2, 1, 0):
        work.put(item)
    work.join()


def absent() -> None:
    """Join threads that wait at a barrier for one that has failed."""
    barrier = threading.Barrier(3)

    def party(number: int) -> None:
        if number == 1:
            sys.exit()
        barrier.wait()

    parties = [start(lambda i=i: party(i), f"party {i}") for i in range(3)]
    for one in parties:
        one.join()


class Slow(logging.Handler):
    """Writes under a lock of its own, which a fork does not renew."""

    gate = threading.Lock()

    def emit(self, _record: logging.LogRecord) -> None:
        """Take the lock for a while."""
        with self.gate:
            ready.set()
            time.sleep(0.5)


def _log() -> None:
    logging.getLogger("app").warning("from a child")


def logged() -> None:
    """Fork a pool while another thread is inside a logging handler."""
    logging.getLogger("app").addHandler(Slow())
    start(lambda: [_log() for _ in range(3)], "logger")
    ready.wait()
    with multiprocessing.get_context("fork").Pool(2) as workers:
        workers.apply(_log)


def loops() -> None:
    """Block a loop that has an asyncio.Lock for a coroutine of another loop that needs it."""
    other = asyncio.new_event_loop()
    start(other.run_forever, "other loop")

    async def main() -> None:
        lock = asyncio.Lock()

        async def inner() -> None:
            async with lock:
                pass

        async with lock:
            asyncio.run_coroutine_threadsafe(inner(), other).result()

    asyncio.run(main())


def as_completed() -> None:
    """Wait in a worker for several futures that only it and another stuck worker could run."""
    start(beat, "beat")
    both = threading.Barrier(2)
    with concurrent.futures.ThreadPoolExecutor(2, "pair") as workers:

        def outer() -> None:
            both.wait()
            inner = [workers.submit(int) for _ in range(3)]
            for _ in concurrent.futures.as_completed(inner):
                pass

        concurrent.futures.wait([workers.submit(outer), workers.submit(outer)])


def tasks() -> None:
    """Take an asyncio.Lock twice in one task: the loop has nothing to do any more."""

    async def main() -> None:
        lock = asyncio.Lock()
        async with lock, lock:
            pass

    asyncio.run(main())


class Closed:
    """Takes a lock when it is deleted: as the last thing, while the interpreter ends."""

    def __init__(self, lock: threading.Lock) -> None:
        self.lock = lock

    def __del__(self) -> None:
        """Take it."""
        with self.lock:
            pass


def finalized() -> None:
    """End while a daemon thread has a lock that is wanted then: it will never run again."""
    lock = threading.Lock()

    def holder() -> None:
        with lock:
            ready.set()
            time.sleep(3600)

    start(holder, "holder")
    ready.wait()
    sys.modules["closed"] = Closed(lock)  # type: ignore[assignment]


globals()[sys.argv[1]]()
