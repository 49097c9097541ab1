"""Threads, their states, their ends and what they wait for, while sessions come and go."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import threading
import time
from pathlib import Path
from typing import Any

from case import SKIPPED, Stage, case, company, main

import hostile

LIBRARIES = Path(hostile.__file__).parent
N_LEAVES = 40
EXTENSIONS = ["_decimal", "_hashlib", "_sqlite3", "pyexpat", "_asyncio", "_elementtree", "_lzma"]


@case
def constructors(stage: Stage) -> dict[str, Any]:
    """Native threads load libraries whose constructors load others, while modules are imported."""
    names = EXTENSIONS.copy()
    stage.random.shuffle(names)
    stage.start()
    with company([lambda: hostile.load_all(str(LIBRARIES), N_LEAVES)]):
        for name in names:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
            if stage.random.random() < 0.5:
                stage.cycle()
    stage.stop()
    return {"loaded": len(names)}


@case
def foreign_states(stage: Stage) -> dict[str, Any]:
    """Other threads than their own swap, clear and delete thread states."""
    pause_us = stage.random.randrange(500)

    def orphans() -> None:
        while stage.go_on():
            # In a thread that ends at once: deleting a foreign state costs it its own.
            with company([lambda: hostile.orphans(2, pause_us)]):
                pass

    def swaps() -> None:
        while stage.go_on():
            hostile.swaps(20)

    def visitors() -> None:
        while stage.go_on():
            hostile.visitors(8)

    with stage.sessions(), company([orphans, swaps, visitors]):
        pass
    return {}


@case
def cancelled_waits(stage: Stage) -> dict[str, Any]:
    """Threads are cancelled in every wait that is hooked."""
    counts = set()
    with stage.sessions(), stage.contention(1):
        while stage.go_on():
            counts.add(hostile.leave_all(False, stage.random.randrange(1500)))  # noqa: FBT003
    return {"left": sorted(counts)}


@case
def jumps_out_of_waits(stage: Stage) -> dict[str, Any]:
    """Signal handlers jump out of every wait that is hooked, and the threads go on."""
    counts = set()
    with stage.sessions(), stage.contention(1):
        while stage.go_on():
            counts.add(hostile.leave_all(True, stage.random.randrange(1500)))  # noqa: FBT003
    return {"left": sorted(counts)}


@case
def signals(stage: Stage) -> dict[str, Any]:
    """Two timers of 1 kHz, handled on alternative stacks, in threads that contend."""

    def work() -> None:
        hostile.own_signal_stack()
        while stage.go_on():
            hostile.visitors(4)
            time.sleep(0)

    hostile.own_signal_stack()
    hostile.rain(1000)
    with stage.sessions(), stage.contention(1), company([work]):
        pass
    seen = hostile.rain(0)
    return {"seen": seen > 0}


@case
def thread_ends(stage: Stage) -> dict[str, Any]:
    """Destructors of threads' own data take locks and call Python."""
    wrong = 0
    with stage.sessions(), stage.contention(1):
        while stage.go_on():
            wrong += hostile.slow_ends(8) != 8 * 3
    return {"wrong": wrong}


@case
def unloading(stage: Stage) -> dict[str, Any]:
    """Libraries are unloaded while a thread waits that was sent there by their code."""
    loaded = 0
    with stage.sessions():
        while stage.go_on():
            leaf = LIBRARIES / f"leaf{stage.random.randrange(N_LEAVES)}.so"
            hostile.unload_waiting(str(leaf), stage.random.randrange(1000))
            loaded = max(loaded, hostile.load_hidden(str(leaf)))
    return {"loaded": loaded}


@case
def starts_and_stops(stage: Stage) -> dict[str, Any]:
    """Sessions as fast as can be, by several threads, while others contend."""

    def toggle() -> None:
        while stage.go_on():
            stage.start()
            stage.stop()

    with stage.contention(), company([toggle, toggle]):
        pass
    stage.stop()
    return {}


@case
def loader_callbacks(stage: Stage) -> dict[str, Any]:
    """A thread has the loader's lock whenever it waits for the GIL, while others use the GIL."""
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
    walk = ctypes.CDLL(None).dl_iterate_phdr
    seen = set()

    @kind
    def visit(_info: int, _size: int, _data: int) -> int:
        seen.add("objects")
        return 0

    def visits() -> None:
        while stage.go_on():
            walk(visit, None)

    def works() -> None:
        while stage.go_on():
            sum(range(1000))
            time.sleep(0)

    with stage.sessions(1), company([visits, works]):
        pass
    return {"seen": sorted(seen)}


@case
def finalization(stage: Stage) -> dict[str, Any]:
    """The interpreter ends while daemon threads and native threads use it, and a session runs."""
    lock = threading.Lock()
    lock.acquire()

    def spin() -> None:
        while True:
            sum(range(100))

    def sessions() -> None:
        while True:
            stage.cycle()

    stage.start()
    targets = [spin, lock.acquire, *([sessions] if stage.random.random() < 0.5 else [])]
    for target in targets:
        threading.Thread(target=target, daemon=True).start()
    hostile.outlive(2)
    stage.pause(20000)
    return {}


@case
def subinterpreters(stage: Stage) -> dict[str, Any]:
    """Interpreters with GILs of their own are made and ended while sessions start."""
    try:
        import _interpreters  # noqa: PLC0415 (not there in every version)
    except ImportError:
        return {"verdict": SKIPPED}
    code = "import threading; t = threading.Thread(target=sum, args=([1],)); t.start(); t.join()"
    errors: list[object] = []

    def visit() -> None:
        while stage.go_on():
            other = _interpreters.create()
            errors.append(_interpreters.exec(other, code))
            _interpreters.destroy(other)

    with stage.sessions(), company([visit, visit]):
        pass
    return {"errors": sorted({repr(error) for error in errors if error is not None})}


@case
def greenlets(stage: Stage) -> dict[str, Any]:
    """Stacks are switched inside waits' neighbourhood: in callbacks of native code."""
    os.environ["PYTHONWARNINGS"] = "ignore"
    try:
        import greenlet  # noqa: PLC0415 (not for every interpreter)
    except ImportError:
        return {"verdict": SKIPPED}
    lock = threading.Lock()

    def switch(n: int) -> int:
        for _ in range(n):
            with lock:
                sum(range(50))
            greenlet.getcurrent().parent.switch()
        return n

    def juggle() -> None:
        while stage.go_on():
            some = [greenlet.greenlet(lambda: hostile.reenter(lambda: switch(5))) for _ in range(5)]
            while some:
                for one in list(some):
                    one.switch()
                some = [one for one in some if not one.dead]
                stage.random.shuffle(some)

    with stage.sessions(), company([juggle, juggle]):
        pass
    return {}


if __name__ == "__main__":
    main()
