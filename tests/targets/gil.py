"""Threads that take, want and give up the GIL."""

from __future__ import annotations

import _interpreters
import contextlib
import hashlib
import importlib
import sys
import threading
import time

import stage
from scenario import main, scenario, start_all

from gilscope.target.recording import session as probe

PAIRS = 1000
SLEEPS = 20


@scenario
def counted(trace: str) -> dict[str, object]:
    """Give the GIL up in native code a known number of times; twice, to know what else there is."""
    for path, pairs in ((trace + ".none", 0), (trace, PAIRS)):
        probe.start(path)
        stage.pairs(pairs)
        probe.stop()
    return {"pairs": PAIRS}


@scenario
def counted_under_contention(trace: str) -> dict[str, object]:
    """Four native threads do so at once, each the same number of times."""
    probe.start(trace)
    natives = [stage.start_native(None, f"pairs-{i}", PAIRS) for i in range(4)]
    for handle, _ in natives:
        stage.join_native(handle)
    probe.stop()
    return {"pairs": PAIRS, "tids": [tid for _, tid in natives]}


@scenario
def held_in_native_code(trace: str) -> dict[str, object]:
    """A thread asks while native code holds the GIL for 50 ms and then gives it up itself."""
    probe.start(trace)
    handle, tid = stage.ask_while_held("asker", 0.05)
    stage.join_native(handle)
    probe.stop()
    return {"holder": threading.get_native_id(), "asker": tid}


@scenario
def held_by_the_evaluation_loop(trace: str) -> dict[str, object]:
    """A thread asks while pure Python spins, which gives the GIL up only because it was asked.

    The other thread then keeps the GIL until the first one waits for it.
    """
    main_tid = threading.get_native_id()
    asked: list[int] = []

    def keep() -> None:
        stage.asleep_attached(main_tid)
        asked.append(1)

    probe.start(trace)
    handle, tid = stage.start_native(keep, "asker", 0)
    while not asked:
        pass
    stage.join_native(handle)
    probe.stop()
    return {"holder": main_tid, "asker": tid}


@scenario
def mixed(trace: str) -> dict[str, object]:
    """Python code, code that leaves the GIL to compute, and native threads, all at once."""

    def work() -> None:
        data = b"x" * 4096
        for _ in range(300):
            hashlib.sha256(data).digest()
        sum(i * i for i in range(100_000))

    probe.start(trace)
    natives = [stage.start_native(work, f"mixed-{i}", PAIRS) for i in range(2)]
    start_all([threading.Thread(target=work) for _ in range(2)])
    for handle, _ in natives:
        stage.join_native(handle)
    return probe.stop()


@scenario
def import_of_a_module_that_needs_the_gil(trace: str) -> dict[str, object]:
    """A module that is imported while the probe runs gives the GIL up a known number of times."""
    probe.start(trace)
    import stage_needs_gil  # noqa: PLC0415 - the import is what is recorded

    stage_needs_gil.pairs(PAIRS)
    probe.stop()
    return {"pairs": PAIRS}


@scenario
def transient(trace: str) -> dict[str, object]:
    """Extension modules are imported while other threads enter and leave Python all the time."""
    modules = ["_bisect", "_csv", "_heapq", "_lsprof", "_pickle", "_queue", "_statistics"]
    modules += ["_zoneinfo", "array", "audioop", "cmath", "select", "termios", "unicodedata"]
    done: list[int] = []

    def work(done: list[int]) -> None:
        while not done:
            stage.pairs(3)
            time.sleep(0.0002)

    probe.start(trace)
    threads = [threading.Thread(target=work, args=(done,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for module in modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    done.append(1)
    for thread in threads:
        thread.join()
    probe.stop()
    return {"gil": sys._is_gil_enabled()}


@scenario
def waiting_at_stop(trace: str) -> dict[str, object]:
    """One thread waits for the GIL, another for a lock, when the probe is stopped."""
    sys.setswitchinterval(1000)  # nobody is asked for the GIL
    lock = threading.Lock()
    lock.acquire()
    waiter = threading.Thread(target=lock.acquire, name="waits for the lock")
    probe.start(trace)
    waiter.start()
    stage.asleep(waiter.native_id)
    handle, tid = stage.start_native(None, "asker", PAIRS)
    if sys._is_gil_enabled():
        stage.asleep_attached(tid)
    probe.stop()
    lock.release()
    waiter.join()
    stage.join_native(handle)
    return {"main": threading.get_native_id(), "lock": waiter.native_id, "gil": tid}


@scenario
def own_gils(trace: str) -> dict[str, object]:
    """Subinterpreters with a GIL of their own: one made before the session, others during it."""
    code = f"import time\nfor _ in range({SLEEPS}): time.sleep(0.001)\n"
    ids = [_interpreters.create("isolated")]
    _interpreters.exec(ids[0], "import time")

    def work(number: int) -> None:
        _interpreters.exec(number, code)

    probe.start(trace)
    ids += [_interpreters.create("isolated") for _ in range(2)]
    threads = [threading.Thread(target=work, args=(number,)) for number in ids]
    start_all(threads)
    for number in ids:
        _interpreters.destroy(number)
    probe.stop()
    return {"ids": [int(number) for number in ids], "tids": [t.native_id for t in threads]}


@scenario
def shared_gil(trace: str) -> dict[str, object]:
    """A subinterpreter that shares the main one's GIL."""
    number = _interpreters.create("legacy")
    probe.start(trace)
    _interpreters.exec(number, "import time; time.sleep(0.001)")
    _interpreters.destroy(number)
    return probe.stop()


if __name__ == "__main__":
    main()
