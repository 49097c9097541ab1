"""Memory that several threads wrote to at the same time, as samples of where they ran showed it."""

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
