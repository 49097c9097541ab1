"""Samples of where the threads of another process run, taken by the kernel (perf_event_open).

A timer of each processor counts only while a thread of that process runs there. It notes thread,
instruction and registers. The process itself is not touched: it gets no signal, no descriptor and
no memory.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import platform
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

PERIOD_NS = 1_000_000
"""Of a processor's time between two samples; taking one costs some thousandths of that."""

MOST_PROCESSORS = 64
MOST_THREADS = 64
"""That are there already; those that they start later cost nothing."""

_CALL = 298  # perf_event_open on x86-64
_SOFTWARE, _CPU_CLOCK = 1, 0
_CLOEXEC = 8
_ATTRIBUTES = 128  # bytes of perf_event_attr
_IP, _TID, _TIME, _REGISTERS = 1, 2, 4, 1 << 12
_INHERIT, _NO_KERNEL, _NO_HYPERVISOR, _CLOCK, _THREADS_ONLY = (
    1 << bit for bit in (1, 5, 6, 25, 35)
)
_SET_OUTPUT = 0x2405
# ax bx cx dx si di bp sp, then ip, then r8 to r15: bits of perf_regs.h.
_MASK = 0xFF01FF
_ORDER = (0, 2, 3, 1, 7, 6, 4, 5, *range(9, 17))  # as instructions number them
_SAMPLE = struct.Struct("<QIIQQ17Q")
_SAMPLE_RECORD = 9
_HEAD, _TAIL = 1024, 1032  # of the first page, perf_event_mmap_page
_PAGES = 16


class Sample(NamedTuple):
    """Where a thread ran.

    Attributes:
        at: Address of the instruction.
        tid: The kernel's number of the thread.
        time_ns: CLOCK_MONOTONIC.
        registers: The 16, as instructions number them.
    """

    at: int
    tid: int
    time_ns: int
    registers: tuple[int, ...]


class ProcessorSamples:
    """Samples one process, and the threads that it starts, until it is closed."""

    def __init__(self, pid: int) -> None:
        """Begin.

        Raises:
            OSError: It is not allowed here, or there is no such process or kernel.
        """
        if platform.machine() != "x86_64":
            raise OSError("instructions are decoded on x86-64 only")
        self._descriptors: list[int] = []
        self._rings: list[mmap.mmap] = []
        try:
            self._open(pid)
        except BaseException:
            self.close()
            raise

    def _open(self, pid: int) -> None:
        tasks = sorted(map(int, os.listdir(f"/proc/{pid}/task")))  # noqa: PTH208 - names are wanted
        processors = sorted(os.sched_getaffinity(pid))
        if len(processors) > MOST_PROCESSORS or len(tasks) > MOST_THREADS:
            raise OSError("too many processors or threads")
        for processor in processors:
            first = -1
            for task in tasks:
                try:
                    descriptor = _open_event(task, processor)
                except ProcessLookupError:
                    continue  # it has ended
                self._descriptors.append(descriptor)
                if first < 0:
                    first = descriptor
                    size = (1 + _PAGES) * mmap.PAGESIZE
                    self._rings.append(mmap.mmap(descriptor, size))
                else:
                    fcntl.ioctl(descriptor, _SET_OUTPUT, first)

    def close(self) -> None:
        """End."""
        for ring in self._rings:
            ring.close()
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._rings, self._descriptors = [], []

    def take(self) -> Iterator[Sample]:
        """Yield the samples since the last call; a ring that was full has lost some."""
        for ring in self._rings:
            head = struct.unpack_from("<Q", ring, _HEAD)[0]
            tail = struct.unpack_from("<Q", ring, _TAIL)[0]
            data = _between(ring, tail, head)
            struct.pack_into("<Q", ring, _TAIL, head)
            yield from _parsed(data)


def _open_event(tid: int, processor: int) -> int:
    attributes = bytearray(_ATTRIBUTES)
    sampled = _IP | _TID | _TIME | _REGISTERS
    struct.pack_into(
        "<IIQQQ", attributes, 0, _SOFTWARE, _ATTRIBUTES, _CPU_CLOCK, PERIOD_NS, sampled
    )
    flags = _INHERIT | _NO_KERNEL | _NO_HYPERVISOR | _CLOCK | _THREADS_ONLY
    struct.pack_into("<Q", attributes, 40, flags)
    struct.pack_into("<QIi", attributes, 80, _MASK, 0, 1)  # registers, stack, CLOCK_MONOTONIC
    text = (ctypes.c_char * _ATTRIBUTES).from_buffer(attributes)
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor: int = libc.syscall(_CALL, text, tid, processor, -1, ctypes.c_ulong(_CLOEXEC))
    if descriptor < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return descriptor


def _between(ring: mmap.mmap, tail: int, head: int) -> bytes:
    size = _PAGES * mmap.PAGESIZE
    begin, end = tail % size, head % size
    page = mmap.PAGESIZE
    if head == tail:
        return b""
    if begin < end:
        return ring[page + begin : page + end]
    return ring[page + begin : page + size] + ring[page : page + end]


def _parsed(data: bytes) -> Iterator[Sample]:
    at = 0
    while at + 8 <= len(data):
        kind, _, size = struct.unpack_from("<IHH", data, at)
        if size < 8:  # noqa: PLR2004 - a header
            return
        if kind == _SAMPLE_RECORD and size == 8 + _SAMPLE.size:
            ip, _, tid, time, kept, *registers = _SAMPLE.unpack_from(data, at + 8)
            if kept:
                yield Sample(ip, tid, time, tuple(registers[place] for place in _ORDER))
        at += size
