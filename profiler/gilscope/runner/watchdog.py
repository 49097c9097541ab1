"""Detects a deadlock of the whole program: each of its threads waits for another one of them.

What the kernel tells in /proc decides. A thread cannot go on if it sleeps, without a time limit, in
a futex that only this process can wake; or if it waits for the GIL, which the interpreter does in
slices of some milliseconds. When all threads do so for a while, in the very same waits, nothing
can ever happen in the process again. Whatever else may end a wait makes a program not stuck: a time
limit, a file, a socket, another process, a signal that it handles.
"""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gilscope.target.hangs import words
from gilscope.target.hangs.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from gilscope.target.hangs.explain import Report

DUMP_SIGNAL = signal.SIGRTMAX - 1
"""Makes a worker write the Python stacks of all its threads down."""

SAMPLE_SECONDS = 0.25
STUCK_SECONDS = 2.0
"""How long nothing happens before a program is taken for stuck."""

MISSES, MISS_SECONDS = 8, 0.02
"""How often a process may be found awake before it is taken to have made progress, and how soon."""

LATER_SECONDS = 3.0
"""How long a hang that is known from memory is kept back for the sake of what the trace says."""

DUMP_SECONDS = 4.0
"""How long a process may take to write its stacks down."""

GIL_SLICE_SECONDS = 0.005
WAKES_ALLOWED = 2.0
"""Slices of a wait for the GIL are longer on a busy machine, never shorter; some margin."""

GIL_CPU_SHARE = 0.2
"""Share of a processor that a thread takes at most which only waits for the GIL."""

FUTEX = {"x86_64": 202, "aarch64": 98}.get(platform.machine())
FUTEX_PRIVATE, FUTEX_COMMAND = 128, 127
FUTEX_WAITS = (0, 6, 9, 13)  # WAIT, LOCK_PI, WAIT_BITSET, LOCK_PI2
KEEPER = "gilscope"  # name of the probe's own thread, which runs nothing of the program
HARMLESS_SIGNALS = {
    signal.SIGINT,  # handled by Python itself
    *(signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT),  # faulthandler
    *(32, 33),  # of the C library
    DUMP_SIGNAL,
    signal.SIGURG,  # the probe's, see native_probe/hooks/hold_samples.cpp
}


@dataclass(frozen=True)
class Sleep:
    """A thread that only another thread of the process can wake.

    Attributes:
        call: The system call with its arguments, stack pointer and place: the same in the same
            wait.
        joins: The thread that it waits for to end, as a join of native code does; else 0.
        for_gil: Whether it waits in slices for the GIL of the main interpreter.
        wakes: How often it went to sleep so far.
        cpu_ns: Processor time that it has taken.
    """

    call: tuple[str, ...]
    joins: int
    for_gil: bool
    wakes: int
    cpu_ns: int


type Sleeps = dict[int, Sleep]
"""By thread id: all threads of a process, none of which is awake."""


class Watchdog:
    """Looks at one process again and again, until it is stuck or has ended."""

    def __init__(
        self,
        stacks: Path,
        confirm: Callable[[Collection[int], float], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Watch.

        Args:
            stacks: The file that the process writes its stacks to when it is asked.
            confirm: Asked before a process is called stuck: whether all these threads have waited
                for the GIL for so many seconds.
            clock: Seconds.
        """
        self._stacks = stacks
        self._confirm = confirm
        self._clock = clock
        self._due = self._since = 0.0
        self._first: Sleeps = {}
        self._misses = 0
        self._patience = STUCK_SECONDS
        self._watch: Watch | None = None
        self._report: tuple[Report, float] | None = None

    def stuck(self, pid: int) -> bool:
        """Look at the process, unless that was done a moment ago, and say whether it is stuck."""
        now = self._clock()
        if now < self._due:
            return False
        self._due = now + SAMPLE_SECONDS
        if self._all_stuck(pid, now):
            self._report = None  # the trace tells of all threads, with the names that it has
            return True
        return self._hangs(pid, now)

    def _hangs(self, pid: int, now: float) -> bool:
        """Say whether some of its threads can never go on, or spin, although others do go on.

        Not of runs that are only timed: a close look takes time of a processor.
        """
        if self._confirm is None:
            return False
        if self._watch is None:
            self._watch = Watch(pid, time.monotonic)
        with contextlib.suppress(OSError):
            report = self._watch.look()
            if report is not None and self._report is None:
                self._report = report, now
        # Kept back meanwhile: if all threads are stuck, the trace says more.
        return self._report is not None and now - self._report[1] >= LATER_SECONDS

    def _all_stuck(self, pid: int, now: float) -> bool:
        sleeps = all_asleep(pid)
        if not sleeps and self._first and self._misses < MISSES:
            # A thread that waits for the GIL wakes up between two slices: look again soon.
            self._misses += 1
            self._due = now + MISS_SECONDS
            return False
        self._misses = 0
        seconds = now - self._since
        if not sleeps or not same_waits(self._first, sleeps, seconds):
            self._first, self._since = sleeps, now
            return False
        for_gil = {tid for tid, sleep in sleeps.items() if sleep.for_gil}
        # Where no trace confirms that the GIL was not taken in between, it takes more looks.
        if seconds < self._patience * (2 if for_gil and not self._confirm else 1):
            return False
        if self._confirm and for_gil and not self._confirm(for_gil, seconds):
            self._first, self._patience = {}, 2 * self._patience  # to look costs something
            return False
        return True

    def stacks(self, pid: int) -> str:
        """Have the process write its Python stacks down, which it can do whatever it waits for.

        Empty if it does not: its threads may all refuse the signal.
        """
        path = self._stacks
        if self._report is not None:
            return words.text(self._report[0])
        try:
            if not path.exists():
                return ""  # without a handler yet, the signal would end the program
            os.kill(pid, DUMP_SIGNAL)
            size, deadline = -1, self._clock() + DUMP_SECONDS
            while self._clock() < deadline and (not size or path.stat().st_size != size):
                size = path.stat().st_size
                time.sleep(SAMPLE_SECONDS)
            return path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""


def same_waits(first: Sleeps, now: Sleeps, seconds: float) -> bool:
    """Return whether all threads have been in the same waits for some seconds."""
    return first.keys() == now.keys() and all(
        _same_wait(sleep, now[tid], seconds) for tid, sleep in first.items()
    )


def _same_wait(first: Sleep, now: Sleep, seconds: float) -> bool:
    if first.call != now.call:
        return False
    if not first.for_gil:
        return first.wakes == now.wakes
    wakes, cpu = now.wakes - first.wakes, (now.cpu_ns - first.cpu_ns) / 1e9
    most = WAKES_ALLOWED * (seconds / GIL_SLICE_SECONDS + 1)
    return wakes <= most and cpu <= GIL_CPU_SHARE * max(seconds, 1.0)


def all_asleep(pid: int) -> Sleeps:
    """Return all threads of a process if only one of them could wake another; else nothing."""
    process = Path(f"/proc/{pid}")
    try:
        if FUTEX is None or (tasks := _waiting(process / "task")) is None:
            return {}
        if _handles_signals(process):
            return {}
        regions = interpreter_regions((process / "maps").read_text(errors="replace"))
        sleeps = {int(task.name): _sleep(task, call, regions) for task, call in tasks.items()}
    except (OSError, ValueError, LookupError):
        return {}  # threads come and go, or the system does not tell
    asleep = {tid: sleep for tid, sleep in sleeps.items() if sleep}
    joined = {sleep.joins for sleep in asleep.values()} - {0}
    return asleep if len(asleep) == len(sleeps) and joined <= asleep.keys() else {}


def _waiting(tasks: Path) -> dict[Path, list[str]] | None:
    """Return the system call of each thread; None as soon as one of them is in no futex.

    Of a program that runs nothing more is looked at: this is done while it is timed.
    """
    calls = {}
    for task in tasks.iterdir():
        call = (task / "syscall").read_text().split()
        if call[0] == str(FUTEX):
            calls[task] = call
        elif _lives(task):
            return None
    # The probe's own thread runs nothing of the program.
    return {task: call for task, call in calls.items() if _name(task) != KEEPER}


def _lives(task: Path) -> bool:
    """Return whether a thread is one that may do something: neither a zombie nor the probe's."""
    return _field(task / "status", "State")[0] not in "ZX" and _name(task) != KEEPER


def _name(task: Path) -> str:
    return (task / "comm").read_text(errors="replace").rstrip("\n")


def _sleep(task: Path, call: Sequence[str], regions: Sequence[range]) -> Sleep | None:
    """Return what a thread sleeps in; None if it is awake, or can be woken from outside."""
    address, operation, value, limit = (int(word, 16) for word in call[1:5])
    if operation & FUTEX_COMMAND not in FUTEX_WAITS:
        return None
    for_gil = limit != 0 and any(address in region for region in regions)
    if limit and not for_gil:
        return None
    # The kernel tells of the end of a thread by a futex that is not private and holds its id.
    joins = 0 if operation & FUTEX_PRIVATE else value
    if joins and not (task.parent / str(joins)).exists():
        return None
    if not joins and not operation & FUTEX_PRIVATE:
        return None
    return Sleep(
        # The time limit is another one in each slice.
        call=(*call[1:4], *call[5:]) if not for_gil else (call[1], *call[7:]),
        joins=joins,
        for_gil=for_gil,
        wakes=int(_field(task / "status", "voluntary_ctxt_switches")),
        cpu_ns=int((task / "schedstat").read_text().split()[0]),
    )


def interpreter_regions(maps: str) -> list[range]:
    """Return the writable data of the interpreter, in which the main interpreter's GIL lies.

    Args:
        maps: What /proc/PID/maps says.
    """
    regions: list[range] = []
    image = ""
    for line in maps.splitlines():
        words = line.split(maxsplit=5)
        begin, end = (int(word, 16) for word in words[0].split("-"))
        name = words[5] if len(words) > 5 else ""  # noqa: PLR2004 - the name comes last
        # What is not in the file (.bss) follows it without a name.
        if name or not regions or begin != regions[-1].stop:
            image = name
        if "w" in words[1] and Path(image).name.startswith(("python", "libpython")):
            regions.append(range(begin, end))
    return regions


def _handles_signals(process: Path) -> bool:
    """Return whether a signal from outside may set the program going."""
    caught = int(_field(process / "status", "SigCgt"), 16)
    harmless = sum(1 << (number - 1) for number in HARMLESS_SIGNALS)
    return bool(caught & ~harmless)


def _field(path: Path, name: str) -> str:
    for line in path.read_text(errors="replace").splitlines():
        if line.startswith(name + ":"):
            return line.partition(":")[2].strip()
    raise LookupError(name)
