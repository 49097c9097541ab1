"""Programs that must run under the probe as they run without it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import stage
from scenario import main, scenario, start_all

from gilscope import GilscopeError, profile
from gilscope.target.recording import session as probe

PAIRS = 200
KEPT: list[object] = []
"""Handles of threads that outlive the main one."""


def contended(ask: str) -> int:
    """Return errno after native code has waited for what the thread that runs this holds."""
    seen: list[int] = []
    waiter = threading.Thread(target=lambda: seen.append(getattr(stage, ask)()), name="waiter")
    waiter.start()
    stage.asleep(waiter.native_id)
    if ask == "errno_of_mutex":
        stage.unlock_mutex()
    else:
        seen.append(stage.unlock_thread_lock())
    waiter.join()
    return max(seen, key=lambda value: value != stage.SENTINEL)


@scenario
def errno(trace: str) -> dict[str, object]:
    """Native code looks at errno after it waited for the GIL and for locks."""
    if trace:
        probe.start(trace)
    stage.lock_mutex()
    mutex = contended("errno_of_mutex")
    stage.lock_thread_lock()
    lock = contended("lock_thread_lock")
    gils: list[int] = []
    busy = [
        threading.Thread(target=lambda: gils.extend(stage.errno_of_gil() for _ in range(300)))
        for _ in range(3)
    ]
    start_all(busy)
    if trace:
        probe.stop()
    wrong = [value for value in gils if value != stage.SENTINEL]
    return {"mutex": mutex, "lock": lock, "gil": wrong, "same": stage.SENTINEL}


@scenario
def signals(trace: str) -> dict[str, object]:
    """A handler runs every millisecond while threads contend for the GIL and a lock."""
    lock = threading.Lock()
    counts = {"signals": 0, "work": 0}

    def handle(*_: object) -> None:
        counts["signals"] += 1

    def work() -> None:
        for _ in range(2000):
            stage.pairs(2)
            with lock:
                counts["work"] += 1

    signal.signal(signal.SIGALRM, handle)
    with profile(trace):
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        while counts["signals"] < 50:
            start_all([threading.Thread(target=work) for _ in range(3)])
        signal.setitimer(signal.ITIMER_REAL, 0)
    return {"odd": counts["work"] % 6000}


@scenario
def exception(trace: str) -> None:
    """The profiled block raises."""
    with profile(trace):
        stage.pairs(PAIRS)
        raise LookupError("the program's own")


@scenario
def exit_status(trace: str) -> None:
    """The program ends itself with a status of its own, and never stops the probe."""
    probe.start(trace)
    stage.pairs(PAIRS)
    print("last words")
    sys.exit(7)


@scenario
def os_exit(trace: str) -> None:
    """The program leaves without any clean-up."""
    probe.start(trace)
    stage.pairs(PAIRS)
    os._exit(3)


@scenario
def daemons(trace: str) -> dict[str, object]:
    """Daemon threads hold, want and wait for things when the interpreter ends."""
    lock = threading.Lock()
    lock.acquire()

    def spin() -> None:
        while True:
            stage.pairs(1)

    probe.start(trace)
    threads = [threading.Thread(target=spin, daemon=True) for _ in range(3)]
    threads.append(threading.Thread(target=lock.acquire, daemon=True))
    for thread in threads:
        thread.start()
    stage.asleep(threads[-1].native_id)
    return {"threads": len(threads)}


def child_of(parent: str, trace: str) -> int:
    """What a forked child does: enters Python often, starts threads, records itself, ends."""
    stage.pairs(5000)
    start_all([threading.Thread(target=stage.pairs, args=(10,), name="of the child")] * 1)
    if probe.running():
        return 1
    probe.start(trace)
    stage.pairs(PAIRS)
    probe.stop()
    return 0 if os.getpid() != int(parent) else 2


def forked(trace: str) -> int:
    """Fork a child that ends with 0 if all went well there; return its status."""
    parent = str(os.getpid())
    pid = os.fork()
    if pid == 0:
        status = 99
        try:
            status = child_of(parent, f"{trace}.{os.getpid()}")
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@scenario
def fork(trace: str) -> dict[str, object]:
    """A child is forked from a program of one thread."""
    probe.start(trace)
    stage.pairs(PAIRS)
    status = forked(trace)
    stage.pairs(PAIRS)
    probe.stop()
    return {"statuses": [status], "pairs": 2 * PAIRS, "main": threading.get_native_id()}


@scenario
def fork_among_threads(trace: str) -> dict[str, object]:
    """Children are forked while other threads contend for the GIL and for a lock."""
    done = threading.Event()
    lock = threading.Lock()

    def work() -> None:
        while not done.is_set():
            with lock:
                stage.pairs(2)
            time.sleep(0.0002)  # no more events than find room

    threads = [threading.Thread(target=work) for _ in range(3)]
    probe.start(trace)
    for thread in threads:
        thread.start()
    statuses = [forked(trace) for _ in range(8)]
    done.set()
    for thread in threads:
        thread.join()
    probe.stop()
    return {"statuses": statuses, "main": threading.get_native_id()}


def square(x: int) -> int:
    """Work for a process of its own."""
    return x * x


def pool(trace: str, method: str) -> dict[str, object]:
    """Let two worker processes compute."""
    probe.start(trace)
    with multiprocessing.get_context(method).Pool(2) as workers:
        squares = workers.map(square, range(20))
    probe.stop()
    return {"sum": sum(squares), "expected": sum(map(square, range(20)))}


@scenario
def multiprocessing_fork(trace: str) -> dict[str, object]:
    """Worker processes by fork."""
    return pool(trace, "fork")


@scenario
def multiprocessing_spawn(trace: str) -> dict[str, object]:
    """Worker processes by spawn."""
    return pool(trace, "spawn")


@scenario
def subprocesses(trace: str) -> dict[str, object]:
    """Programs are started, by vfork and by fork."""
    command = [sys.executable, "-c", "print(6 * 7)"]
    with profile(trace):
        plain = subprocess.run(command, capture_output=True, text=True, check=True)
        session = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=True,
            preexec_fn=os.getpid,
        )
    return {"outputs": [plain.stdout, session.stdout]}


@scenario
def nothing_to_follow_with(trace: str) -> dict[str, object]:
    """Ask for the children's traces where multiprocessing cannot be loaded, then record without."""
    sys.modules["multiprocessing"] = None  # type: ignore[assignment]
    said = ""
    try:
        with profile(trace, follow_children=True):
            pass
    except GilscopeError as error:
        said = str(error).partition(":")[0]
    with profile(trace):
        stage.pairs(PAIRS)
    return {"said": said}


@scenario
def subinterpreter(trace: str) -> dict[str, object]:
    """Another interpreter with a GIL of its own runs in a thread."""
    import _interpreters  # noqa: PLC0415 - not there in every version

    code = "import threading; t = threading.Thread(target=sum, args=([1],)); t.start(); t.join()"
    other = _interpreters.create()
    errors: list[object] = []
    with profile(trace):
        threads = [threading.Thread(target=lambda: errors.append(_interpreters.exec(other, code)))]
        start_all(threads)
        stage.pairs(PAIRS)
    _interpreters.destroy(other)
    return {"errors": [repr(error) for error in errors if error is not None]}


@scenario
def subinterpreters_come_and_go(trace: str) -> dict[str, object]:
    """They are made and ended in threads while other sessions begin and end."""
    import _interpreters  # noqa: PLC0415 - not there in every version

    errors: list[object] = []
    goes_on = True

    def others() -> None:
        while goes_on:
            other = _interpreters.create()
            errors.append(_interpreters.exec(other, "len({}.copy())"))
            _interpreters.destroy(other)

    threads = [threading.Thread(target=others) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        with profile(trace):
            stage.pairs(PAIRS)
    goes_on = False
    for thread in threads:
        thread.join()
    return {"errors": [repr(error) for error in errors if error is not None]}


@scenario
def native_threads_at_the_end(trace: str) -> dict[str, object]:
    """Native threads go in and out of Python, and one sleeps in it, when the interpreter ends."""
    probe.start(trace)
    KEPT.extend(stage.start_native(None, f"busy-{i}", 1 << 30) for i in range(3))
    lock = threading.Lock()
    lock.acquire()
    KEPT.append(stage.start_native(lock.acquire, "sleeps", 0))
    time.sleep(0.05)
    return {}


if __name__ == "__main__":
    main()
