"""Waits inside the interpreter that are for something special."""

from __future__ import annotations

import ctypes
import queue
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import stage
from scenario import main, scenario

from gilscope.target.recording import session as probe

if TYPE_CHECKING:
    from collections.abc import Callable

GATE = threading.Lock()
"""What keeps the first thread where the second one has to wait for it."""

MODULE = "import __main__\n__main__.GATE.acquire()\n"


def second(trace: str, first: Callable[[], object], wait: Callable[[], object]) -> dict[str, int]:
    """Record how a thread waits until another one is through a gate."""
    GATE.acquire()
    one = threading.Thread(target=first, name="first")
    two = threading.Thread(target=wait)
    probe.start(trace)
    one.start()
    stage.asleep(one.native_id)
    two.start()
    stage.asleep(two.native_id)
    since = time.monotonic_ns()
    GATE.release()
    one.join()
    two.join()
    probe.stop()
    return {"waiter": two.native_id, "since": since}


@scenario
def import_lock(trace: str) -> dict[str, int]:
    """A module that another thread imports just now."""
    folder = Path(trace).parent
    (folder / "slow_module.py").write_text(MODULE)
    sys.path.insert(0, str(folder))

    def run() -> None:
        import slow_module  # noqa: F401, PLC0415 - that is what is looked at

    return second(trace, run, run)


@scenario
def once(trace: str) -> dict[str, int]:
    """An initialization that another thread is in the middle of."""
    flag = ctypes.create_string_buffer(8)
    function = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(lambda _: GATE.acquire() - 1)
    call = ctypes.pythonapi._PyOnceFlag_CallOnceSlow

    def run() -> None:
        call(flag, function, None)

    return second(trace, run, run)


@scenario
def join(trace: str) -> dict[str, int]:
    """A thread that another one joins."""

    def run() -> None:
        (first,) = [thread for thread in threading.enumerate() if thread.name == "first"]
        first.join()

    return second(trace, GATE.acquire, run)


@scenario
def semaphore(trace: str) -> dict[str, int]:
    """A threading.Semaphore, which is made of locks."""
    counted = threading.Semaphore(0)

    def run() -> None:
        with GATE:
            counted.release()

    return second(trace, run, counted.acquire)


@scenario
def full_queue(trace: str) -> dict[str, int]:
    """A queue.Queue that has no room, which is made of locks."""
    full: queue.Queue[int] = queue.Queue(1)
    full.put(1)

    def run() -> None:
        with GATE:
            full.get()

    return second(trace, run, lambda: full.put(2))


if __name__ == "__main__":
    sys.exit(main())
