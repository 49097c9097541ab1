"""Threads that keep others waiting while they spin, as far as that can be told from outside.

A loop that waits by sched_yield() or by short sleeps spends its time in the kernel, without input,
output and page faults. One that only computes looks like work, and is taken for work.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gilscope.target.hangs.picture import Picture

SPIN_SECONDS = 1.0
_KERNEL_SHARE = 0.4  # of a processor's time, that a thread spends in the kernel when it only yields
_SLEEPS = 25  # short sleeps in that time, of a loop that looks again and again
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class _Count:
    """What a thread has done so far.

    Attributes:
        at: When, seconds.
        state: Address of the thread state that it was attached by.
        kernel: Seconds in the kernel.
        user: Seconds outside of it.
        faults: Page faults.
        calls: Reads and writes.
        sleeps: How often it gave the processor up.
    """

    at: float
    state: int
    kernel: float
    user: float
    faults: int
    calls: int
    sleeps: int


class Spins:
    """Observes the threads of one process that others wait for."""

    def __init__(self, pid: int) -> None:
        self._tasks = Path(f"/proc/{pid}/task")
        self._first: dict[int, _Count] = {}
        self._next = 0.0

    def due(self, now: float) -> bool:
        """Whether a thread is observed and it is time to look at it again."""
        return bool(self._first) and now >= self._next

    def spinning(self, picture: Picture, now: float) -> int:
        """Return the thread that others wait for all the while and that only spins; else 0."""
        wanted = {
            tid
            for thread in picture.threads.values()
            if thread.wait and thread.wait.kind in ("gil", "pause")
            for tid in thread.wait.owners
        }
        found, first = 0, {}
        for tid in wanted & picture.threads.keys():
            thread = picture.threads[tid]
            if thread.wait is not None and thread.wait.kind != "call":
                continue
            count = self._count(tid, now, thread.states[0].address if thread.states else 0)
            if count is None:
                continue
            before = self._first.get(tid)
            same = before is not None and before.state == count.state
            first[tid] = before if same and before else count
            if same and before and now - before.at >= SPIN_SECONDS and _spun(before, count):
                found = tid
        self._first, self._next = first, now + SPIN_SECONDS / 2
        return found

    def _count(self, tid: int, now: float, state: int) -> _Count | None:
        task = self._tasks / str(tid)
        try:
            stat = (task / "stat").read_text(errors="replace").rpartition(")")[2].split()
            lines = (task / "io").read_text().splitlines()
            status = (task / "status").read_text(errors="replace").splitlines()
        except (OSError, ValueError):
            return None
        io = dict(line.split(": ") for line in lines)
        sleeps = sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)
        return _Count(
            now,
            state,
            int(stat[12]) / _TICKS,
            int(stat[11]) / _TICKS,
            int(stat[7]) + int(stat[9]),
            int(io["syscr"]) + int(io["syscw"]),
            sleeps,
        )


def _spun(before: _Count, now: _Count) -> bool:
    """Whether a thread did nothing but ask the kernel for time, or for others to have some."""
    if now.calls != before.calls or now.faults - before.faults > 1:
        return False
    kernel, user = now.kernel - before.kernel, now.user - before.user
    yields = kernel >= _KERNEL_SHARE * (now.at - before.at) and kernel >= user
    naps = now.sleeps - before.sleeps >= _SLEEPS and kernel + user < (now.at - before.at) / 2
    return yields or naps
