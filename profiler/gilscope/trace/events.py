"""Event records of all threads → columns in nanoseconds, in the order of their starts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gilscope.trace import format as fmt
from gilscope.trace.model import COLUMN_TYPES, Intervals

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from gilscope.trace.chunks import Chunk
    from gilscope.trace.clock import ClockMap

MAX_INDEX = np.iinfo(np.int32).max


class OpenInterval(NamedTuple):
    """What a thread was in the middle of; times in ns from the trace's start."""

    kind: int
    flags: int
    what: int
    thread: int
    start: int
    end: int
    peer: int


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
        for name in ("kind", "flags", "aux", "what"):
            self.columns[name][rows] = records[name]
        peers = records["peer"]
        self.columns["peer"][rows] = np.where(peers <= MAX_INDEX, peers, 0)
        self.columns["thread"][rows] = thread
        # A wait may have begun before the session: of it, the part inside counts.
        start = np.maximum(start, 0)
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
            self.count += 1

    def latest(self) -> int:
        """The last end, ns from the start; 0 if there is nothing."""
        rows = slice(self.count)
        ends = self.columns["start"][rows] + self.columns["duration"][rows]
        return int(ends.max(initial=0))

    def finish(self) -> tuple[Intervals, Intervals]:
        """Sort and hand over: (intervals, wakes). The columns are gone afterwards."""
        rows = slice(self.count)
        keys = self.columns["thread"][rows], self.columns["start"][rows]
        order = np.lexsort(keys)
        wakes = (self.columns["kind"][rows] == fmt.Event.LOCK_WAKE)[order]
        parts: tuple[dict[str, npt.NDArray[Any]], ...] = {}, {}
        picked = order[~wakes], order[wakes]
        for name in COLUMN_TYPES:
            column = self.columns.pop(name)
            for part, chosen in zip(parts, picked, strict=True):
                part[name] = column[chosen]
                part[name].flags.writeable = False
        intervals, instants = (Intervals(**part) for part in parts)
        return intervals, instants

    def _count_unknown(self, kinds: npt.NDArray[np.uint8]) -> None:
        for kind, n in enumerate(np.bincount(kinds).tolist()):
            if n:
                self.lost[f"events of kind {kind}, which this gilscope does not know"] += n


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
        chunks: EVENTS chunks, in any order.
        dtype: of a record.
        clock: to convert times.
        spare: rows that are kept free for what is open.
    """
    found = [(chunk.thread, records_of(chunk, dtype)) for chunk in chunks]
    columns = EventColumns(sum(len(records) for _, records in found) + spare)
    for thread, records in found:
        if 0 < thread <= MAX_INDEX:
            columns.add(records, thread, clock)
        elif len(records):
            columns.lost["events of no thread"] += len(records)
    return columns
