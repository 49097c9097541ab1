"""What the exporters of timelines have in common: tracks, slices with names, arrows, counters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import count as count_from
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.states.nesting import nested_pieces, thread_rows
from gilscope.analysis.states.state import State
from gilscope.analysis.states.thread_states import interval_states
from gilscope.analysis.waits.handover import gil_handovers, lock_handovers
from gilscope.config import build_of
from gilscope.export.labels import Labels
from gilscope.trace import format as fmt
from gilscope.trace.distinct import distinct

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gilscope.analysis.states.nesting import Piece
    from gilscope.export.marks import Mark
    from gilscope.trace.arrays import I64, U8, U32, Bools
    from gilscope.trace.model import Frame, Intervals, Lock, Trace

# Above any real one (the kernel's limit is 2²²), for ids that are missing or taken already.
FIRST_MADE_UP_ID = 1_000_000_000
MAX_ID = (1 << 31) - 1
PIECE = 1 << 15  # intervals that are encoded at a time

GIL_NAMES = {
    fmt.Event.GIL_HOLD: "holding the GIL",
    fmt.Event.GIL_WAIT: "waiting for the GIL",
    fmt.Event.GIL_SWITCH_WAIT: "handing over the GIL",
}
WATCHED = ", watched for races"
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
        slices: one an interval, one a callback, and one a span.
        instants: two a wake: at the thread that woke, and at the one that was woken.
        flows: arrows, from a release of the GIL to the acquisition it allowed, and from a wake.
        contentions: slices inside those of lock waits, for tables of contention; Perfetto only.
    """

    slices: int
    instants: int
    flows: int
    contentions: int


def count(traces: Sequence[Trace]) -> Counts:
    """What an export of these traces holds, in every format that has slices."""
    wakes = sum(len(lock_handovers(trace)) for trace in traces)
    handovers = sum(len(gil_handovers(trace)) for trace in traces)
    slices = sum(len(trace.intervals) + len(trace.callbacks) + len(trace.spans) for trace in traces)
    contended = sum(len(contended_rows(trace, interval_states(trace))) for trace in traces)
    return Counts(slices, 2 * wakes, wakes + handovers, contended)


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
        span_tids: the same for what the program named.
        marks: accesses of races, in the order of time.
    """

    trace: Trace
    name: str
    pid: int
    tids: Mapping[int, int]
    first_flow: int
    callback_tids: Mapping[int, int]
    span_tids: Mapping[int, int]
    marks: Sequence[Mark] = ()

    @property
    def first_wake_flow(self) -> int:
        """Number of the first arrow from a wake; those of the GIL come before."""
        return self.first_flow + len(self.trace.intervals)

    def pieces(self, size: int = PIECE) -> Iterator[Piece]:
        """The intervals thread by thread, some at a time, made to nest."""
        return nested_pieces(self.trace, thread_rows(self.trace.intervals.thread), size)

    @cached_property
    def names(self) -> Labels:
        """Names of slices of intervals, by `name_codes`."""
        return Labels(lambda code: slice_name(self.trace, code))

    @cached_property
    def notes(self) -> Labels:
        """What is special about an interval, by `note_codes`."""
        return Labels(lambda code: _note(code >> 9, code >> 1 & 0xFF, code & 1))

    @cached_property
    def peers(self) -> Labels:
        """Names of threads, by index."""
        threads = self.trace.threads_by_index
        return Labels(lambda index: threads[index].name if index in threads else "")

    @cached_property
    def stacks(self) -> Labels:
        """Stacks as text, by id."""
        return Labels(lambda stack: stack_text(self.trace.stacks[stack]))

    @cached_property
    def addresses(self) -> Labels:
        """Addresses of locks in hexadecimal, by id."""
        return Labels(lambda lock: f"{self.trace.locks[lock].address:#x}")

    @cached_property
    def callback_names(self) -> Labels:
        """Names of slices of callbacks, by `callback_codes`: what was called, else who called."""
        trace = self.trace
        return Labels(
            lambda pair: (
                trace.callables[pair & 0xFFFFFFFF].label
                or f"from {trace.entries[pair >> 32].function}"
            )
        )

    @cached_property
    def span_names(self) -> Labels:
        """What the program calls spans, by `Spans.name`."""
        names = self.trace.spans.names
        return Labels(lambda number: names.get(number) or "(no name)")

    @cached_property
    def callers(self) -> Labels:
        """Native functions and bindings of callbacks, by entry."""
        entries = self.trace.entries
        return Labels(lambda entry: f"{entries[entry].function} ({entries[entry].binding})")

    @cached_property
    def callback_codes(self) -> I64:
        """Code of each callback's name."""
        callbacks = self.trace.callbacks
        codes = callbacks.entry.astype(np.uint64) << np.uint64(32) | callbacks.callable
        # A damaged id beyond 2³¹ is another one that nothing defines.
        return codes.astype(np.int64) & np.int64((1 << 63) - 1)

    def counters(self, states: U8) -> Iterator[tuple[str, I64, I64]]:
        """(name, times, value from then on) where a counter of `COUNTERS` changes, in pieces."""
        for name, state in COUNTERS.items():
            rows = np.flatnonzero(states == state).astype(np.uint32)
            for times, values in self._levels(rows):
                yield name, times, values

    def _levels(self, rows: U32, size: int = PIECE) -> Iterator[tuple[I64, I64]]:
        """(times, how many of these intervals go on then), where that changes, in pieces."""
        intervals = self.trace.intervals
        # Twice the times, and one more of what begins: sorted faster than times and what happens.
        later, level = np.zeros(0, np.int64), 0
        for at in range(0, len(rows), size):
            some = intervals.select(rows[at : at + size])
            changes = np.concatenate([later, 2 * some.start + 1, 2 * some.end])
            changes.sort()
            if at + size < len(rows):
                # The rest of what happens at the next one's start is in the next piece.
                over = int(np.searchsorted(changes, 2 * intervals.start[rows[at + size]]))
            else:
                over = len(changes)
            changes, later = changes[:over], changes[over:]
            times = changes >> 1
            levels = level + np.cumsum(2 * (changes & 1) - 1)
            last = np.flatnonzero(np.diff(times, append=-1))
            yield times[last], levels[last]
            level = int(levels[-1]) if over else level


def name_codes(intervals: Intervals) -> I64:
    """Codes for `Scene.names`."""
    kinds = intervals.kind.astype(np.int64)
    on_lock = on_locks(intervals)
    return np.where(on_lock, intervals.what.astype(np.int64) << 4 | kinds, kinds)


def slice_name(trace: Trace, code: int) -> str:
    """The name for one of `name_codes`."""
    kind = fmt.Event(code & 15)
    if kind in GIL_NAMES:
        return GIL_NAMES[kind]
    doing = "spinning for" if kind == fmt.Event.SPIN else "waiting for"
    return _wait_name(trace.locks[code >> 4], doing)


def note_codes(intervals: Intervals) -> I64:
    """Codes for `Scene.notes`."""
    kinds, flags = intervals.kind.astype(np.uint16), intervals.flags.astype(np.uint16)
    codes: I64 = (kinds << 9 | flags << 1 | intervals.open).astype(np.int64)
    return codes


def peer_labels(intervals: Intervals) -> dict[str, Bools]:
    """What the other thread was → the intervals of which it was that."""
    holder = (intervals.flags & np.uint8(fmt.LockWaitFlag.HOLDER)) != 0
    lock_wait = intervals.kind == fmt.Event.LOCK_WAIT
    held = (intervals.kind == fmt.Event.GIL_WAIT) | (lock_wait & holder)
    return {HELD_BY: held, ENDED_BY: lock_wait & ~holder}


def on_locks(intervals: Intervals) -> Bools:
    """Those that are about a lock, not about the GIL."""
    kinds = intervals.kind
    found: Bools = (kinds == fmt.Event.LOCK_WAIT) | (kinds == fmt.Event.SPIN)
    return found


def switch_intervals(intervals: Intervals) -> I64:
    """How often each wait for the GIL lasted longer than the switch interval; 0 of others."""
    waits = intervals.kind == fmt.Event.GIL_WAIT
    return np.where(waits, intervals.aux, 0).astype(np.int64)


def scenes(traces: Sequence[Trace], marks: Sequence[Sequence[Mark]] = ()) -> Iterator[Scene]:
    """Processes of an export, with ids that do not collide; ``marks``: of each trace, if any."""
    ids = _Ids()
    flow = 1
    for trace, marked in zip(traces, marks or [()] * len(traces), strict=True):
        pid = ids.take(trace.pid)
        tids: dict[int, int] = {}
        for thread in trace.threads:
            # The main thread comes first, and on Linux its id is the process's.
            is_main = thread.main and not tids
            tids[thread.index] = pid if is_main else ids.take(thread.tid)
        calling = np.unique(trace.callbacks.thread).tolist()
        callback_tids = {index: ids.take(0) for index in calling}
        naming = np.unique(trace.spans.thread).tolist()
        span_tids = {index: ids.take(0) for index in naming}
        name = process_name(trace) + WATCHED * bool(marked)
        yield Scene(trace, name, pid, tids, flow, callback_tids, span_tids, marked)
        flow += 2 * len(trace.intervals)  # as many as there can be


def process_name(trace: Trace) -> str:
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


def _wait_name(lock: Lock, doing: str) -> str:
    # Without a type, the name tells the kind already.
    kind = lock.kind.replace("_", " ") + (" lock" if lock.kind == "object" else "")
    return f"{doing} {lock.name}" + (f" ({kind})" if lock.type else "")


def stack_text(frames: Sequence[Frame]) -> str:
    """Frames in one line, the innermost first."""
    shown = [
        f"{frame.name} ({frame.file.rpartition('/')[2]}:{frame.line})" if frame.line else frame.name
        for frame in frames[:MAX_FRAMES]
    ]
    return " ← ".join(shown + ["…"] * (len(frames) > MAX_FRAMES))


def _note(kind: int, flags: int, still_open: int) -> str:
    notes = [text for flag, text in _NOTES.get(fmt.Event(kind), {}).items() if flags & flag]
    return ", ".join(notes + [_STILL_OPEN] * still_open)


def contended_rows(trace: Trace, states: U8) -> I64:
    """Rows of the waits for locks, not for events, that another thread is known to have caused.

    Args:
        trace: the trace.
        states: of its intervals, as `interval_states` gives them.
    """
    intervals = trace.intervals
    rows = np.flatnonzero((states == State.WAITING_LOCK) & (intervals.kind == fmt.Event.LOCK_WAIT))
    owners = intervals.gather("peer", rows)
    known, places = distinct(owners)
    in_trace = np.array([owner in trace.threads_by_index for owner in known.tolist()], np.bool_)
    found: I64 = rows[in_trace[places] & (owners != intervals.thread[rows])]
    return found
