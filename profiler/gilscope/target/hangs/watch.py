"""Decides that a process hangs. It is left alone while it may still go on by itself.

Three things are a hang. Threads that wait for one another in a circle: each of them has to do
something before the one that it waits for can go on. A process of which all threads sleep without a
time limit in waits that only its own threads can end. And a thread that spins, which others need.
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from gilscope.errors import GilscopeError
from gilscope.target.hangs.explain import Report, cycle, explain, fork_of
from gilscope.target.hangs.picture import Picture
from gilscope.target.hangs.process import Process, field
from gilscope.target.hangs.sleepers import Sleepers
from gilscope.target.hangs.spinning import Spins
from gilscope.target.hangs.waits import find_waits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gilscope.target.hangs.picture import Thread

MOST_SHARE = 20
"""A closer look is taken again after so many times the processor time that the last one took."""

LEAST_PAUSE, MOST_PAUSE = 0.25, 30.0
"""Seconds until the same sleepers are looked at again."""

SLICED = ("gil", "pause", "paused")
HARMLESS_SIGNALS = {
    signal.SIGINT,  # handled by Python itself
    *(signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT),  # faulthandler
    *(32, 33),  # of the C library
}


class Watch:
    """Looks at one process again and again."""

    def __init__(self, pid: int, clock: Callable[[], float]) -> None:
        """Watch process ``pid``; ``clock`` returns seconds."""
        self.pid = pid
        self._clock = clock
        self._sleepers = Sleepers(pid)
        self._spins = Spins(pid)
        self._not_before = self._costly_until = 0.0
        self._known: Mapping[int, object] = {}
        self._patience = LEAST_PAUSE
        self._told: set[frozenset[object]] = set()

    @property
    def threads(self) -> int:
        """How many threads it had at the last look."""
        return self._sleepers.count

    @property
    def suspicious(self) -> bool:
        """Whether a thread has slept for so long that it takes a closer look."""
        return bool(self._known)

    def look(self) -> Report | None:
        """Look once; return a report of a hang that was not reported before.

        Raises:
            OSError: The process is gone.
        """
        now = self._clock()
        self._sleepers.look(now)
        old = self._sleepers.old(now)
        if old != self._known:
            self._known, self._patience = old, LEAST_PAUSE
            self._not_before = min(self._not_before, self._costly_until)
        if now < self._not_before and not self._spins.due(now):
            return None
        if not old:
            return None
        begin = time.process_time()
        try:
            report = self._closer(old)
        except (GilscopeError, OSError, ValueError):
            report = None  # it changed meanwhile, or may not be read
        cost, end = time.process_time() - begin, self._clock()
        # The same threads in the same waits are looked at again, but ever more seldom.
        self._costly_until = end + MOST_SHARE * cost
        self._not_before = max(end + self._patience, self._costly_until)
        self._patience = min(2 * self._patience, MOST_PAUSE)
        return report

    def _closer(self, old: Mapping[int, object]) -> Report | None:
        with Process(self.pid) as process:
            if _stopped(process):
                return None
            picture = Picture(process)
            find_waits(picture)
            circle = cycle(picture)
            if circle and not all(self._cannot_move(thread) for thread in circle):
                circle = []
            stuck = not circle and self._all_asleep(picture, old)
            spinning = 0 if circle or stuck else self._spins.spinning(picture, self._clock())
            if not circle and not stuck and not spinning:
                return None
            report = explain(picture, stuck=stuck, spinning=spinning)
            # What was read is true of one moment only if nobody has moved since.
            tasks = process.tasks()
            for thread in report.threads:
                moved = thread.tid not in tasks or not self._same(thread.tid, picture, process)
                if thread.stuck and moved and thread.tid != spinning:
                    return None
        what = frozenset((t.tid, old.get(t.tid)) for t in report.threads if t.stuck)
        if not report.kind or what in self._told:
            return None
        self._told.add(what)
        return report

    def _cannot_move(self, thread: Thread) -> bool:
        """Whether a thread of a circle has slept for long, or waits in slices for one that has."""
        if thread.wait is not None and thread.wait.kind in SLICED:
            return True
        return self._sleepers.slept_through(thread.task)

    def _same(self, tid: int, picture: Picture, process: Process) -> bool:
        thread, now = picture.threads[tid], process.tasks().get(tid)
        if now is None:
            return False
        if thread.wait is not None and thread.wait.kind in SLICED:
            return True
        return now.wakes == thread.task.wakes

    def _all_asleep(self, picture: Picture, old: Mapping[int, object]) -> bool:
        """Whether no thread can ever go on, and nothing outside can change that."""
        threads = picture.threads.values()
        return (
            bool(threads)
            and all(t.wait is not None and not t.wait.ends for t in threads)
            and all(t.tid in old and self._cannot_move(t) for t in threads)
            and not _handles_signals(picture.process, forked=fork_of(picture) is not None)
        )


def _handles_signals(process: Process, *, forked: bool) -> bool:
    """Whether a signal from outside may set the program going.

    A forked child has its parent's handlers; what they are for is done by the parent.
    """
    status = (process.path / "status").read_text(errors="replace")
    caught = int(field(status, "SigCgt") or "0", 16)
    harmless = sum(1 << (number - 1) for number in HARMLESS_SIGNALS)
    return bool(caught & ~harmless) and not forked


def _stopped(process: Process) -> bool:
    """Whether a debugger, or a signal, holds the process."""
    status = (process.path / "status").read_text(errors="replace")
    return field(status, "State")[:1] in "Tt" or field(status, "TracerPid") not in ("0", "")
