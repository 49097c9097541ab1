"""A process as the kernel shows it: its threads, what they sleep in, its memory."""

from __future__ import annotations

import os
import platform
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from gilscope.errors import GilscopeError

if TYPE_CHECKING:
    from types import TracebackType

WORD = 8
MOST_BYTES = 1 << 24  # of one read: sizes that memory gives may be anything

# System calls by number: those that threads are commonly asleep in.
_CALLS = {
    "x86_64": "0 read 1 write 7 poll 17 pread64 20 writev 23 select 24 sched_yield 34 pause "
    "35 nanosleep 42 connect 43 accept 44 sendto 45 recvfrom 46 sendmsg 47 recvmsg 61 wait4 "
    "72 fcntl 73 flock 74 fsync 128 rt_sigtimedwait 130 rt_sigsuspend 202 futex "
    "230 clock_nanosleep 232 epoll_wait 247 waitid 270 pselect6 271 ppoll 281 epoll_pwait "
    "288 accept4 426 io_uring_enter 441 epoll_pwait2 449 futex_waitv",
    "aarch64": "22 epoll_pwait 63 read 64 write 72 pselect6 73 ppoll 98 futex "
    "115 clock_nanosleep 124 sched_yield 202 accept 207 recvfrom",
}.get(platform.machine(), "").split()
CALLS = dict(zip(map(int, _CALLS[::2]), _CALLS[1::2], strict=True))

FUTEX_PRIVATE, FUTEX_COMMAND = 128, 127
FUTEX_WAITS = (0, 6, 9, 13)  # WAIT, LOCK_PI, WAIT_BITSET, LOCK_PI2


class UnreadableError(GilscopeError):
    """Memory that is not mapped, or holds no sensible value."""


class NoProcessError(GilscopeError):
    """A process that cannot be looked at, and why, in one line."""


@dataclass(frozen=True)
class Mapping:
    """One line of /proc/PID/maps."""

    begin: int
    end: int
    writable: bool
    shared: bool
    offset: int
    path: str


@dataclass(frozen=True)
class KernelWait:
    """What a thread does, as the kernel has it.

    Attributes:
        call: Name of the system call, ``system call N``, or "" when it is in none.
        args: Its six arguments.
        sp: Stack pointer in the program; 0 while the thread runs.
        pc: Where it goes on in the program; 0 while it runs.
    """

    call: str = ""
    args: tuple[int, ...] = ()
    sp: int = 0
    pc: int = 0

    @property
    def asleep(self) -> bool:
        """Whether it is in a system call, or blocked outside of one."""
        return bool(self.sp)

    @property
    def futex(self) -> int:
        """Address of the futex that it sleeps in; else 0."""
        waits = self.call == "futex" and self.args[1] & FUTEX_COMMAND in FUTEX_WAITS
        return self.args[0] if waits else 0

    @property
    def timed(self) -> bool:
        """Whether a futex wait has a time limit."""
        return bool(self.futex and self.args[3])

    @property
    def locks(self) -> bool:
        """Whether it sleeps in a lock of glibc, also one that a condition takes back.

        Their futex holds 2 while there are waiters (lowlevellock.h).
        """
        wait = self.futex and self.args[1] & FUTEX_COMMAND == 0
        return bool(wait and self.args[2] == 2 and not self.timed)  # noqa: PLR2004 - see above

    @property
    def joined(self) -> int:
        """The thread whose end it waits for, as native joins do; else 0.

        The kernel tells of the end of a thread by a futex that is not private and holds its id.
        """
        return self.args[2] if self.futex and not self.args[1] & FUTEX_PRIVATE else 0


@dataclass(frozen=True)
class Task:
    """One thread, at the moment it was looked at.

    Attributes:
        tid: The kernel's id.
        name: That the system has.
        state: Letter of /proc: R runs, S sleeps.
        wait: What it does.
        wakes: How often it has slept, and how often it was made to give way.
        cpu_ns: Processor time that it has taken, in and outside of the kernel.
        kernel_ticks: Part of it that was spent in the kernel, in clock ticks.
    """

    tid: int
    name: str
    state: str
    wait: KernelWait
    wakes: tuple[int, int]
    cpu_ns: int
    kernel_ticks: int


def kernel_wait(text: str) -> KernelWait:
    """Read /proc/PID/task/TID/syscall."""
    words = text.split()
    if not words or words[0] == "running":
        return KernelWait()
    number, numbers = int(words[0]), [int(word, 16) for word in words[1:]]
    if number < 0:
        return KernelWait(sp=numbers[0], pc=numbers[1])
    name = CALLS.get(number, f"system call {number}")
    return KernelWait(name, tuple(numbers[:6]), numbers[6], numbers[7])


def field(text: str, name: str) -> str:
    """Return a field of a file such as /proc/PID/status; "" when it is not there."""
    for line in text.splitlines():
        if line.startswith(name + ":"):
            return line.partition(":")[2].strip()
    return ""


class Process:
    """Reads one process. Use it as a context manager: it keeps its memory open."""

    def __init__(self, pid: int) -> None:
        """Open the memory of process ``pid``.

        Raises:
            NoProcessError: It is gone, or may not be looked at.
        """
        self.pid = pid
        self.path = Path(f"/proc/{pid}")
        try:
            self._memory = os.open(self.path / "mem", os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, ProcessLookupError):
            raise NoProcessError(f"no process has the id {pid}") from None
        except OSError as error:
            raise NoProcessError(f"process {pid} cannot be inspected: {error.strerror}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of its memory."""
        os.close(self._memory)

    def read(self, address: int, size: int) -> bytes:
        """Return ``size`` bytes of its memory.

        Raises:
            UnreadableError: They are not all there.
        """
        if not 0 < size <= MOST_BYTES or not 0 < address < 1 << 63:
            raise UnreadableError(f"{size} bytes at {address:#x}")
        try:
            data = os.pread(self._memory, size, address)
        except (OSError, OverflowError):
            data = b""
        if len(data) != size:
            raise UnreadableError(f"{size} bytes at {address:#x}")
        return data

    def number(self, address: int, size: int = WORD, *, signed: bool = False) -> int:
        """Return a number of its memory."""
        return int.from_bytes(self.read(address, size), "little", signed=signed)

    def text(self, address: int, most: int = 200) -> str:
        """Return a C string of at most ``most`` bytes."""
        for size in (most, 16, 4):
            try:
                data = self.read(address, size)
            except UnreadableError:
                continue
            return data.split(b"\0")[0].decode("utf-8", "replace")
        raise UnreadableError(f"text at {address:#x}")

    @cached_property
    def maps(self) -> list[Mapping]:
        """Its mappings, in the order of their addresses."""
        mappings = []
        for line in (self.path / "maps").read_text(errors="surrogateescape").splitlines():
            words = line.split(maxsplit=5)
            begin, end = (int(word, 16) for word in words[0].split("-"))
            path = words[5] if len(words) > 5 else ""  # noqa: PLR2004 - the name comes last
            mappings.append(
                Mapping(begin, end, "w" in words[1], "s" in words[1], int(words[2], 16), path)
            )
        return mappings

    def forget_maps(self) -> None:
        """Read the mappings anew when they are asked for next: it may have loaded something."""
        for name in ("maps", "_begins"):
            self.__dict__.pop(name, None)

    @cached_property
    def _begins(self) -> list[int]:
        return [mapping.begin for mapping in self.maps]

    def mapping(self, address: int) -> Mapping | None:
        """Return the mapping that an address lies in."""
        place = bisect_right(self._begins, address) - 1
        found = self.maps[place] if place >= 0 else None
        return found if found and address < found.end else None

    def file(self, path: str) -> str:
        """Return where a file that it has mapped is found from here: it may have another root."""
        own = f"{self.path}/root{path}"
        return own if Path(own).exists() else path

    def tasks(self) -> dict[int, Task]:
        """Return its threads by their ids.

        Raises:
            NoProcessError: It is gone.
        """
        found = {}
        try:
            names = os.listdir(self.path / "task")  # noqa: PTH208 - names are wanted
        except OSError:
            raise NoProcessError(f"there is no process {self.pid}") from None
        for name in names:
            task = read_task(self.path / "task" / name)
            if task is not None:
                found[task.tid] = task
        return found


def read_task(path: Path) -> Task | None:
    """Read one thread; None when it is gone or has ended."""
    try:
        wait = kernel_wait((path / "syscall").read_text())
        status = (path / "status").read_text(errors="replace")
        stat = (path / "stat").read_text(errors="replace").rpartition(")")[2].split()
        cpu = int((path / "schedstat").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    state = field(status, "State")[:1]
    if state in "ZX":
        return None
    wakes = (
        int(field(status, "voluntary_ctxt_switches") or 0),
        int(field(status, "nonvoluntary_ctxt_switches") or 0),
    )
    return Task(int(path.name), field(status, "Name"), state, wait, wakes, cpu, int(stat[12]))
