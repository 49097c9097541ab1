"""From the bytes of a trace file to its chunks, whatever state the file is in.

Nothing that the file says is trusted: sizes are held against the file's size, chunks against their
checksums, and what is passed over is stated.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope.errors import TraceError
from gilscope.trace import format as fmt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gilscope.trace.model import U8

MIN_ALIGNMENT = 64
MAX_ALIGNMENT = 1 << 30
MAX_RECORD_SIZE = 1 << 16
_STEP = 1 << 14  # places that are looked at together in a search for the next chunk


@dataclass(frozen=True, slots=True)
class Header:
    """The file's header; fields as in FORMAT.md."""

    version_minor: int
    header_size: int
    alignment: int
    event_size: int
    slot_size: int
    flags: int
    clock: int
    pid: int
    python: int
    start_ticks: int
    start_monotonic: int
    start_realtime: int
    ticks_per_second: int
    session: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """A chunk that can be read.

    Attributes:
        kind: as in the format, maybe one that is unknown here.
        thread: index of the thread that wrote it (events only).
        sequence: order of allocation.
        open_ticks: when it was allocated.
        sealed: its writer was done with it; all of the payload is good. Else it is what a crash
            left, or what the end of the file cut: good up to the first empty record.
        payload: u8[n], a view of the file.
    """

    kind: int
    thread: int
    sequence: int
    open_ticks: int
    sealed: bool
    payload: U8


@dataclass(frozen=True, slots=True, eq=False)
class File:
    """A file that is open for reading.

    Attributes:
        data: u8[size], the file mapped; lives as long as any view of it.
        descriptor: open as long as the block of `opened`.
    """

    data: U8
    descriptor: int

    def next_data(self, at: int) -> int:
        """Offset of the next byte at or after `at` that is not in a hole of a sparse file."""
        try:
            return os.lseek(self.descriptor, at, os.SEEK_DATA)
        except OSError as error:
            # ENXIO: only a hole is left. Others: the file system does not know holes.
            return len(self.data) if error.errno == errno.ENXIO else at

    def allocated(self) -> int:
        """Bytes that the file takes on the disk."""
        return os.fstat(self.descriptor).st_blocks * 512


@contextmanager
def opened(path: Path) -> Iterator[File]:
    """Open and map a file.

    Raises:
        TraceError: it cannot be read, is no regular file or is too short for a trace.
    """
    try:
        # Asked first, because opening a pipe would wait for its writer.
        if not stat.S_ISREG(path.stat().st_mode):
            raise TraceError(f"{path} is not a gilscope trace: it is no regular file")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < fmt.HEADER_SIZE:
                raise TraceError(f"{path} is not a gilscope trace: {size} bytes are no header")
            mapping = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
            # Not closed here: the views keep it, and it goes with the last of them.
            yield File(np.frombuffer(mapping, np.uint8), file.fileno())
    except OSError as error:
        raise TraceError(f"cannot read {path}: {error.strerror or error}") from None


def read_header(data: U8, path: Path) -> tuple[Header, list[str]]:
    """Read the header.

    Returns:
        The header, and what is wrong with it.

    Raises:
        TraceError: this is no trace, or one of another major version, or one so damaged that
            nothing behind the header can be found.
    """
    record: Any = data[: fmt.HEADER_SIZE].view(fmt.HEADER)[0]
    if bytes(record["magic"]) != fmt.MAGIC:
        raise TraceError(f"{path} is not a gilscope trace")
    problems = []
    if fmt.checksum(data[: fmt.HEADER_CHECKSUMMED]) != int(record["checksum"]):
        problems.append("the header is damaged: times, build and version may be wrong")
    major, minor = int(record["version_major"]), int(record["version_minor"])
    if major != fmt.VERSION_MAJOR:
        raise TraceError(
            f"{path} has trace format {major}.{minor} and this gilscope reads"
            f" {fmt.VERSION_MAJOR}.x: use the gilscope that recorded it, or a newer one"
        )
    names = [name for name in Header.__dataclass_fields__ if name != "session"]
    numbers = {name: int(record[name]) for name in names}
    header = Header(**numbers, session=record["session"].tobytes())
    if not _plausible(header):
        raise TraceError(f"{path} cannot be read: its header is damaged")
    return header, problems


def _plausible(header: Header) -> bool:
    alignment = header.alignment
    records = (header.event_size, fmt.EVENT_SIZE), (header.slot_size, fmt.SLOT_SIZE)
    return (
        MIN_ALIGNMENT <= alignment <= MAX_ALIGNMENT
        and alignment & (alignment - 1) == 0
        and header.header_size >= fmt.HEADER_SIZE
        and header.header_size % alignment == 0
        and all(least <= size <= MAX_RECORD_SIZE and size % 8 == 0 for size, least in records)
    )


class ChunkWalk:
    """One pass over the chunks of a file; those of unknown kinds are left out unless asked for.

    Attributes:
        problems: filled in while the walk goes on.
    """

    def __init__(self, file: File, header: Header, *, unknown: bool = False) -> None:
        self._file = file
        self._data = file.data
        self._at = header.header_size
        self._alignment = header.alignment
        self._with_unknown = unknown
        self.problems: list[str] = []

    def __iter__(self) -> Iterator[Chunk]:
        damaged: Counter[str] = Counter()
        unknown: Counter[int] = Counter()
        while self._at + fmt.CHUNK_HEADER_SIZE <= len(self._data):
            head = self._head(self._at)
            if head is None:
                self._at = self._next_chunk(self._at, damaged)
                continue
            chunk = self._chunk(head, damaged)
            self._at += int(head["size"])
            if chunk is None:
                continue
            if chunk.kind in fmt.Chunk or self._with_unknown:
                yield chunk
            else:
                unknown[chunk.kind] += 1
        self.problems += [f"{what}: {n} left out" for what, n in damaged.items()]
        self.problems += [
            f"chunks of kind {kind}, which this gilscope does not know: {n} left out"
            for kind, n in sorted(unknown.items())
        ]

    def _head(self, at: int) -> Any:
        """The chunk header at an offset; None if there is none that is whole."""
        raw = self._data[at : at + fmt.CHUNK_HEADER_SIZE]
        head: Any = raw.view(fmt.CHUNK_HEADER)[0]
        good = (
            int(head["magic"]) == fmt.CHUNK_MAGIC
            and int(head["size"]) >= fmt.CHUNK_HEADER_SIZE
            and int(head["size"]) % self._alignment == 0
            and fmt.checksum(raw[: fmt.CHUNK_CHECKSUMMED]) == int(head["header_checksum"])
        )
        return head if good else None

    def _chunk(self, head: Any, damaged: Counter[str]) -> Chunk | None:
        begin = self._at + fmt.CHUNK_HEADER_SIZE
        end = self._at + int(head["size"])
        sealed = int(head["state"]) == fmt.SEALED
        if end > len(self._data):
            lost = end - len(self._data)
            self.problems.append(f"the file ends inside a chunk: up to {lost} bytes are missing")
            sealed = sealed and begin + int(head["used"]) <= len(self._data)
        payload = self._data[begin : min(end, len(self._data))]
        if sealed:
            used = int(head["used"])
            whole = used <= len(payload)
            payload = payload[:used]
            if not whole or fmt.checksum(payload) != int(head["checksum"]):
                damaged[f"damaged chunks ({_name(int(head['kind']))})"] += 1
                return None
        names = ("kind", "thread", "sequence", "open_ticks")
        kind, thread, sequence, open_ticks = (int(head[name]) for name in names)
        return Chunk(kind, thread, sequence, open_ticks, sealed, payload)

    def _next_chunk(self, at: int, damaged: Counter[str]) -> int:
        """Offset of the next place that begins like a chunk; the file's size if there is none."""
        begin, size, stride = at, len(self._data), self._alignment // 4
        something = False
        while at + fmt.CHUNK_HEADER_SIZE <= size:
            end = min(at + _STEP * self._alignment, size)
            block = self._data[at : at + (end - at) // 4 * 4]
            found = np.flatnonzero(block.view("<u4")[::stride] == fmt.CHUNK_MAGIC)
            found = found[found > 0] if at == begin else found
            next_at = at + int(found[0]) * self._alignment if len(found) else end
            something = something or bool(self._data[at:next_at].any())
            at = next_at
            if len(found):
                break
            at = max(at, self._file.next_data(at) // self._alignment * self._alignment)
        if something:
            damaged["places where a chunk should begin and none does"] += 1
        return at if at + fmt.CHUNK_HEADER_SIZE <= size else size


def _name(kind: int) -> str:
    return fmt.Chunk(kind).name.lower() if kind in fmt.Chunk else f"kind {kind}"
