"""The machine while the arms ran: the usable processors, and how much other processes used."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gilscope.errors import UsageError
from gilscope.results.conditions import Conditions

if TYPE_CHECKING:
    from collections.abc import Collection

STAT = Path("/proc/stat")
IDLE_FIELDS = (3, 4)  # idle, iowait; see proc_stat(5)
GUEST_FIELDS = (8, 9)  # counted in user and nice already


def usable_cpus(wanted: Collection[int] = ()) -> tuple[int, ...]:
    """Return the processors for the workers: those ``wanted``, or all that this process may use.

    Raises:
        UsageError: One of them does not exist here.
    """
    own = os.sched_getaffinity(0)
    if missing := sorted(set(wanted) - own):
        have = ", ".join(map(str, sorted(own)))
        raise UsageError(f"processor {missing[0]} is not available; choose from {have}")
    return tuple(sorted(set(wanted) or own))


class Watch:
    """Observes the machine from its making to :meth:`finish`."""

    def __init__(self, cpus: tuple[int, ...]) -> None:
        """Begin to observe what happens on ``cpus``."""
        self._cpus = cpus
        self._load = os.getloadavg()
        self._busy = _busy_seconds(cpus)
        self._own = _own_seconds()
        self._begin = time.monotonic()

    def finish(self) -> Conditions:
        """Return what was observed."""
        return Conditions(self._cpus, self._load, os.getloadavg(), self._others())

    def _others(self) -> float | None:
        busy = _busy_seconds(self._cpus)
        if busy is None or self._busy is None:
            return None
        elapsed = max(time.monotonic() - self._begin, 1e-3)
        others = (busy - self._busy) - (_own_seconds() - self._own)
        return min(max(others / elapsed, 0.0), float(len(self._cpus)))


def _own_seconds() -> float:
    """Return the processor time of this process and of all its children that have ended."""
    return sum(os.times()[:4])


def _busy_seconds(cpus: Collection[int]) -> float | None:
    """Return how long these processors were busy since the system's start, stolen time included."""
    try:
        lines = STAT.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    names = {f"cpu{number}" for number in cpus}
    found = [line.split()[1:] for line in lines if line.partition(" ")[0] in names]
    if len(found) < len(names):
        return None
    left_out = {*IDLE_FIELDS, *GUEST_FIELDS}
    ticks = sum(
        int(value) for row in found for place, value in enumerate(row) if place not in left_out
    )
    return ticks / os.sysconf("SC_CLK_TCK")
