"""How often the threads of another process change on the processors."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

MOST_A_SECOND = 1000
"""Changes: beyond that the kernel's samples would cost more than 1 % of a processor. At each it
stops the timer of one thread and starts that of the next, 13 µs on a virtual machine."""

EACH_S = 0.25
"""Between two looks."""


class Switches:
    """Tells whether the threads of a process change too often to be sampled.

    Args:
        pid: Of the process.
    """

    def __init__(self, pid: int) -> None:
        self._tasks = Path(f"/proc/{pid}/task")
        self._time = time.monotonic()
        self._counts = self._read()
        self._often = False

    def often(self) -> bool:
        """Return whether there have been too many of late; half as many are few enough again."""
        now = time.monotonic()
        passed = now - self._time
        if passed >= EACH_S:
            counts = self._read()
            switches = sum(max(n - self._counts.get(tid, 0), 0) for tid, n in counts.items())
            self._time, self._counts = now, counts
            self._often = switches / passed > MOST_A_SECOND / (2 if self._often else 1)
        return self._often

    def _read(self) -> dict[str, int]:
        """Return how often each thread has got a processor."""
        counts = {}
        with contextlib.suppress(OSError):
            for task in self._tasks.iterdir():
                with contextlib.suppress(OSError, ValueError, IndexError):
                    counts[task.name] = int((task / "schedstat").read_bytes().split()[2])
        return counts
