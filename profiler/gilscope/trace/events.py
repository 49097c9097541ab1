"""Event records of all threads → columns in nanoseconds, in the order of their starts."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gilscope.trace import format as fmt
from gilscope.trace.model import COLUMN_TYPES, Callbacks, Intervals
from gilscope.trace.packed import PackedError, count, decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from gilscope.trace.chunks import Chunk
    from gilscope.trace.clock import ClockMap
    from gilscope.trace.model import I64, U16, U64

MAX_INDEX = np.iinfo(np.int32).max
# Kinds with tables of their own. All others are intervals: what a thread is in, one at a time.
_APART = [fmt.Event.LOCK_WAKE, fmt.Event.CALLBACK, fmt.Event.THREAD_STATE, fmt.Event.GIL_SWITCH]


class OpenInterval(NamedTuple):
    """What a thread was in the middle of; times in ns from the trace's start."""

    kind: int
    flags: int
    what: int
    thread: int
    start: int
    end: int
    peer: int
    stack: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """All events of a trace, by what they are; each sorted by (start, thread)."""

    intervals: Intervals
    wakes: Intervals
    callbacks: Callbacks
    thread_states: Intervals
    gil_switches: Intervals


class EventColumns:
    """Columns that grow chunk by chunk.

    Attributes:
        columns: by name, as in `Intervals`; of them `count` rows are filled.
        lost: what was passed over → how often.
    """

    def __init__(self, capacity: int) -> None:
        self.columns = {name: np.zeros(capacity, dtype) for name, dtype in COLUMN_TYPES.items()}
        self.count = 0
        self.lost: Counter[str] = Counter()
        # Times to get in of the rows that are callbacks, in the order of the rows.
        self._enter: list[I64] = []

    def add(self, records: npt.NDArray[Any], thread: int, clock: ClockMap) -> None:
        """Take over the records of one chunk."""
        kinds = records["kind"]
        known = (kinds >= min(fmt.Event)) & (kinds <= max(fmt.Event))
        if not known.all():
            self._count_unknown(kinds[~known])
            records = records[known]
        start, start_good = clock.convert(records["start"])
        end, end_good = clock.convert(records["start"] + records["duration"])
        good = start_good & end_good & (end >= start) & (end >= 0)
        if not good.all():
            self.lost["events with impossible times"] += int(np.count_nonzero(~good))
            records, start, end = records[good], start[good], end[good]
        rows = slice(self.count, self.count + len(records))
        for name in ("kind", "flags", "aux", "what", "stack"):
            self.columns[name][rows] = records[name]
        peers = records["peer"]
        self.columns["peer"][rows] = np.where(peers <= MAX_INDEX, peers, 0)
        self.columns["thread"][rows] = thread
        # A wait may have begun before the session: of it, the part inside counts.
        start = np.maximum(start, 0)
        callbacks = records[records["kind"] == fmt.Event.CALLBACK]
        if len(callbacks):
            self._enter.append(_time_to_get_in(callbacks["start"], callbacks["aux"], clock))
        self.columns["start"][rows] = start
        self.columns["duration"][rows] = end - start
        self.count = rows.stop

    def add_open(self, intervals: Iterable[OpenInterval]) -> None:
        """Take over what never ended, unless its record is there all the same.

        A thread that dies between the writing of a record and the clearing of its slot leaves both.
        """
        intervals = list(intervals)
        starts = np.array([interval.start for interval in intervals], np.int64)
        rows = np.flatnonzero(np.isin(self.columns["start"][: self.count], starts))
        keys = ("kind", "thread", "start")
        recorded = set(zip(*(self.columns[key][rows].tolist() for key in keys), strict=True))
        for interval in intervals:
            if (interval.kind, interval.thread, interval.start) in recorded:
                continue
            values = interval._asdict() | {"duration": interval.end - interval.start, "open": True}
            for name in COLUMN_TYPES.keys() & values.keys():
                self.columns[name][self.count] = values[name]
            if interval.kind == fmt.Event.CALLBACK:
                self._enter.append(np.zeros(1, np.int64))
            self.count += 1

    def latest(self) -> int:
        """The last end, ns from the start; 0 if there is nothing."""
        rows = slice(self.count)
        ends = self.columns["start"][rows] + self.columns["duration"][rows]
        return int(ends.max(initial=0))

    def finish(self) -> Events:
        """Sort and hand over. The columns are gone afterwards."""
        rows = slice(self.count)
        order = np.lexsort((self.columns["thread"][rows], self.columns["start"][rows]))
        kinds = self.columns["kind"][order]
        apart = [np.flatnonzero(kinds == kind) for kind in _APART]
        picked = [order[chosen] for chosen in apart]
        picked.append(np.delete(order, np.concatenate(apart)))
        enter = self._enter_of(picked[_APART.index(fmt.Event.CALLBACK)])
        parts: list[dict[str, npt.NDArray[Any]]] = [{} for _ in picked]
        for name in COLUMN_TYPES:
            column = self.columns.pop(name)
            for part, chosen in zip(parts, picked, strict=True):
                part[name] = column[chosen]
                part[name].flags.writeable = False
        wakes, callbacks, states, switches, intervals = (Intervals(**part) for part in parts)
        return Events(intervals, wakes, _callbacks(callbacks, enter), states, switches)

    def _enter_of(self, rows: npt.NDArray[np.intp]) -> I64:
        """Times to get in of these rows, which are all the callbacks that there are."""
        enter = np.zeros(len(rows), np.int64)
        if self._enter:
            enter[np.argsort(rows, kind="stable")] = np.concatenate(self._enter)
        return enter

    def _count_unknown(self, kinds: npt.NDArray[np.uint8]) -> None:
        for kind, n in enumerate(np.bincount(kinds).tolist()):
            if n:
                self.lost[f"events of kind {kind}, which this gilscope does not know"] += n


def _time_to_get_in(start: U64, aux: U16, clock: ClockMap) -> I64:
    """The short floats of callbacks in ns."""
    wide = aux.astype(np.uint64)
    ticks = (wide & np.uint64(0x7FF)) << (wide >> np.uint64(11))
    begin, _ = clock.convert(start)
    end, _ = clock.convert(start + ticks)
    enter: I64 = np.maximum(end - begin, 0)
    return enter


def _callbacks(rows: Intervals, enter: I64) -> Callbacks:
    """The rows as callbacks: what and peer of theirs are definitions."""
    callables = rows.peer.astype(np.uint32)
    # Never longer than the whole, of which the part inside the session counts.
    enter = np.minimum(enter, rows.duration)
    for column in (callables, enter):
        column.flags.writeable = False
    return Callbacks(
        thread=rows.thread,
        start=rows.start,
        duration=rows.duration,
        enter_ns=enter,
        entry=rows.what,
        callable=callables,
        flags=rows.flags,
        open=rows.open,
        stack=rows.stack,
    )


def records_of(chunk: Chunk, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """The event records of a chunk, a view of the file."""
    size = dtype.itemsize
    records = chunk.payload[: len(chunk.payload) // size * size].view(dtype)
    if not chunk.sealed:
        empty = records["kind"] == 0
        if empty.any():
            return records[: int(np.argmax(empty))]
    return records


def collect(
    chunks: Sequence[Chunk], dtype: np.dtype[Any], clock: ClockMap, spare: int
) -> EventColumns:
    """Read the event records of all chunks.

    Args:
        chunks: EVENTS and PACKED_EVENTS chunks, in the order of the file.
        dtype: of a record.
        clock: to convert times.
        spare: rows that are kept free for what is open.
    """
    sound: list[Chunk] = []
    capacity = spare
    for chunk in chunks:
        with suppress(PackedError):
            capacity += _count(chunk, dtype)
            sound.append(chunk)
    columns = EventColumns(capacity)
    lost = len(chunks) - len(sound)
    for chunk in sound:
        try:
            parts = _parts(chunk, dtype)
        except PackedError:
            lost += 1
            continue
        for thread, records in parts:
            if 0 < thread <= MAX_INDEX:
                columns.add(records, thread, clock)
            elif len(records):
                columns.lost["events of no thread"] += len(records)
    if lost:
        columns.lost["damaged chunks (packed_events)"] = lost
    return columns


def _count(chunk: Chunk, dtype: np.dtype[Any]) -> int:
    if chunk.kind == fmt.Chunk.PACKED_EVENTS:
        return count(chunk.payload, dtype.itemsize)
    return len(records_of(chunk, dtype))


def _parts(chunk: Chunk, dtype: np.dtype[Any]) -> list[tuple[int, npt.NDArray[Any]]]:
    """Threads and records of theirs."""
    if chunk.kind == fmt.Chunk.PACKED_EVENTS:
        return decode(chunk.payload, dtype, chunk.open_ticks)
    return [(chunk.thread, records_of(chunk, dtype))]
