"""Which threads have slept in the same wait for so long that a closer look pays.

This is done several times a second while a program runs: it reads one small file a thread, and
nothing of the program's memory.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gilscope.target.hangs.loop_waits import is_endless
from gilscope.target.hangs.process import KernelWait, Task, kernel_wait, read_task

OLD_SECONDS = 1.5
"""How long a thread is in the same wait before somebody asks what it waits for."""

SLICED_OLD_SECONDS = 0.5
"""The same for one that waits in slices: whoever keeps it waiting is observed from then on."""

SLICES = "slices"
MOST_MISSES = 8
"""How often a thread that waits in slices may be found awake before it has gone on."""

_SETTLED_SECONDS = 0.4  # before it is noted how often a thread has slept

type Key = tuple[object, ...]


@dataclass
class _Sleep:
    key: Key
    since: float
    wakes: tuple[int, int] | None = None  # as soon as it has settled
    settled: float = 0.0
    misses: int = 0


class Sleepers:
    """The threads of one process that sleep in futexes, or in event loops."""

    def __init__(self, pid: int) -> None:
        self._tasks = f"/proc/{pid}/task"
        self._found: dict[int, _Sleep] = {}
        self._now = 0.0
        self.count = 0

    def look(self, now: float) -> None:
        """Look at all threads once.

        Raises:
            OSError: The process is gone.
        """
        names = os.listdir(self._tasks)  # noqa: PTH208 - names are wanted
        self.count = len(names)
        self._now = now
        found = {}
        for name in names:
            key = self._key(name)
            tid = int(name)
            before = self._found.get(tid)
            if key is None:
                # Between two slices a thread is awake, on a busy machine for a while.
                if before and before.key[0] == SLICES and before.misses < MOST_MISSES:
                    before.misses += 1
                    found[tid] = before
                continue
            sleep = before if before and before.key == key else _Sleep(key, now)
            if sleep.wakes is None and now - sleep.since >= _SETTLED_SECONDS:
                task = read_task(Path(self._tasks) / name)
                sleep.wakes, sleep.settled = (task.wakes if task else None), now
            sleep.misses = 0
            found[tid] = sleep
        self._found = found

    def _key(self, name: str) -> Key | None:
        try:
            with open(f"{self._tasks}/{name}/syscall") as file:  # noqa: PTH123 - in a hot loop
                wait = kernel_wait(file.read())
        except (OSError, ValueError):
            return None
        return key_of(wait)

    def old(self, now: float) -> dict[int, Key]:
        """Return the threads that have been in the same wait for long."""
        return {
            tid: sleep.key
            for tid, sleep in self._found.items()
            if now - sleep.since >= (SLICED_OLD_SECONDS if sleep.key[0] == SLICES else OLD_SECONDS)
        }

    def slept_through(self, task: Task) -> bool:
        """Whether a thread has not woken since it was first seen in the wait that it is in now.

        One that has woken may have gone on, and come back to a wait at the same place for something
        else: it counts from now on.
        """
        sleep = self._found.get(task.tid)
        if sleep is None or sleep.key != key_of(task.wait):
            return False
        if sleep.wakes == task.wakes:
            return True
        if sleep.wakes is not None and sleep.key[0] != SLICES:
            self._found[task.tid] = _Sleep(sleep.key, self._now)
        return False


def key_of(wait: KernelWait) -> Key | None:
    """Return what is the same as long as a thread is in one wait; None if it is in no such wait.

    Waits for the GIL and for a pause come in slices, each with a time limit of its own. An event
    loop may wait for files without one.
    """
    if not wait.futex:
        return ("sleeps", wait.args[:4], wait.sp, wait.pc) if is_endless(wait) else None
    if wait.timed:
        return (SLICES, wait.futex, wait.sp)
    return ("sleeps", wait.args[:4], wait.sp, wait.pc)
