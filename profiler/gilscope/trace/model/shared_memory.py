"""What samples of where threads ran showed: memory that they share, native pools that they use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sharer:
    """A thread that used it.

    Attributes:
        tid: the kernel's id.
        samples: how often it was met there.
        all_samples: how often it was met at all meanwhile.
        line: the line of Python that it was at most often, "file.py:4 in function"; "" if unknown.
    """

    tid: int
    samples: int
    all_samples: int
    line: str


@dataclass(frozen=True, slots=True)
class SharedMemory:
    """One cache line.

    Attributes:
        kind: type of the Python object that most of the writes were to; "" if it is none.
        name: of a variable that holds that object, or of a static variable; "" if unknown.
        counted: most of the writes were to the reference counts of that object.
        address: where most of the writes went.
        functions: native functions that used it and their files, the most often met first.
        period_ns: processor time between two samples.
        start_ns: when a thread was first met there, from the trace's start.
        end_ns: and last.
        sharers: the threads, the most often met first.
    """

    kind: str
    name: str
    counted: bool
    address: int
    functions: tuple[tuple[str, str], ...]
    period_ns: int
    start_ns: int
    end_ns: int
    sharers: tuple[Sharer, ...]


@dataclass(frozen=True, slots=True)
class PoolThread:
    """A thread that was met in code of a native library's pool.

    Attributes:
        tid: the kernel's id.
        library: its file, such as "libgomp.so.1"; "OpenMP" if only a parallel region is known.
        samples: how often it was met there.
    """

    tid: int
    library: str
    samples: int


@dataclass(frozen=True, slots=True)
class Pools:
    """The threads that ran code of pools.

    Attributes:
        threads: those threads.
    """

    threads: tuple[PoolThread, ...] = ()
