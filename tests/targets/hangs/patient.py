"""Programs that wait for long and do not hang; the first argument says which one."""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import pdb  # noqa: T100 - one of the programs
import queue
import socket
import sys
import threading
import time

SECONDS = float(os.environ.get("PATIENT_SECONDS", "4.5"))


def start(function: object) -> threading.Thread:
    """Start a daemon thread."""
    thread = threading.Thread(target=function, daemon=True)  # type: ignore[arg-type]
    thread.start()
    return thread


def server() -> None:
    """Wait for a client, with idle workers."""
    work: queue.Queue[int] = queue.Queue()
    for _ in range(4):
        start(work.get)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(SECONDS)
        try:
            listener.accept()
        except TimeoutError:
            return


def keyboard() -> None:
    """Wait for a line."""
    start(threading.Event().wait)
    input()


def debugger() -> None:
    """Wait in pdb."""
    start(threading.Event().wait)
    pdb.Pdb(nosigint=True, readrc=False).set_trace()


def native() -> None:
    """Compute in native code with the GIL, while others want it."""
    start(lambda: time.sleep(0.1))
    ctypes.PyDLL(os.environ["SPIN"]).compute(ctypes.c_double(SECONDS))


def asleep() -> None:
    """Sleep in native code with the GIL, while others want it."""
    start(lambda: time.sleep(0.1))
    ctypes.PyDLL(None).usleep(int(SECONDS * 1e6))


def sleepers() -> None:
    """Sleep in 500 threads."""
    threads = [threading.Thread(target=time.sleep, args=(SECONDS,)) for _ in range(500)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def drain() -> None:
    """Put into a full queue that is emptied slowly."""
    work: queue.Queue[int] = queue.Queue(1)

    def consumer() -> None:
        while True:
            time.sleep(1.2)
            work.get()

    start(consumer)
    for i in range(round(SECONDS * 1.8)):
        work.put(i)


def process_lock() -> None:
    """Wait for a lock that another process has."""
    lock = multiprocessing.get_context("fork").Lock()
    lock.acquire()
    if not os.fork():
        time.sleep(SECONDS)
        lock.release()
        os._exit(0)
    lock.acquire()
    os.wait()


def turns() -> None:
    """Take turns with the GIL, and with the processor, all the time."""
    end = time.monotonic() + SECONDS

    def work() -> None:
        while time.monotonic() < end:
            sum(range(2_000))
            time.sleep(0)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def collect() -> None:
    """Stop the world again and again, while others compute."""
    end = time.monotonic() + SECONDS

    def work() -> None:
        while time.monotonic() < end:
            time.sleep(0.001)
            sum(range(2_000))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    while time.monotonic() < end:
        gc.collect()
    for thread in threads:
        thread.join()


def loop() -> None:
    """Wait in an event loop for a thread that sleeps, and for nothing else."""
    import asyncio  # noqa: PLC0415 - only here

    asyncio.run(asyncio.to_thread(time.sleep, SECONDS))


def child() -> None:
    """Wait in an event loop for a child process."""
    import asyncio  # noqa: PLC0415 - only here

    async def main() -> None:
        process = await asyncio.create_subprocess_exec("sleep", str(SECONDS))
        await process.wait()

    asyncio.run(main())


def signals() -> None:
    """Wait for a signal whose handler sets an event."""
    import signal  # noqa: PLC0415 - only here

    done = threading.Event()
    signal.signal(signal.SIGALRM, lambda *_: done.set())
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    done.wait()


globals()[sys.argv[1]]()
print("finished")
