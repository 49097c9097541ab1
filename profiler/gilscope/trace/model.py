"""What a trace says, once it is read: threads, locks, intervals.

Times are int64 nanoseconds from the trace's start unless the name says otherwise. Everything here
is immutable; the columns are numpy arrays that cannot be written to.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

import numpy as np
import numpy.typing as npt

from gilscope.trace import tables
from gilscope.trace.cpu_time import CpuTimes
from gilscope.trace.format import Event, GilSwitchFlag
from gilscope.trace.places import NOWHERE, Callable, Code, Entry, Frame, Module, Site, Table
from gilscope.trace.spans import Spans

if TYPE_CHECKING:
    from collections.abc import Callable as Function
    from collections.abc import Mapping
    from pathlib import Path

    from gilscope.trace.tables import Table as DataTable

type U8 = npt.NDArray[np.uint8]
type U16 = npt.NDArray[np.uint16]
type U32 = npt.NDArray[np.uint32]
type U64 = npt.NDArray[np.uint64]
type I32 = npt.NDArray[np.int32]
type I64 = npt.NDArray[np.int64]
type Bools = npt.NDArray[np.bool_]
type Rows = Bools | npt.NDArray[np.integer[Any]] | slice
_GATHER = 1 << 17  # rows that are read together
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


class Threads(tuple[Thread, ...]):
    """Threads in the order of the lanes."""

    __slots__ = ()

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame`, a row a thread."""
        return tables.of_threads(self).to_pandas()

    def to_arrow(self) -> Any:
        """A `pyarrow.Table`, a row a thread."""
        return tables.of_threads(self).to_arrow()


@dataclass(frozen=True, slots=True)
class Lock:
    """Something that threads waited for.

    Attributes:
        id: number in the trace; what `Intervals.what` of a lock wait refers to.
        kind: one of `format.LOCK_KINDS`: "object", "mutex", "lock", "event", …
        type: type name of the Python object that the lock belongs to; "" if there is none.
        name: the best name for people, such as "dict `app.CACHE`" or "dict at 0x7f0c5a3b2e40".
        address: what was waited on.
        object_address: the Python object, as `id()` gives it; 0 if there is none.
        source: how the program's own name was found, one of `format.NAME_SOURCES`, or
            "creation": it is called by where it was made; "" if `name` is made from type and
            address alone.
        created: "file:line" that made it; "" if unknown.
    """

    id: int
    kind: str
    type: str
    name: str
    address: int
    object_address: int
    source: str = ""
    created: str = ""

    @property
    def native(self) -> bool:
        """A lock of native code, such as a `std::mutex`; Python knows nothing of it."""
        return self.kind.startswith("native")


class Locks(dict[int, Lock]):
    """Locks by id. One that the trace uses but does not define is there as an unidentified one."""

    def __missing__(self, lock_id: int) -> Lock:
        return Lock(lock_id, "unidentified", "", f"unidentified lock {lock_id}", 0, 0)

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame`, a row a lock."""
        return tables.of_locks(self.values()).to_pandas()

    def to_arrow(self) -> Any:
        """A `pyarrow.Table`, a row a lock."""
        return tables.of_locks(self.values()).to_arrow()


@dataclass(frozen=True, slots=True)
class Gil:
    """A GIL of the process; each subinterpreter may have one of its own."""

    id: int
    address: int
    interpreter: int


class Columns(Protocol):
    """Where columns come from that are read when they are asked for.

    Attributes:
        at_hand: names of those that need no reading.
    """

    at_hand: frozenset[str]

    def __len__(self) -> int:
        """How many rows there are."""

    def column(self, name: str) -> npt.NDArray[Any]:
        """A column that cannot be written to."""

    def select(self, rows: Rows) -> Columns:
        """Those of some rows."""

    def shifted(self, ns: int) -> Columns:
        """All starts later by ``ns``."""


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
        peer: i32[n], `Thread.index` of the other thread of the kind's definition; 0 if unknown. Of
            a lock wait with the flag HOLDER it is the thread that held the lock, else the one that
            ended the wait.
        open: bool[n], never ended in the trace: the reader closed it.
        stack: u32[n], key of `Trace.stacks`; 0 if there is none.
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
    stack: U32

    def __len__(self) -> int:
        return len(self.start)

    @classmethod
    def deferred(cls, columns: Columns) -> Self:
        """Intervals of which each column is read when it is first asked for."""
        made = object.__new__(cls)
        made.__dict__["_columns"] = columns
        return made

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            columns = self.__dict__.get("_columns")
            if columns is None or name not in COLUMN_TYPES:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            self.__dict__[name] = columns.column(name)
            return self.__dict__[name]

    @cached_property
    def end(self) -> I64:
        """i64[n], ns from the trace's start."""
        end: I64 = self.start + self.duration
        return end

    def select(self, rows: Rows) -> Intervals:
        """Those intervals that a mask (bool[n]), row numbers or a slice names, in that order."""
        columns: Columns | None = self.__dict__.get("_columns")
        if columns is None:
            return Intervals(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})
        made = Intervals.deferred(columns.select(rows))
        # What is read already is not read again; parts of columns cost nothing.
        wanted = COLUMN_TYPES.keys() - columns.at_hand
        if isinstance(rows, slice):
            wanted = COLUMN_TYPES.keys() | {"end"}
        known = wanted & self.__dict__.keys()
        made.__dict__.update({name: self.__dict__[name][rows] for name in known})
        return made

    def gather(self, name: str, rows: npt.NDArray[np.integer[Any]]) -> npt.NDArray[Any]:
        """A column of some rows, without having all of the column in memory."""
        if name in self.__dict__:  # it is there already
            known: npt.NDArray[Any] = self.__dict__[name][rows]
            return known
        result = np.empty(len(rows), COLUMN_TYPES[name])
        for at in range(0, len(rows), _GATHER):
            part = slice(at, at + _GATHER)
            result[part] = getattr(self.select(rows[part]), name)
        return result

    def between(self, start_ns: int, end_ns: int) -> Intervals:
        """Those that are, at least in part, in this time; ns from the trace's start."""
        return self.select((self.start < end_ns) & (self.end >= start_ns))

    def of_thread(self, *indices: int) -> Intervals:
        """Those of these threads, by `Thread.index`."""
        return self.select(np.isin(self.thread, indices))

    def of_lock(self, *ids: int) -> Intervals:
        """The waits and spins for these locks, by `Lock.id`; of wakes the wakes."""
        about_locks = np.isin(self.kind, (Event.LOCK_WAIT, Event.LOCK_WAKE, Event.SPIN))
        return self.select(about_locks & np.isin(self.what, ids))

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame`, a row an interval; `Trace.table` has it with names."""
        return tables.of_intervals(self).to_pandas()

    def to_arrow(self) -> Any:
        """A `pyarrow.Table`, a row an interval."""
        return tables.of_intervals(self).to_arrow()

    def shifted(self, ns: int) -> Intervals:
        """The same intervals, later by ``ns``."""
        columns: Columns | None = self.__dict__.get("_columns")
        if columns is not None:
            return Intervals.deferred(columns.shifted(ns))
        return replace(self, start=_later(self.start, ns))

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
    "stack": np.uint32,
}


@dataclass(frozen=True, eq=False)
class Callbacks:
    """Times that native code was in Python, as columns of equal length n, by (start, thread).

    They are no part of `Trace.intervals`, because they lie around holds of the GIL and waits; they
    nest in each other.

    Attributes:
        thread: i32[n], `Thread.index`.
        start: i64[n], when the native code asked to get in, ns from the trace's start.
        duration: i64[n], ns, until it was out again.
        enter_ns: i64[n], of these the time to get in, to three digits; 0 of an open one.
        entry: u32[n], key of `Trace.entries`; 0 if unknown.
        callable: u32[n], key of `Trace.callables`; 0 if none was called or it is unknown.
        flags: u8[n], `format.CallbackFlag`.
        open: bool[n], it was still in Python when the trace or its thread ended.
        stack: u32[n], key of `Trace.stacks`; 0 if there is none.
    """

    thread: I32
    start: I64
    duration: I64
    enter_ns: I64
    entry: U32
    callable: U32
    flags: U8
    open: Bools
    stack: U32

    def __len__(self) -> int:
        return len(self.thread)

    @cached_property
    def end(self) -> I64:
        """i64[n], ns from the trace's start."""
        end: I64 = self.start + self.duration
        return end

    def select(self, rows: Rows) -> Callbacks:
        """Those that a mask (bool[n]), row numbers or a slice names, in that order."""
        return Callbacks(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def between(self, start_ns: int, end_ns: int) -> Callbacks:
        """Those that are, at least in part, in this time; ns from the trace's start."""
        return self.select((self.start < end_ns) & (self.end >= start_ns))

    def of_thread(self, *indices: int) -> Callbacks:
        """Those of these threads, by `Thread.index`."""
        return self.select(np.isin(self.thread, indices))

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame`, a row a callback."""
        return tables.of_callbacks(self).to_pandas()

    def to_arrow(self) -> Any:
        """A `pyarrow.Table`, a row a callback."""
        return tables.of_callbacks(self).to_arrow()

    def shifted(self, ns: int) -> Callbacks:
        """The same callbacks, later by ``ns``."""
        return replace(self, start=_later(self.start, ns))

    @classmethod
    def empty(cls) -> Self:
        """No callbacks."""
        return cls(**{name: np.zeros(0, dtype) for name, dtype in CALLBACK_TYPES.items()})


CALLBACK_TYPES: dict[str, type[np.generic]] = {
    "thread": np.int32,
    "start": np.int64,
    "duration": np.int64,
    "enter_ns": np.int64,
    "entry": np.uint32,
    "callable": np.uint32,
    "flags": np.uint8,
    "open": np.bool_,
    "stack": np.uint32,
}


@dataclass(frozen=True, eq=False)
class GilSwitches:
    """Moments at which the GIL of a free-threaded build was switched, n of them, by time.

    Attributes:
        thread: i32[n], `Thread.index` of the thread that did it.
        start: i64[n], ns from the trace's start.
        gil: u32[n], key of `Trace.gils`.
        flags: u8[n], `format.GilSwitchFlag`.
        module: n paths of the extension module whose import did it; "" if unknown.
        stack: u32[n], key of `Trace.stacks`; 0 if there is none.
    """

    thread: I32
    start: I64
    gil: U32
    flags: U8
    module: tuple[str, ...]
    stack: U32

    def __len__(self) -> int:
        return len(self.thread)

    @property
    def on(self) -> Bools:
        """bool[n]: it was switched on."""
        on: Bools = (self.flags & np.uint8(GilSwitchFlag.ON)) != 0
        return on

    @property
    def permanent(self) -> Bools:
        """bool[n]: for the rest of the process."""
        permanent: Bools = (self.flags & np.uint8(GilSwitchFlag.PERMANENT)) != 0
        return permanent

    def shifted(self, ns: int) -> GilSwitches:
        """The same moments, later by ``ns``."""
        return replace(self, start=_later(self.start, ns))

    @classmethod
    def empty(cls) -> Self:
        """None."""
        none = Intervals.empty()
        return cls(none.thread, none.start, none.what, none.flags, (), none.stack)


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
        intervals: what a thread is in at a time: holds of a GIL, waits for a GIL, waits for locks,
            spins.
        wakes: moments (duration 0) at which `thread` ended the wait of `peer` for lock `what`.
        dropped_events: events that found no room.
        not_measured: class of event → why it was not measured.
        problems: what is lost or damaged in the file, one line each.
        probe_cost_ns: what the probe adds to an uncontended acquire and release; None if unknown.
        gils: by id.
        callbacks: native code in Python.
        thread_states: thread states made and destroyed by native code: what that cost without the
            wait for the GIL; `flags` are `format.ThreadStateFlag`.
        gil_switches: a free-threaded build's GIL switched on and off.
        spans: stretches of time that the program itself named.
        cpu_times: samples of how long each thread ran on a processor and waited for one.
        codes: Python functions by id.
        modules: loaded objects by id.
        sites: places in native code by id.
        stacks: by id, the innermost frame first; what refers to none has the id 0, and () there.
        entries: native code that entered Python, by id.
        callables: what it called there, by id.
        stack_cost_ns: what a captured stack costs; None if unknown.
        overwritten_events: events that a ring has overwritten: older than the trace's first.
        session: hexadecimal; the same in all traces that belong together; "" if unknown.
        parent_pid: process that this one was forked from or started by, if that was recorded too.
        executor: what `gilscope.executor` was to be: "threads", "subinterpreters" or "processes";
            "" if nobody said.
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
    threads: Threads
    locks: Locks
    intervals: Intervals
    wakes: Intervals
    dropped_events: int
    not_measured: Mapping[str, str]
    problems: tuple[str, ...]
    probe_cost_ns: float | None
    gils: Mapping[int, Gil] = field(default_factory=dict)
    callbacks: Callbacks = field(default_factory=Callbacks.empty)
    thread_states: Intervals = field(default_factory=Intervals.empty)
    gil_switches: GilSwitches = field(default_factory=GilSwitches.empty)
    spans: Spans = field(default_factory=Spans.empty)
    cpu_times: CpuTimes = field(default_factory=CpuTimes.empty)
    codes: Table[Code] = field(default_factory=lambda: NOWHERE.codes)
    modules: Table[Module] = field(default_factory=lambda: NOWHERE.modules)
    sites: Table[Site] = field(default_factory=lambda: NOWHERE.sites)
    stacks: Table[tuple[Frame, ...]] = field(default_factory=lambda: NOWHERE.stacks)
    entries: Table[Entry] = field(default_factory=lambda: NOWHERE.entries)
    callables: Table[Callable] = field(default_factory=lambda: NOWHERE.callables)
    stack_cost_ns: float | None = None
    overwritten_events: int = 0
    session: str = ""
    parent_pid: int | None = None
    executor: str = ""

    @classmethod
    def deferred(cls, load: Function[[], dict[str, Any]], **known: Any) -> Self:
        """A trace of which some fields are read when one of them is first asked for.

        Args:
            load: gives the fields that are not known.
            **known: the others.
        """
        made = object.__new__(cls)
        made.__dict__.update(known)
        made.__dict__["_load"] = load
        return made

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            load = self.__dict__.get("_load")
            if load is None or name not in type(self).__dataclass_fields__:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            self.__dict__.update(load())
            self.__dict__.pop("_load", None)
            return self.__dict__[name]

    @cached_property
    def spins(self) -> Intervals:
        """The spins among the intervals; `what` is a lock, `aux` the yields, 65535 or more."""
        return self.intervals.where(Event.SPIN)

    @cached_property
    def threads_by_index(self) -> Mapping[int, Thread]:
        """Threads by `Thread.index`, which is what intervals refer to."""
        return {thread.index: thread for thread in self.threads}

    def table(self, name: str) -> DataTable:
        """A table with names besides numbers: a key of `tables.TABLES`, such as "intervals"."""
        return tables.TABLES[name](self)

    def thread_name(self, index: int) -> str:
        """Name of the thread with this index; "" for 0 and for one that is not in the trace."""
        thread = self.threads_by_index.get(index)
        return thread.name if thread else ""


def _later(start: I64, ns: int) -> I64:
    later: I64 = start + ns
    later.flags.writeable = False
    return later
