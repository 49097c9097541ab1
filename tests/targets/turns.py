"""Threads that start, stop, copy, fork and load at the same time."""

from __future__ import annotations

import _imp
import contextlib
import ctypes
import importlib.machinery
import os
import random
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import stage
from scenario import main, scenario

import gilscope
from gilscope.errors import ProbeError
from gilscope.target.recording import session as probe

if TYPE_CHECKING:
    from collections.abc import Callable

NATIVE = probe._native()  # asked by children, which import nothing
ROUNDS = int(os.environ.get("TURNS_ROUNDS", "40"))
MANY = 100


def forked() -> int:
    """Fork a child that ends at once; return its status.

    It imports nothing: another thread may have been importing at the fork.
    """
    pid = os.fork()
    if pid == 0:
        os._exit(1 if NATIVE.running() else 0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def together(*bodies: Callable[[], object]) -> list[str]:
    """Run each body again and again in a thread of its own until the first has done its rounds."""
    end = threading.Event()
    failures: list[str] = []

    def repeat(body: Callable[[], object], rounds: int) -> None:
        try:
            while not end.is_set() and rounds != 0:
                body()
                rounds -= 1
        except BaseException as failure:  # noqa: BLE001 - told by the test
            failures.append(repr(failure))
        if rounds == 0:
            end.set()

    threads = [
        threading.Thread(target=repeat, args=(body, -1 if n else ROUNDS))
        for n, body in enumerate(bodies)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


@scenario
def profile_while_forking(trace: str) -> dict[str, object]:
    """A thread profiles again and again; two others fork, and one ends when it does."""
    statuses: set[int] = set()

    def profiled() -> None:
        with gilscope.profile(trace):
            stage.pairs(10)

    failures = together(profiled, lambda: statuses.add(forked()), lambda: statuses.add(forked()))
    return {"failures": failures, "statuses": sorted(statuses), "running": probe.running()}


@scenario
def everything_at_once(trace: str) -> dict[str, object]:
    """Starts, stops, snapshots, forks of both kinds, and libraries that are loaded and given up."""
    library = str(shutil.copy(stage.__file__, Path(trace).parent / "copy.so"))
    opener = ctypes.CDLL(str(Path(stage.__file__).with_name("libopener.so")))
    for function in (opener.opener_open, opener.opener_open_unseen):
        function.restype = ctypes.c_void_p
    opener.opener_close.argtypes = [ctypes.c_void_p]
    statuses: set[int] = set()

    def refused(body: Callable[[], object]) -> None:
        with contextlib.suppress(ProbeError):
            body()

    def load() -> None:
        for function in (opener.opener_open, opener.opener_open_unseen):
            opener.opener_close(function(os.fsencode(library)))

    failures = together(
        lambda: statuses.add(forked()),
        lambda: refused(lambda: probe.start(trace)),
        lambda: (time.sleep(random.random() / 200), refused(probe.stop)),  # noqa: S311
        lambda: refused(lambda: probe.snapshot(f"{trace}.copy")),
        lambda: statuses.add(opener.opener_fork()),
        load,
        lambda: stage.pairs(100),
    )
    refused(probe.stop)
    return {"failures": failures, "statuses": sorted(statuses), "running": probe.running()}


@scenario
def starts_beside_imports(trace: str) -> dict[str, object]:
    """A thread imports extension modules, each of which has the GIL on for a moment."""
    spec = importlib.machinery.BuiltinImporter.find_spec("_tokenize")
    done = threading.Event()

    def imports() -> None:
        while not done.is_set():
            _imp.create_builtin(spec)

    thread = threading.Thread(target=imports)
    thread.start()
    failures: set[str] = set()
    for _ in range(MANY):
        for body in (lambda: probe.start(trace), probe.stop):
            try:
                body()
            except ProbeError as error:
                failures.add(str(error))
    done.set()
    thread.join()
    return {"failures": sorted(failures), "running": probe.running()}


@scenario
def stop_in_a_handler(trace: str) -> dict[str, object]:
    """A signal's handler stops and starts, also in the middle of a start or a stop."""
    outcomes: set[str] = set()

    def handler(*_: object) -> None:
        for body in (probe.stop, lambda: probe.start(trace)):
            try:
                body()
            except ProbeError as error:
                outcomes.add(str(error))

    signal.signal(signal.SIGALRM, handler)
    for _ in range(ROUNDS):
        for body in (lambda: probe.start(trace), probe.stop):
            # Once a call: the handler takes longer than it.
            signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0001, 0.02))  # noqa: S311
            with contextlib.suppress(ProbeError):
                body()
            signal.setitimer(signal.ITIMER_REAL, 0)
    with contextlib.suppress(ProbeError):
        probe.stop()
    return {"outcomes": sorted(outcomes), "running": probe.running()}


if __name__ == "__main__":
    sys.setswitchinterval(0.0005)
    main()
