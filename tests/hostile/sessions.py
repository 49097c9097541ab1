"""Sessions one after another: a program that is recorded ten thousand times is what it was."""

from __future__ import annotations

import gc
import os
import threading
import time
from pathlib import Path
from typing import Any

from case import Stage, case, main

WARM = 20
"""Sessions after which everything is there that the probe makes once a process."""

PATIENCE_S = 5.0

MOST_GROWTH = 2 << 20
"""Bytes by which the memory may grow, whatever the number of sessions: the allocator's own."""


def own_memory() -> int:
    """Bytes of memory that this process alone has."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def counted() -> dict[str, int]:
    """What a session must give back: descriptors and threads."""
    names = {"descriptors": "fd", "threads": "task"}
    return {what: len(list(Path("/proc/self", name).iterdir())) for what, name in names.items()}


def settled(before: dict[str, int]) -> dict[str, int]:
    """Count again until it is as before: the system forgets an ended thread a moment later."""
    ends = time.monotonic() + PATIENCE_S
    while (now := counted()) != before and time.monotonic() < ends:
        time.sleep(0.01)
    return {what: n - before[what] for what, n in now.items() if n != before[what]}


@case
def many_sessions(stage: Stage) -> dict[str, Any]:
    """One session after another, HOSTILE_SESSIONS of them, some with threads that contend."""
    wanted = int(os.environ.get("HOSTILE_SESSIONS", "100"))
    lock = threading.Lock()

    def work() -> None:
        for _ in range(20):
            with lock:
                sum(range(200))

    def session(number: int) -> None:
        stage.start(ring=number % 2 == 0, native_locks=number % 3 != 0)
        if number % 10 == 0:
            threads = [threading.Thread(target=work) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        if number % 25 == 0:
            stage.snapshot()
        stage.stop()

    for number in range(WARM):
        session(number)
    gc.collect()
    before, memory = counted(), own_memory()
    for number in range(wanted):
        session(number)
    gc.collect()
    grown = own_memory() - memory
    return {"left": settled(before), "grown": grown if grown > MOST_GROWTH else 0}


if __name__ == "__main__":
    main()
