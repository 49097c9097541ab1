"""Event records of a trace where they lie: in the mapped file, or in memory if they were packed.

A record is named by its position. Those of the file count in records of 32 bytes from the file's
begin, which its chunks are aligned to; those in memory come behind them. So a table of millions of
events costs 4 bytes a row until its columns are asked for.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gilscope.trace import format as fmt
from gilscope.trace.packed import PackedError, count, decode
from gilscope.trace.reading.chunks import Chunk, File, Head, damaged_chunks, payload_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from gilscope.trace.arrays import I64, Bools
    from gilscope.trace.reading.chunks import Header
    from gilscope.trace.reading.clock import ClockMap

    type Positions = npt.NDArray[np.integer[Any]]
    type Recorded = npt.NDArray[Any]

MAX_INDEX = np.iinfo(np.int32).max
BLOCK = 1 << 18  # records that are looked at together
_RELEASE = 1 << 26  # bytes of the file that are read before their memory is given back
_FEW = 1 << 14  # records that may lie anywhere in it


class Run(NamedTuple):
    """Records of one thread that follow each other."""

    begin: int
    length: int
    thread: int


class Records:
    """The event records of a file.

    Attributes:
        runs: all of them, in the order of the file.
        lost: what was passed over → how often.
        own_peers: u32, threads that are left out: where they are a peer, none is known.
    """

    def __init__(
        self,
        file: File,
        header: Header,
        heads: Sequence[Head],
        own: frozenset[int] = frozenset(),
    ) -> None:
        self._file = file
        self._own = own
        self._dtype = fmt.event_dtype(header.event_size)
        usable = len(file.data) // fmt.EVENT_SIZE * fmt.EVENT_SIZE
        self._mapped: Recorded = file.data[:usable].view(fmt.event_dtype())
        self._memory: Recorded = np.zeros(0, fmt.event_dtype())
        self._added: list[Recorded] = []
        self._next = len(self._mapped)
        self._read = 0
        self._taken = 0
        self.runs: list[Run] = []
        self.lost: Counter[str] = Counter()
        self.own_peers = np.array(sorted(own), np.uint32)
        for head in heads:
            self._add(head)
        if self._added:
            self._memory = np.concatenate(self._added)
            self._added = []
        self._file.release()

    def __len__(self) -> int:
        return sum(run.length for run in self.runs)

    def blocks(self) -> Iterator[tuple[Positions, npt.NDArray[np.int32], Recorded]]:
        """Positions, threads and copies of all records, some at a time, in the file's order."""
        waiting: list[Run] = []
        total = 0
        for run in self.runs:
            for at in range(0, run.length, BLOCK):
                waiting.append(Run(run.begin + at, min(BLOCK, run.length - at), run.thread))
                total += waiting[-1].length
                if total >= BLOCK:
                    yield self._block(waiting)
                    waiting, total = [], 0
        if waiting:
            yield self._block(waiting)
        self._file.release()

    def _block(self, runs: Sequence[Run]) -> tuple[Positions, npt.NDArray[np.int32], Recorded]:
        self._file.check()
        begins, counts, threads = np.array(runs, np.int64).T
        positions = np.repeat(begins - (np.cumsum(counts) - counts), counts)
        positions += np.arange(len(positions))
        copies = np.concatenate([self._slice(run) for run in runs])
        self._count_read(copies.nbytes)
        return positions, np.repeat(threads.astype(np.int32), counts), copies

    def _slice(self, run: Run) -> Recorded:
        """The records of a run, a view."""
        first = len(self._mapped)
        if run.begin < first:
            return self._mapped[run.begin : run.begin + run.length]
        return self._memory[run.begin - first : run.begin - first + run.length]

    @property
    def end(self) -> int:
        """The first position that is no record's."""
        return self._next

    def position_type(self) -> type[np.unsignedinteger[Any]]:
        """The smallest type for positions, and some more of them."""
        return np.uint32 if self._next < (1 << 32) - (1 << 16) else np.uint64

    def take(self, positions: Positions) -> Recorded:
        """Copies of these records.

        Raises:
            TraceError: the file has become shorter meanwhile.
        """
        self._file.check()
        first = len(self._mapped)
        if not len(self._memory):
            return self._take_mapped(positions)
        taken: Recorded = np.empty(len(positions), fmt.event_dtype())
        inside = positions < first
        taken[inside] = self._take_mapped(positions[inside])
        taken[~inside] = self._memory.take(positions[~inside] - first)
        return taken

    def _take_mapped(self, positions: Positions) -> Recorded:
        """Copies of records of the file, with no more of it in memory than a window."""
        n = len(positions)
        if n > _FEW and int(positions.max()) - int(positions.min()) > _RELEASE // fmt.EVENT_SIZE:
            halves = positions[: n // 2], positions[n // 2 :]
            return np.concatenate([self._take_mapped(half) for half in halves])
        taken: Recorded = self._mapped.take(positions)
        self._taken += n
        if self._taken > _FEW:
            self._file.release()
            self._taken = 0
        return taken

    def _count_read(self, size: int) -> None:
        self._read += size
        if self._read > _RELEASE:
            self._file.release()
            self._read = 0

    def _add(self, head: Head) -> None:
        """Take over a chunk, if it is whole."""
        self._file.check()
        payload = payload_of(self._file, head)
        self._count_read(head.end - head.at)
        if payload is None:
            self.lost[damaged_chunks(head.kind)] += 1
            return
        if head.kind == fmt.Chunk.PACKED_EVENTS:
            try:
                count(payload, self._dtype.itemsize)
                parts = decode(payload, self._dtype, head.open_ticks)
            except PackedError:
                self.lost[damaged_chunks(head.kind)] += 1
                return
            for thread, records in parts:
                self._keep(records, thread)
            return
        records = filled(payload, self._dtype, sealed=head.sealed)
        if self._dtype.itemsize == fmt.EVENT_SIZE:
            begin = (head.at + fmt.CHUNK_HEADER_SIZE) // fmt.EVENT_SIZE
            self._run(begin, len(records), head.thread)
        else:
            self._keep(records, head.thread)

    def _keep(self, records: Recorded, thread: int) -> None:
        """Copy records into memory, without what later versions have behind them."""
        if 0 < thread <= MAX_INDEX:
            copy = np.empty(len(records), fmt.event_dtype())
            for name in copy.dtype.names or ():
                copy[name] = records[name]
            self._added.append(copy)
        self._run(self._next, len(records), thread)
        if 0 < thread <= MAX_INDEX:
            self._next += len(records)

    def _run(self, begin: int, n: int, thread: int) -> None:
        if thread in self._own:
            return
        if 0 < thread <= MAX_INDEX:
            self.runs.append(Run(begin, n, thread))
        elif n:
            self.lost["events of no thread"] += n


def filled(payload: npt.NDArray[np.uint8], dtype: np.dtype[Any], *, sealed: bool) -> Recorded:
    """The records of a payload, a view of it; of a chunk that is not sealed up to an empty one."""
    size = dtype.itemsize
    records = payload[: len(payload) // size * size].view(dtype)
    if not sealed:
        empty = records["kind"] == 0
        if empty.any():
            return records[: int(np.argmax(empty))]
    return records


def records_of(chunk: Chunk, dtype: np.dtype[Any]) -> Recorded:
    """The event records of a chunk, a view of the file."""
    return filled(chunk.payload, dtype, sealed=chunk.sealed)


def times_of(records: Recorded, clock: ClockMap) -> tuple[I64, I64, Bools]:
    """Starts and ends in ns from the trace's start, and which of them can be.

    A wait may have begun before the session: of it, the part inside counts.
    """
    start, start_good = clock.convert(records["start"])
    end, end_good = clock.convert(records["start"] + records["duration"])
    good = start_good & end_good & (end >= start) & (end >= 0)
    return np.maximum(start, 0), end, good
