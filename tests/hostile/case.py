"""What the cases share: ``python MODULE CASE SEED SECONDS TRACE`` runs one; TRACE "-": no probe."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FunctionType, ModuleType

type Case = Callable[["Stage"], dict[str, Any]]
"""Does the worst and returns facts, which must be the same with the probe as without it."""

CASES: dict[str, Case] = {}
MAX_BYTES = 64 << 20
LEFT = 3
"""Traces whose names take turns."""
# Several threads start and stop at once, and all but one are refused so.
EXPECTED = re.compile(r"runs already|is running|already records|does not run|not running")
BUSY = re.compile(r"another thread is starting or stopping")
SKIPPED = "skipped"


def case(function: Case) -> Case:
    """Register a case under its function's name."""
    CASES[function.__name__] = function
    return function


class Stage:
    """The random numbers, the time and the probe (or none) of one run of a case."""

    def __init__(self, seed: int, seconds: float, trace: str) -> None:
        self.random = random.Random(seed)  # noqa: S311 (to be had again from its seed)
        self.ends = time.monotonic() + seconds
        self.trace = trace
        self._asked = threading.local()
        self.refusals: list[str] = []
        self.started = 0
        self.tolerant = False
        """Whether the probe may refuse for other reasons, where the machine gives it nothing."""
        if self.recorded:
            self.probe().running()  # loads what is native
            # Loaded by the first session that follows children. A thread that forks in the middle
            # of any import leaves its child with a module that is never complete.
            from multiprocessing import spawn, util  # noqa: F401, PLC0415

    @staticmethod
    def probe() -> ModuleType:
        """The probe. Without it, nothing of gilscope is loaded."""
        from gilscope.target.recording import session  # noqa: PLC0415

        return session

    @property
    def recorded(self) -> bool:
        """Whether there is a probe in this run."""
        return self.trace != "-"

    def go_on(self) -> bool:
        """Whether there is time left; once in each thread there is, however busy the machine is."""
        if not getattr(self._asked, "once", False):
            self._asked.once = True
            return True
        return time.monotonic() < self.ends

    def pause(self, most_us: int = 2000) -> None:
        """Sleep for a random time."""
        time.sleep(self.random.randrange(most_us + 1) / 1e6)

    def path(self) -> str:
        """The next session's trace."""
        self.started += 1
        return f"{self.trace}.{os.getpid()}.{self.started % LEFT}"

    def start(self, **options: Any) -> None:
        """Start the probe, if there is one."""
        if self.recorded:
            self._try(self.probe().start, self.path(), max_bytes=MAX_BYTES, **options)

    def stop(self) -> None:
        """Stop the probe, if it runs."""
        if self.recorded:
            self._try(self.probe().stop)

    def snapshot(self) -> None:
        """Copy what is recorded so far."""
        if self.recorded:
            self._try(self.probe().snapshot, f"{self.trace}.snapshot")

    def _try(self, function: FunctionType, *args: Any, **options: Any) -> None:
        from gilscope.errors import ProbeError  # noqa: PLC0415

        try:
            function(*args, **options)
        except ProbeError as error:
            # A start or a copy that came second may be tried again. A stop must wait for its turn.
            busy = BUSY.search(str(error)) and function.__name__ != "stop"
            if not (self.tolerant or busy or EXPECTED.search(str(error))):
                self.refusals.append(f"{function.__name__}: {error}")

    def cycle(self) -> None:
        """One session of random length, or what is left of another thread's."""
        self.start(
            ring=self.random.random() < 0.5,
            follow_children=self.random.random() < 0.3,
            native_locks=self.random.random() < 0.8,
        )
        self.pause()
        if self.random.random() < 0.5:
            self.snapshot()
        self.pause()
        self.stop()

    def cycles(self) -> None:
        """Sessions one after another until the time is over."""
        while self.go_on():
            self.cycle()
            self.pause(500)

    @contextlib.contextmanager
    def sessions(self, threads: int = 1) -> Iterator[None]:
        """Start and stop in so many threads meanwhile; nothing runs afterwards."""
        with company([self.cycles] * threads):
            yield
        self.stop()

    @contextlib.contextmanager
    def contention(self, threads: int = 2) -> Iterator[None]:
        """Let threads wait for the GIL, for a lock and for each other's objects meanwhile."""
        lock = threading.Lock()
        shared: dict[int, int] = {}

        def work() -> None:
            while self.go_on():
                with lock:
                    shared[len(shared) % 7] = sum(range(200))
                time.sleep(0)

        with company([work] * threads):
            yield


@contextlib.contextmanager
def company(functions: list[Callable[[], object]]) -> Iterator[None]:
    """Run functions in threads meanwhile, and wait for their end."""
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join()


def main() -> None:
    """Run the case that the command line names, and print its facts."""
    name, seed, seconds, trace = sys.argv[1:]
    sys.path.append(str(Path(__file__).parent))
    stage = Stage(int(seed), float(seconds), trace)
    facts = CASES[name](stage)
    print(json.dumps({**facts, "refused": sorted(set(stage.refusals))}), flush=True)
