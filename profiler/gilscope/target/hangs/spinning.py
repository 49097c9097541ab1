"""Threads that keep others waiting while they spin, as far as that can be told from outside.

A loop that waits by sched_yield() or by short sleeps spends its time in the kernel, without input,
output and page faults. One without system calls looks like work, but changes nothing (`registers`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gilscope.target.hangs.registers import waiting_loop

if TYPE_CHECKING:
    from gilscope.target.hangs.picture import Picture

SPIN_SECONDS = 1.2
_KERNEL_SHARE = 0.6  # of its time on a processor, that a thread which only yields is in the kernel
_LEAST_SECONDS = 0.05  # on a processor: less is counted too roughly
_SLEEPS = 40  # short sleeps in that time, of a loop that looks again and again
_FAULTS = 32  # page faults a second: the kernel takes pages away that it may want back
_USER_SHARE = 0.95  # of its time on a processor, that a loop without system calls is outside of it
_MOST_PAUSE = 32.0  # seconds until a thread that works is looked at again for such a loop
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class _Count:
    """What a thread has done so far.

    Attributes:
        at: When, seconds.
        switches: How often the GIL has gone to another thread.
        place: Stack pointer and program counter while it sleeps; zeros while it runs.
        kernel: Seconds in the kernel.
        user: Seconds outside of it.
        faults: Page faults.
        calls: Reads and writes.
        sleeps: How often it gave the processor up by itself.
    """

    at: float
    switches: tuple[int, ...]
    place: tuple[int, int]
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
        self._not_before: dict[int, tuple[float, float]] = {}

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
        found = 0
        # Whoever waits for one of them may be awake just now, between two slices.
        first = {
            tid: count
            for tid, count in self._first.items()
            if tid not in wanted and count.switches == _switches(picture)
        }
        for tid in wanted & picture.threads.keys():
            thread = picture.threads[tid]
            if thread.wait is not None and thread.wait.kind != "call":
                continue
            count = self._count(picture, tid, now)
            if count is None:
                continue
            before = self._first.get(tid)
            if before is None or before.switches != count.switches:
                before = count
            elif now - before.at >= SPIN_SECONDS:
                if _spun(before, count) or self._only_waits(picture, tid, before, count):
                    found = tid
                else:
                    before = count  # it did something else, too: looked at anew from here on
            first[tid] = before
        self._first = first
        self._next = min((count.at for count in first.values()), default=now) + SPIN_SECONDS
        return found

    def _only_waits(self, picture: Picture, tid: int, before: _Count, now: _Count) -> bool:
        """Whether a thread without system calls changes nothing; looked at ever more seldom."""
        due, pause = self._not_before.get(tid, (0.0, SPIN_SECONDS))
        if now.at < due or not _computed(before, now):
            return False
        self._not_before[tid] = now.at + pause, min(2 * pause, _MOST_PAUSE)
        place = waiting_loop(picture.process, tid)
        if place is not None:
            picture.threads[tid].native = picture.natives.stack(*place)
        return place is not None

    def _count(self, picture: Picture, tid: int, now: float) -> _Count | None:
        task = self._tasks / str(tid)
        try:
            stat = (task / "stat").read_text(errors="replace").rpartition(")")[2].split()
            lines = (task / "io").read_text().splitlines()
        except (OSError, ValueError):
            return None
        io = dict(line.split(": ") for line in lines)
        thread = picture.threads[tid]
        wait = thread.task.wait
        return _Count(
            now,
            _switches(picture),
            (wait.sp, wait.pc),
            int(stat[12]) / _TICKS,
            int(stat[11]) / _TICKS,
            int(stat[7]) + int(stat[9]),
            int(io["syscr"]) + int(io["syscw"]),
            thread.task.wakes[0],
        )


def _switches(picture: Picture) -> tuple[int, ...]:
    return tuple(gil.switches for gil in picture.gils.values())


def _grew(before: _Count, now: _Count) -> bool:
    """Whether a thread used memory that it had not used before, by the number of its page faults.

    A few there are for each thread while memory is short. They take microseconds each: they are not
    what one is in the kernel for.
    """
    return now.faults - before.faults > _FAULTS * (now.at - before.at)


def _computed(before: _Count, now: _Count) -> bool:
    """Whether a thread was outside of the kernel, and made no system calls that would show."""
    if now.calls != before.calls or _grew(before, now) or now.sleeps != before.sleeps:
        return False
    kernel, user = now.kernel - before.kernel, now.user - before.user
    return user >= _LEAST_SECONDS and user >= _USER_SHARE * (kernel + user)


def _spun(before: _Count, now: _Count) -> bool:
    """Whether a thread did nothing but ask the kernel for time, or for others to have some.

    One that waited for the GIL or for a pause in between would have slept, elsewhere.
    """
    if now.calls != before.calls or _grew(before, now):
        return False
    kernel, user = now.kernel - before.kernel, now.user - before.user
    sleeps = now.sleeps - before.sleeps
    if not sleeps:
        return kernel + user >= _LEAST_SECONDS and kernel >= _KERNEL_SHARE * (kernel + user)
    short = kernel + user < (now.at - before.at) / 2
    return sleeps >= _SLEEPS and short and now.place[0] != 0 and now.place == before.place
