"""A thread keeps the GIL in native code while another one wants it again and again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import keeper
from scenario import main, scenario

from gilscope.target.recording import session as probe

if TYPE_CHECKING:
    from collections.abc import Callable

COMPUTE_MS, ROUNDS, TURNS = 40, 5, 60


def wanted(trace: str, keep: Callable[[], object]) -> object:
    """Record while one thread keeps the GIL and another one wants it; what the first one gives."""
    over = threading.Event()

    def want() -> None:
        while not over.is_set():
            time.sleep(0.0005)

    probe.start(trace)
    thread = threading.Thread(target=want, name="wanting")
    thread.start()
    result = keep()
    over.set()
    thread.join()
    probe.stop()
    return result


def compute() -> None:
    """Compute with the GIL held."""
    for _ in range(ROUNDS):
        keeper.compute(COMPUTE_MS)
        time.sleep(0.001)


def is_handled() -> bool:
    """Whether the process has a handler for SIGURG, its own or ours."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    caught = next(line for line in lines if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGURG - 1) & 1)


@scenario
def computing(trace: str) -> object:
    """In native code of an extension."""
    return wanted(trace, compute)


@scenario
def asleep(trace: str) -> object:
    """In a system call."""
    return wanted(trace, lambda: [keeper.doze(COMPUTE_MS) for _ in range(ROUNDS)])


@scenario
def in_turns(trace: str) -> object:
    """Now and then in a system call: how many of these were interrupted."""
    return wanted(trace, lambda: keeper.turns(TURNS))


@scenario
def sorting(trace: str) -> object:
    """In native code of the interpreter."""
    values = [str(i * 7919 % 1_000_003) for i in range(400_000)]
    return wanted(trace, lambda: len(sorted(values)))


@scenario
def handled(trace: str) -> object:
    """In a program that has a handler for the signal: how often that was called."""
    calls: list[int] = []
    signal.signal(signal.SIGURG, lambda number, _: calls.append(number))
    wanted(trace, compute)
    return [len(calls), is_handled()]


@scenario
def handled_later(trace: str) -> object:
    """In a program that installs one while it is recorded."""
    calls: list[int] = []

    def keep() -> None:
        compute()
        signal.signal(signal.SIGURG, lambda number, _: calls.append(number))
        time.sleep(0.02)  # what was on its way
        calls.clear()
        compute()

    wanted(trace, keep)
    return [len(calls), is_handled()]


@scenario
def blocked(trace: str) -> object:
    """In a thread that blocks the signal: what it would find waiting."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGURG})
    wanted(trace, compute)
    return [signal.SIGURG in signal.sigpending(), is_handled()]


@scenario
def in_a_child(trace: str) -> object:
    """In a program that forks meanwhile: whether the child, and what it runs, has a handler."""
    code = "import signal; print(signal.getsignal(signal.SIGURG) == signal.SIG_DFL)"
    found: list[object] = []

    def keep() -> None:
        compute()
        child = os.fork()
        if child == 0:
            os._exit(is_handled())
        found.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        found.append(done.stdout.decode().strip())
        compute()

    wanted(trace, keep)
    return [*found, is_handled()]


if __name__ == "__main__":
    main()
