"""One run of a program under the probe."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from gilscope.errors import GilscopeError
from gilscope.trace.format import Event
from gilscope.trace.model.callbacks import Callbacks
from gilscope.trace.model.cpu_time import CpuTimes
from gilscope.trace.model.gil_switches import GilSwitches
from gilscope.trace.model.intervals import Intervals
from gilscope.trace.model.places import Callable, Code, Entry, Frame, Module, Site, Table
from gilscope.trace.model.samples import Samples
from gilscope.trace.model.shared_memory import Pools
from gilscope.trace.model.spans import Spans
from gilscope.trace.model.tables import of_callbacks, of_intervals, of_spans

if TYPE_CHECKING:
    from collections.abc import Callable as Function
    from collections.abc import Mapping
    from pathlib import Path

    from gilscope.trace.model.hangs import Hang
    from gilscope.trace.model.hazards import Hazard
    from gilscope.trace.model.locks import Gil, Locks
    from gilscope.trace.model.shared_memory import SharedMemory
    from gilscope.trace.model.threads import Thread, Threads
    from gilscope.trace.tables import DataTable

type Build = Literal["gil", "ft"]


@dataclass(frozen=True, kw_only=True, eq=False)
class TraceEvents:
    """The part of a trace that depends on its events.

    Attributes:
        duration_ns: from the start to the stop, or to the last event if it ended early.
        threads: in the order of the lanes: the main thread, then by start.
        intervals: what a thread is in at a time: holds of a GIL, waits for a GIL, waits for locks,
            spins.
        wakes: moments (duration 0) at which `thread` ended the wait of `peer` for lock `what`.
        problems: what is lost or damaged in the file, one line each.
        callbacks: native code in Python.
        thread_states: thread states made and destroyed by native code: what that cost without the
            wait for the GIL; `flags` are `format.ThreadStateFlag`.
        gil_switches: a free-threaded build's GIL switched on and off.
        spans: stretches of time that the program itself named.
        gil_samples: moments (duration 0) at which thread `peer` had held the GIL `what` for long
            while others waited for it: `stack` is where it was, its innermost frames the native
            code that it ran; `flags` are `format.SampleFlag`.
    """

    duration_ns: int
    threads: Threads
    intervals: Intervals
    wakes: Intervals
    problems: tuple[str, ...] = ()
    callbacks: Callbacks = field(default_factory=Callbacks.empty)
    thread_states: Intervals = field(default_factory=Intervals.empty)
    gil_switches: GilSwitches = field(default_factory=GilSwitches.empty)
    spans: Spans = field(default_factory=Spans.empty)
    gil_samples: Intervals = field(default_factory=Intervals.empty)


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """One run of a program under the probe.

    Attributes:
        load: reads what depends on the events; called once, when something of it is asked for.
        load_locks: reads the locks, by id: their names may stand in the files of native code.
        load_hazards: reads what native code did that Python forbids; it looks there, too.
        load_samples: reads samples of Python stacks, given the threads and the trace's length.
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
        ended_early: the program died, or was killed, before the session was stopped.
        end_reason: "stop", "exit", "max_bytes", "disk_full", "no_memory" or "snapshot";
            None if it ended early.
        dropped_events: events that found no room.
        not_measured: class of event → why it was not measured.
        probe_cost_ns: what the probe adds to an uncontended acquire and release; None if unknown.
        gils: by id.
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
        hangs: what the watcher of the recording explained, in the order in which it was found.
        shared_memory: what threads on several processors wrote to at the same time.
        pools: threads that ran code of native libraries' pools, such as that of OpenMP.
        processors: how many the process could use when the recording began; 0 unknown.
        executor: what `gilscope.executor` was to be: "threads", "subinterpreters" or "processes";
            "" if nobody said.
    """

    load: Function[[], TraceEvents]
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
    ended_early: bool
    end_reason: str | None
    load_locks: Function[[], Locks]
    dropped_events: int
    not_measured: Mapping[str, str]
    probe_cost_ns: float | None
    gils: Mapping[int, Gil] = field(default_factory=dict)
    cpu_times: CpuTimes = field(default_factory=CpuTimes.empty)
    codes: Table[Code] = field(default_factory=lambda: Table((), Code))
    modules: Table[Module] = field(default_factory=lambda: Table((), Module))
    sites: Table[Site] = field(default_factory=lambda: Table((), Site))
    stacks: Table[tuple[Frame, ...]] = field(default_factory=lambda: Table((), lambda _: ()))
    entries: Table[Entry] = field(default_factory=lambda: Table((), _entry))
    callables: Table[Callable] = field(default_factory=lambda: Table((), Callable))
    stack_cost_ns: float | None = None
    overwritten_events: int = 0
    session: str = ""
    parent_pid: int | None = None
    executor: str = ""
    hangs: tuple[Hang, ...] = ()
    shared_memory: tuple[SharedMemory, ...] = ()
    pools: Pools = field(default_factory=Pools)
    processors: int = 0
    load_hazards: Function[[], tuple[Hazard, ...]] = tuple
    load_samples: Function[[Threads, int], Samples] = lambda _threads, _duration: Samples()

    @cached_property
    def events(self) -> TraceEvents:
        """The part that depends on the events; read on first use."""
        return self.load()

    @cached_property
    def locks(self) -> Locks:
        """By id."""
        return self.load_locks()

    @cached_property
    def hazards(self) -> tuple[Hazard, ...]:
        """Violations of Python's rules by native code."""
        return self.load_hazards()

    @cached_property
    def samples(self) -> Samples:
        """Where threads were in Python, as samples from outside show it (``--sample``)."""
        return self.load_samples(self.threads, self.duration_ns)

    def with_events(self, events: TraceEvents) -> Trace:
        """The same trace with other events."""
        return replace(self, load=lambda: events)

    @property
    def duration_ns(self) -> int:
        """From the start to the stop, or to the last event if it ended early."""
        return self.events.duration_ns

    @property
    def threads(self) -> Threads:
        """In the order of the lanes: the main thread, then by start."""
        return self.events.threads

    @property
    def intervals(self) -> Intervals:
        """The intervals of all threads: holds of a GIL, waits for a GIL or a lock, spins."""
        return self.events.intervals

    @property
    def wakes(self) -> Intervals:
        """Moments (duration 0) at which `thread` ended the wait of `peer` for lock `what`."""
        return self.events.wakes

    @property
    def problems(self) -> tuple[str, ...]:
        """Losses and damage in the file, one line each."""
        return self.events.problems

    @property
    def callbacks(self) -> Callbacks:
        """Native code in Python."""
        return self.events.callbacks

    @property
    def thread_states(self) -> Intervals:
        """Thread states made and destroyed by native code, without the wait for the GIL.

        `flags` are `format.ThreadStateFlag`.
        """
        return self.events.thread_states

    @property
    def gil_switches(self) -> GilSwitches:
        """A free-threaded build's GIL switched on and off."""
        return self.events.gil_switches

    @property
    def spans(self) -> Spans:
        """Stretches of time that the program itself named."""
        return self.events.spans

    @property
    def gil_samples(self) -> Intervals:
        """Where threads were that kept the GIL for long while others waited for it.

        `peer` is such a thread, `what` its GIL, `flags` are `format.SampleFlag`.
        """
        return self.events.gil_samples

    @cached_property
    def spins(self) -> Intervals:
        """The spins among the intervals; `what` is a lock, `aux` the yields, 65535 or more."""
        return self.intervals.where(Event.SPIN)

    @cached_property
    def threads_by_index(self) -> Mapping[int, Thread]:
        """Threads by `Thread.index`, which is what intervals refer to."""
        return {thread.index: thread for thread in self.threads}

    def table(self, name: str) -> DataTable:
        """A table with names besides numbers: a key of `TABLES`, such as "intervals".

        Raises:
            GilscopeError: There is no such table.
        """
        if name not in TABLES:
            raise GilscopeError(f"no table {name!r}: there are {', '.join(TABLES)}")
        return TABLES[name](self)

    def thread_name(self, index: int) -> str:
        """Label of the thread with this index; "" for 0 and for one that is not in the trace."""
        thread = self.threads_by_index.get(index)
        return thread.label if thread else ""


def _entry(number: int) -> Entry:
    return Entry(number, Site(0))


TABLES: dict[str, Function[[Trace], DataTable]] = {
    "intervals": lambda trace: of_intervals(trace.intervals, trace),
    "wakes": lambda trace: of_intervals(trace.wakes, trace),
    "callbacks": lambda trace: of_callbacks(trace.callbacks, trace),
    "spans": lambda trace: of_spans(trace.spans, trace),
    "locks": lambda trace: trace.locks.table(),
    "threads": lambda trace: trace.threads.table(),
}
"""Tables of a trace by name."""
