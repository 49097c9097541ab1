"""What the exporters of timelines have in common: tracks, slices with names, arrows, counters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import count as count_from
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.handover import Handovers, gil_handovers, lock_handovers
from gilscope.analysis.spans import interval_states
from gilscope.config import build_of
from gilscope.trace import format as fmt
from gilscope.trace.model import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gilscope.trace.model import I64, U16, Bools, Lock, Trace
    from gilscope.trace.places import Frame

# Above any real one (the kernel's limit is 2²²), for ids that are missing or taken already.
FIRST_MADE_UP_ID = 1_000_000_000
MAX_ID = (1 << 31) - 1

GIL_NAMES = {
    fmt.Event.GIL_HOLD: "holding the GIL",
    fmt.Event.GIL_WAIT: "waiting for the GIL",
    fmt.Event.GIL_SWITCH_WAIT: "handing over the GIL",
}
HELD_BY, ENDED_BY = "held by", "ended by"
MAX_FRAMES = 12  # of a stack that are written out
COUNTERS = {
    "threads waiting for the GIL": State.WAITING_GIL,
    "threads waiting for a lock": State.WAITING_LOCK,
}
_NOTES: dict[fmt.Event, dict[int, str]] = {
    fmt.Event.GIL_HOLD: {
        fmt.HoldFlag.FORCED: "release was forced",
        fmt.HoldFlag.STARTED_BEFORE: "held since before the session",
    },
    fmt.Event.GIL_WAIT: {
        fmt.GilWaitFlag.AFTER_FORCED: "after a forced release",
        fmt.GilWaitFlag.NOT_ACQUIRED: "given up without the GIL",
    },
    fmt.Event.LOCK_WAIT: {
        fmt.LockWaitFlag.TIMED_OUT: "timed out",
        fmt.LockWaitFlag.INTERRUPTED: "interrupted by a signal",
        fmt.LockWaitFlag.HANDED_OFF: "woke up owning the lock",
        fmt.LockWaitFlag.SHARED: "for a reader's share",
    },
}
_STILL_OPEN = "not over when the trace ended"


@dataclass(frozen=True, slots=True)
class Counts:
    """What an export holds.

    Attributes:
        slices: one an interval, and one a callback.
        instants: two a wake: at the thread that woke, and at the one that was woken.
        flows: arrows, from a release of the GIL to the acquisition it allowed, and from a wake.
    """

    slices: int
    instants: int
    flows: int


def count(traces: Sequence[Trace]) -> Counts:
    """What an export of these traces holds, in every format that has slices."""
    wakes = sum(len(lock_handovers(trace)) for trace in traces)
    handovers = sum(len(gil_handovers(trace)) for trace in traces)
    slices = sum(len(trace.intervals) + len(trace.callbacks) for trace in traces)
    return Counts(slices, 2 * wakes, wakes + handovers)


@dataclass(frozen=True, slots=True, eq=False)
class Names:
    """Strings by number, and the number of each row; -1 where a row has none."""

    strings: list[str]
    index: I64


@dataclass(frozen=True, eq=False)
class Scene:
    """One trace as a process with tracks.

    Attributes:
        trace: the trace.
        name: of the process, such as "gil 3.13.5".
        pid: unique among the processes of an export.
        tids: thread index → thread id, unique among all threads of an export.
        first_flow: number of the first arrow, unique within an export.
        callback_tids: thread index → made-up id of the track of its callbacks, if it has any: they
            lie around intervals, and need not nest with them to the nanosecond.
    """

    trace: Trace
    name: str
    pid: int
    tids: Mapping[int, int]
    first_flow: int
    callback_tids: Mapping[int, int]

    @cached_property
    def gil_flows(self) -> Handovers:
        """Arrows from hold to hold; numbered from `first_flow`."""
        return gil_handovers(self.trace)

    @cached_property
    def lock_flows(self) -> Handovers:
        """Arrows from wake to the end of a wait; numbered behind the others."""
        return lock_handovers(self.trace)

    @property
    def flow_count(self) -> int:
        """Arrows in all."""
        return len(self.gil_flows) + len(self.lock_flows)

    @cached_property
    def names(self) -> Names:
        """Name of the slice of each interval."""
        intervals, locks = self.trace.intervals, self.trace.locks
        strings = list(GIL_NAMES.values())
        index = np.zeros(len(intervals), np.int64)
        for number, kind in enumerate(GIL_NAMES):
            index[intervals.kind == kind] = number
        waits = np.flatnonzero(intervals.kind == fmt.Event.LOCK_WAIT)
        used, places = np.unique(intervals.what[waits], return_inverse=True)
        index[waits] = len(strings) + places
        strings += [_wait_name(locks[lock]) for lock in used.tolist()]
        spins = np.flatnonzero(intervals.kind == fmt.Event.SPIN)
        used, places = np.unique(intervals.what[spins], return_inverse=True)
        index[spins] = len(strings) + places
        strings += [_wait_name(locks[lock], "spinning for") for lock in used.tolist()]
        return Names(strings, index)

    @cached_property
    def notes(self) -> Names:
        """What is special about each interval; most have nothing."""
        intervals = self.trace.intervals
        codes = intervals.kind.astype(np.int64) << 9 | intervals.flags.astype(np.int64) << 1
        used, places = np.unique(codes | intervals.open, return_inverse=True)
        strings = [_note(code >> 9, code >> 1 & 0xFF, code & 1) for code in used.tolist()]
        has = np.array([bool(string) for string in strings], np.bool_)
        index = np.where(has[places], places, -1) if len(places) else places
        return Names(strings, index)

    @cached_property
    def peers(self) -> Names:
        """Name of the other thread of each interval."""
        indices = np.array(sorted(self.trace.threads_by_index), np.int64)
        strings = [self.trace.thread_name(index) for index in indices.tolist()]
        peers = self.trace.intervals.peer
        known = np.isin(peers, indices)
        return Names(strings, np.where(known, np.searchsorted(indices, peers), -1))

    @cached_property
    def peer_labels(self) -> dict[str, Bools]:
        """What the other thread was → the intervals of which it was that."""
        intervals = self.trace.intervals
        holder = (intervals.flags & np.uint8(fmt.LockWaitFlag.HOLDER)) != 0
        lock_wait = intervals.kind == fmt.Event.LOCK_WAIT
        held = (intervals.kind == fmt.Event.GIL_WAIT) | (lock_wait & holder)
        return {HELD_BY: held, ENDED_BY: lock_wait & ~holder}

    @cached_property
    def stacks(self) -> Names:
        """Stack of each interval as text."""
        used, places = np.unique(self.trace.intervals.stack, return_inverse=True)
        strings = [_stack_text(self.trace.stacks[stack]) for stack in used.tolist()]
        has = np.array([bool(string) for string in strings], np.bool_)
        return Names(strings, np.where(has[places], places, -1) if len(places) else places)

    @cached_property
    def callback_names(self) -> Names:
        """Name of the slice of each callback: what was called, else who called."""
        callbacks, trace = self.trace.callbacks, self.trace
        pairs = callbacks.entry.astype(np.uint64) << np.uint64(32) | callbacks.callable
        used, places = np.unique(pairs, return_inverse=True)
        strings = [
            trace.callables[pair & 0xFFFFFFFF].label or f"from {trace.entries[pair >> 32].function}"
            for pair in used.tolist()
        ]
        return Names(strings, places)

    @cached_property
    def callers(self) -> Names:
        """Native function and binding of each callback."""
        used, places = np.unique(self.trace.callbacks.entry, return_inverse=True)
        entries = (self.trace.entries[entry] for entry in used.tolist())
        return Names([f"{entry.function} ({entry.binding})" for entry in entries], places)

    @cached_property
    def switch_intervals(self) -> U16:
        """How often each wait for the GIL lasted longer than the switch interval."""
        waits = self.trace.intervals.kind == fmt.Event.GIL_WAIT
        return np.where(waits, self.trace.intervals.aux, 0).astype(np.uint16)

    def counter(self, state: State) -> tuple[I64, I64]:
        """(times, threads in this state from then on), where the number changes."""
        intervals = self.trace.intervals
        chosen = intervals.select(interval_states(self.trace) == state)
        times = np.concatenate([chosen.start, chosen.end])
        steps = np.repeat(np.array([1, -1]), len(chosen))
        order = np.argsort(times, kind="stable")
        times, values = times[order], np.cumsum(steps[order])
        last = np.ones(len(times), np.bool_)
        last[:-1] = times[1:] != times[:-1]
        return times[last], values[last]


def scenes(traces: Sequence[Trace]) -> list[Scene]:
    """Processes of an export, with ids that do not collide."""
    ids = _Ids()
    result: list[Scene] = []
    flow = 1
    for trace in traces:
        pid = ids.take(trace.pid)
        tids: dict[int, int] = {}
        for thread in trace.threads:
            # The main thread comes first, and on Linux its id is the process's.
            is_main = thread.main and not tids
            tids[thread.index] = pid if is_main else ids.take(thread.tid)
        calling = np.unique(trace.callbacks.thread).tolist()
        callback_tids = {index: ids.take(0) for index in calling}
        scene = Scene(trace, _process_name(trace), pid, tids, flow, callback_tids)
        result.append(scene)
        flow += scene.flow_count
    return result


def _process_name(trace: Trace) -> str:
    """Return build and version, and whether something turned the GIL on."""
    build = build_of(free_threaded=trace.free_threaded, gil_enabled=trace.gil_enabled_start)
    turned_on = build == "ft" and trace.gil_enabled_end
    return f"{build} {trace.python}" + (" (invalid: the GIL was turned on)" if turned_on else "")


class _Ids:
    """Hands out every id once."""

    def __init__(self) -> None:
        self._taken = {0}
        self._made_up = count_from(FIRST_MADE_UP_ID)

    def take(self, wanted: int) -> int:
        """This id, or one that is made up if it is taken or none."""
        while wanted in self._taken or not 0 < wanted <= MAX_ID:
            wanted = next(self._made_up)
        self._taken.add(wanted)
        return wanted


def _wait_name(lock: Lock, doing: str = "waiting for") -> str:
    # Without a type, the name tells the kind already.
    kind = lock.kind.replace("_", " ") + (" lock" if lock.kind == "object" else "")
    return f"{doing} {lock.name}" + (f" ({kind})" if lock.type else "")


def _stack_text(frames: Sequence[Frame]) -> str:
    """Frames in one line, the innermost first."""
    shown = [
        f"{frame.name} ({frame.file.rpartition('/')[2]}:{frame.line})" if frame.line else frame.name
        for frame in frames[:MAX_FRAMES]
    ]
    return " ← ".join(shown + ["…"] * (len(frames) > MAX_FRAMES))


def _note(kind: int, flags: int, still_open: int) -> str:
    notes = [text for flag, text in _NOTES.get(fmt.Event(kind), {}).items() if flags & flag]
    return ", ".join(notes + [_STILL_OPEN] * still_open)
