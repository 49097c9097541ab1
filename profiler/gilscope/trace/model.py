"""What a trace says, once it is read: threads, locks, intervals.

Times are int64 nanoseconds from the trace's start unless the name says otherwise. Everything here
is immutable; the columns are numpy arrays that cannot be written to.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

type U8 = npt.NDArray[np.uint8]
type U16 = npt.NDArray[np.uint16]
type U32 = npt.NDArray[np.uint32]
type U64 = npt.NDArray[np.uint64]
type I32 = npt.NDArray[np.int32]
type I64 = npt.NDArray[np.int64]
type Bools = npt.NDArray[np.bool_]
type Build = Literal["gil", "ft"]


class State(IntEnum):
    """What a thread is doing; every moment of a thread's life is in exactly one state."""

    HOLDING_GIL = 0
    RUNNING = 1  # without the GIL, or native code: nothing that the probe sees holds it up
    WAITING_GIL = 2
    WAITING_LOCK = 3
    BLOCKED = 4  # waits for something to happen (an event, an item in a queue): no contention
    STOPPED_WORLD = 5  # a stop-the-world pause: held up by it, or waiting for the others to stop


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread that the probe has seen.

    Attributes:
        index: number of the thread in the trace, from 1; what `Intervals.thread` refers to.
        name: name given by the program, else the kernel's, else one made from the thread id.
        tid: the kernel's thread id; 0 if unknown.
        ident: `threading.get_ident()` of the thread; 0 if unknown.
        native: started by native code, not by the interpreter.
        main: the process's main thread.
        start_ns: when the probe first saw it.
        end_ns: its exit, else the end of the trace.
        dropped: events of this thread that found no room.
    """

    index: int
    name: str
    tid: int = 0
    ident: int = 0
    native: bool = False
    main: bool = False
    start_ns: int = 0
    end_ns: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Lock:
    """Something that threads waited for.

    Attributes:
        id: number in the trace; what `Intervals.what` of a lock wait refers to.
        kind: one of `format.LOCK_KINDS`: "object", "mutex", "lock", "event", …
        type: type name of the Python object that the lock belongs to; "" if there is none.
        name: the best name for people, such as "dict at 0x7f0c5a3b2e40".
        address: what was waited on.
        object_address: the Python object, as `id()` gives it; 0 if there is none.
    """

    id: int
    kind: str
    type: str
    name: str
    address: int
    object_address: int


class Locks(dict[int, Lock]):
    """Locks by id. One that the trace uses but does not define is there as an unidentified one."""

    def __missing__(self, lock_id: int) -> Lock:
        return Lock(lock_id, "unidentified", "", f"unidentified lock {lock_id}", 0, 0)


@dataclass(frozen=True, slots=True)
class Gil:
    """A GIL of the process; each subinterpreter may have one of its own."""

    id: int
    address: int
    interpreter: int


@dataclass(frozen=True, eq=False)
class Intervals:
    """Intervals as columns of equal length n, sorted by (start, thread).

    Attributes:
        kind: u8[n], an `format.Event`.
        flags: u8[n], as in the format; their meaning depends on the kind.
        aux: u16[n], as in the format.
        what: u32[n], id of a GIL or of a lock, depending on the kind.
        thread: i32[n], `Thread.index`, not a position in `Trace.threads`.
        start: i64[n], ns from the trace's start.
        duration: i64[n], ns, never negative.
        peer: i32[n], `Thread.index` of the other thread of the kind's definition; 0 if unknown.
        open: bool[n], never ended in the trace: the reader closed it.
    """

    kind: U8
    flags: U8
    aux: U16
    what: U32
    thread: I32
    start: I64
    duration: I64
    peer: I32
    open: Bools

    def __len__(self) -> int:
        return len(self.kind)

    @cached_property
    def end(self) -> I64:
        """i64[n], ns from the trace's start."""
        end: I64 = self.start + self.duration
        return end

    def select(self, rows: Bools | npt.NDArray[np.integer[Any]] | slice) -> Intervals:
        """Those intervals that a mask (bool[n]), row numbers or a slice names, in that order."""
        return Intervals(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def where(self, kind: int) -> Intervals:
        """The intervals of one kind."""
        return self.select(self.kind == kind)

    @classmethod
    def empty(cls) -> Self:
        """No intervals."""
        return cls(**{name: np.zeros(0, dtype) for name, dtype in COLUMN_TYPES.items()})


COLUMN_TYPES: dict[str, type[np.generic]] = {
    "kind": np.uint8,
    "flags": np.uint8,
    "aux": np.uint16,
    "what": np.uint32,
    "thread": np.int32,
    "start": np.int64,
    "duration": np.int64,
    "peer": np.int32,
    "open": np.bool_,
}


@dataclass(frozen=True, eq=False)
class Trace:
    """One run of a program under the probe.

    Attributes:
        path: the file.
        build: "gil" for the stock build of CPython, "ft" for the free-threaded one.
        python: version, such as "3.13.5".
        free_threaded: the build is a free-threaded one.
        gil_enabled_start: the GIL was on when the session started.
        gil_enabled_end: it was on when the session ended; None if the trace does not say.
        pid: process id of the program under test.
        argv: its arguments; empty if unknown.
        executable: the interpreter; "" if unknown.
        start_monotonic_ns: the trace's start on CLOCK_MONOTONIC.
        start_realtime_ns: the trace's start in ns since 1970.
        duration_ns: from the start to the stop, or to the last event if it ended early.
        ended_early: the program died, or was killed, before the session was stopped.
        end_reason: "stop", "exit", "max_bytes", "disk_full", "snapshot"; None if it ended early.
        threads: in the order of the lanes: the main thread, then by start.
        locks: by id.
        intervals: holds of a GIL, waits for a GIL, waits for locks.
        wakes: moments (duration 0) at which `thread` ended the wait of `peer` for lock `what`.
        dropped_events: events that found no room.
        not_measured: class of event → why it was not measured.
        problems: what is lost or damaged in the file, one line each.
        probe_cost_ns: what the probe adds to an uncontended acquire and release; None if unknown.
        gils: by id.
    """

    path: Path
    build: Build
    python: str
    free_threaded: bool
    gil_enabled_start: bool
    gil_enabled_end: bool | None
    pid: int
    argv: tuple[str, ...]
    executable: str
    start_monotonic_ns: int
    start_realtime_ns: int
    duration_ns: int
    ended_early: bool
    end_reason: str | None
    threads: tuple[Thread, ...]
    locks: Locks
    intervals: Intervals
    wakes: Intervals
    dropped_events: int
    not_measured: Mapping[str, str]
    problems: tuple[str, ...]
    probe_cost_ns: float | None
    gils: Mapping[int, Gil] = field(default_factory=dict)

    @cached_property
    def threads_by_index(self) -> Mapping[int, Thread]:
        """Threads by `Thread.index`, which is what intervals refer to."""
        return {thread.index: thread for thread in self.threads}

    def thread_name(self, index: int) -> str:
        """Name of the thread with this index; "" for 0 and for one that is not in the trace."""
        thread = self.threads_by_index.get(index)
        return thread.name if thread else ""
