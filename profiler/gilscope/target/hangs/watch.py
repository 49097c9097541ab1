"""Decides that a process hangs. It is left alone while it may still go on by itself.

Four things are a hang. Threads that wait for one another in a circle: each of them has to do
something before the one that it waits for can go on. A process of which all threads sleep without a
time limit in waits that only its own threads can end. A thread that ends the interpreter and waits
for another one: no other one runs Python any more. And a thread that spins, which others need.
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from gilscope.errors import GilscopeError
from gilscope.target.hangs.explain import Report, cycle, explain
from gilscope.target.hangs.forks import fork_of
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

AGAIN_SECONDS = 0.02
"""Until the GIL is looked at again."""

SLICED = ("gil", "pause", "paused")
PYTHONS = ("lock", "event", "future", "import", "join")
"""Kinds of waits that only a thread which runs Python can end."""

HARMLESS_SIGNALS = {
    signal.SIGINT,  # handled by Python itself
    *(signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT),  # faulthandler
    *(32, 33),  # of the C library
}
PROBES_SIGNAL = signal.SIGURG
"""By it the probe has a thread that keeps the GIL take its stack (hooks/hold_samples.cpp)."""


class Watch:
    """Looks at one process again and again."""

    def __init__(self, pid: int, clock: Callable[[], float], *, only_end: bool = False) -> None:
        """Watch process ``pid``.

        Args:
            pid: The process.
            clock: Returns seconds.
            only_end: Report nothing but hangs at the end of the interpreter.
        """
        self.pid = pid
        self._clock, self._only_end = clock, only_end
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
            if self._only_end and not picture.interpreter.finalizing:
                return None
            find_waits(picture)
            ending = self._cannot_end(picture, old)
            circle = [] if ending else cycle(picture)
            if circle and not self._is_for_good(picture, circle, old):
                circle = []
            stuck = not ending and not circle and self._all_asleep(picture, old)
            found = bool(circle or ending) or stuck or self._is_abandoned(picture, old)
            spinning = 0 if found else self._spins.spinning(picture, self._clock())
            if not found and not spinning:
                return None
            report = explain(picture, stuck=stuck, spinning=spinning, ending=ending)
            # What was read is true of one moment only if nobody has moved since.
            tasks = process.tasks()
            for thread in report.threads:
                moved = thread.tid not in tasks or not self._same(thread.tid, picture, process)
                if thread.stuck and moved and thread.tid != spinning:
                    return None
        asleep = (picture.threads[thread.tid] for thread in report.threads if thread.stuck)
        # Who waits in slices is awake now and then: it is the same hang all the same.
        what = frozenset((t.tid, None if _sliced(t) else old.get(t.tid)) for t in asleep)
        if not report.kind or what in self._told:
            return None
        self._told.add(what)
        return report

    def _is_for_good(
        self, picture: Picture, circle: list[Thread], old: Mapping[int, object]
    ) -> bool:
        """Whether a circle is one, and not threads that take turns while their memory is read.

        Some of its threads wait in slices, for the GIL or for a pause: whoever they wait for has
        slept all the while, and so has had the GIL, or been attached, all the while. Only that it
        had the GIL has to be looked at twice: who takes it says so a moment later.
        """
        sleepers = [thread for thread in circle if not _sliced(thread)]
        if not sleepers or not all(thread.tid in old for thread in sleepers):
            return False
        if not all(self._cannot_move(thread) for thread in circle):
            return False
        if not any(t.wait is not None and t.wait.kind == "gil" for t in circle):
            return True
        time.sleep(AGAIN_SECONDS)
        for state in (state for thread in circle for state in thread.states):
            before, now = picture.gils[state.interp], picture.interpreter.gil(state.interp)
            if before != now:
                return False
        return True

    def _is_abandoned(self, picture: Picture, old: Mapping[int, object]) -> bool:
        """Whether a thread waits for what belonged to one that does not exist any more."""
        return any(
            thread.wait is not None
            and thread.wait.lost
            and not thread.wait.ends
            and thread.tid in old
            and self._sleepers.slept_through(thread.task)
            for thread in picture.threads.values()
        )

    def _cannot_move(self, thread: Thread) -> bool:
        """Whether a thread of a circle has slept for long, or waits in slices for one that has."""
        return _sliced(thread) or self._sleepers.slept_through(thread.task)

    def _same(self, tid: int, picture: Picture, process: Process) -> bool:
        thread, now = picture.threads[tid], process.tasks().get(tid)
        if now is None:
            return False
        return _sliced(thread) or now.wakes == thread.task.wakes

    def _cannot_end(self, picture: Picture, old: Mapping[int, object]) -> int:
        """Return the thread that ends the interpreter, if it waits for another one; else 0.

        From then on all others end, or sleep for ever, when they want to run Python.
        """
        tid = picture.by_state.get(picture.interpreter.finalizing, 0)
        thread = picture.threads.get(tid)
        if thread is None or thread.wait is None or thread.wait.kind not in PYTHONS:
            return 0
        if thread.wait.ends or tid not in old or not self._cannot_move(thread):
            return 0
        return 0 if _handles_signals(picture.process) else tid

    def _all_asleep(self, picture: Picture, old: Mapping[int, object]) -> bool:
        """Whether no thread can ever go on, and nothing outside can change that."""
        threads = list(picture.threads.values())
        asleep = bool(threads) and all(
            thread.wait is not None
            and not thread.wait.ends
            and thread.tid in old
            and self._cannot_move(thread)
            for thread in threads
        )
        return asleep and (not _handles_signals(picture.process) or _waits_for_lock(picture))


def _sliced(thread: Thread) -> bool:
    """Whether a thread waits in slices, for the GIL or for a pause."""
    return thread.wait is not None and thread.wait.kind in SLICED


def _waits_for_lock(picture: Picture) -> bool:
    """Whether a forked child waits for a lock that nobody owns: nobody waits for signals so."""
    return fork_of(picture) is not None and any(
        thread.wait is not None and thread.wait.kind == "lock" and not thread.wait.owners
        for thread in picture.threads.values()
    )


def _handles_signals(process: Process) -> bool:
    """Whether a signal from outside may set the program going."""
    status = (process.path / "status").read_text(errors="replace")
    caught = int(field(status, "SigCgt") or "0", 16)
    recorded = any("/gilscope/_probe." in mapping.path for mapping in process.maps)
    numbers = HARMLESS_SIGNALS | ({PROBES_SIGNAL} if recorded else set())
    harmless = sum(1 << (number - 1) for number in numbers)
    return bool(caught & ~harmless)


def _stopped(process: Process) -> bool:
    """Whether a debugger, or a signal, holds the process."""
    status = (process.path / "status").read_text(errors="replace")
    return field(status, "State")[:1] in "Tt" or field(status, "TracerPid") not in ("0", "")
