"""From the bytes of a trace file to its chunks, whatever state the file is in.

Nothing that the file says is trusted: sizes are held against the file's size, chunks against their
checksums, and what is passed over is stated.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
import struct
import weakref
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from gilscope.errors import TraceError
from gilscope.trace import format as fmt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gilscope.trace.arrays import U8

KINDS = frozenset(fmt.Chunk)
MAX_READ = 1 << 25  # bytes of a file that is read at once, and then left alone
MIN_ALIGNMENT = 64
MAX_ALIGNMENT = 1 << 30
MAX_RECORD_SIZE = 1 << 16
_STEP = 1 << 14  # places that are looked at together in a search for the next chunk
_HEAD = struct.Struct("<IHHIIQQQIIQQ")
_WORDS = struct.Struct("<QQQQ")
_MASK = (1 << 64) - 1


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


@dataclass(frozen=True, slots=True)
class Head:
    """A chunk's header; fields as in FORMAT.md.

    Attributes:
        at: offset of the chunk.
        end: offset of the end of its payload, not beyond the end of the file.
        sealed: its writer was done with it, and the file has all of it.
    """

    at: int
    end: int
    kind: int
    size: int
    thread: int
    sequence: int
    open_ticks: int
    sealed: bool
    used: int
    checksum: int


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


class File:
    """A file that is open for reading; a small one is read, a large one mapped.

    Attributes:
        path: the file.
        data: u8[size], what is in it; lives as long as any view of it.
        descriptor: open as long as the block of `opened`.
        complete: the writer has finished the file.
    """

    def __init__(self, path: Path, file: BinaryIO, size: int, max_read: int) -> None:
        self.path = path
        self.descriptor = file.fileno()
        self._mapping: mmap.mmap | None = None
        self._own: int | None = None
        self.complete = False
        if size > max_read:
            # Not closed by us: the views keep it, and it goes with the last of them.
            self._mapping = mmap.mmap(self.descriptor, size, access=mmap.ACCESS_READ)
            self._own = os.dup(self.descriptor)
            self._changed = os.fstat(self._own).st_mtime_ns
            weakref.finalize(self, os.close, self._own)
            self.data: U8 = np.frombuffer(self._mapping, np.uint8)
        else:
            self.data = np.fromfile(file, np.uint8, size)

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

    def check(self) -> None:
        """Make sure that what is mapped is still there: reading beyond the end would be fatal.

        Raises:
            TraceError: the file has been changed.
        """
        if self._own is None or self._mapping is None:
            return
        now = os.fstat(self._own)
        changed = self.complete and now.st_mtime_ns != self._changed
        if changed or now.st_size < len(self.data):
            raise TraceError(f"{self.path} was changed while it was open: open it again")

    def release(self) -> None:
        """Give back the memory of pages that were read; they come back when they are needed."""
        if self._mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._mapping.madvise(mmap.MADV_DONTNEED)


@contextmanager
def opened(path: Path, *, max_read: int | None = None) -> Iterator[File]:
    """Open a file.

    Args:
        path: the file.
        max_read: bytes up to which it is read, by default `MAX_READ`; a larger one is mapped.

    Raises:
        TraceError: it cannot be read, is no regular file or is too short for a trace.
    """
    try:
        # Asked first, because opening a pipe would wait for its writer.
        if not stat.S_ISREG(path.stat().st_mode):
            raise TraceError(f"{path} is not a gilscope trace: not a regular file")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < fmt.HEADER_SIZE:
                raise TraceError(f"{path} is not a gilscope trace: only {size} bytes")
            yield File(path, file, size, MAX_READ if max_read is None else max_read)
    except OSError as error:
        raise TraceError(f"cannot read {path}: {error.strerror or error}") from None


def _is_text(data: U8) -> bool:
    """Whether a file begins like the output of a command, such as JSON."""
    return all(32 <= byte < 127 or byte in b"\r\n\t" for byte in data[: fmt.HEADER_SIZE].tolist())  # noqa: PLR2004 - ASCII


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
        text = " but text: a trace is a file *.gilscope" if _is_text(data) else ""
        raise TraceError(f"{path} is not a gilscope trace{text}")
    problems = []
    if fmt.checksum(data[: fmt.HEADER_CHECKSUMMED]) != int(record["checksum"]):
        problems.append("the header is damaged: times, build and version may be wrong")
    major, minor = int(record["version_major"]), int(record["version_minor"])
    if major != fmt.VERSION_MAJOR:
        raise TraceError(
            f"{path} has trace format {major}.{minor}, but this gilscope reads"
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
        problems: collects what is wrong during the walk.
    """

    def __init__(self, file: File, header: Header, *, unknown: bool = False) -> None:
        self._file = file
        self._data = file.data
        self._at = header.header_size
        self._alignment = header.alignment
        self._with_unknown = unknown
        self._damaged: Counter[str] = Counter()
        self.problems: list[str] = []

    def __iter__(self) -> Iterator[Chunk]:
        for head in self.heads():
            chunk = self.chunk(head)
            if chunk is not None:
                yield chunk

    def heads(self) -> Iterator[Head]:
        """The headers of the chunks; payloads are not looked at."""
        unknown: Counter[int] = Counter()
        while self._at + fmt.CHUNK_HEADER_SIZE <= len(self._data):
            head = self._head(self._at)
            if head is None:
                self._at = self._next_chunk(self._at, self._damaged)
                continue
            self._at += head.size
            if head.kind in KINDS or self._with_unknown:
                yield head
            else:
                unknown[head.kind] += 1
        self.problems += damage(self._damaged)
        self.problems += [
            f"chunks of kind {kind}, which this gilscope does not know: {n} left out"
            for kind, n in sorted(unknown.items())
        ]

    def chunk(self, head: Head) -> Chunk | None:
        """The chunk of a header; None, and noted as damaged, if its checksum is wrong."""
        payload = payload_of(self._file, head)
        if payload is None:
            self._damaged[damaged_chunks(head.kind)] += 1
            return None
        return Chunk(head.kind, head.thread, head.sequence, head.open_ticks, head.sealed, payload)

    def _head(self, at: int) -> Head | None:
        """The chunk header at an offset; None if there is none that is whole."""
        # Not through the mapping: of a large file, that would bring in pages around each header.
        raw = os.pread(self._file.descriptor, fmt.CHUNK_HEADER_SIZE, at)
        if len(raw) < fmt.CHUNK_HEADER_SIZE:
            return None
        magic, kind, _, size, thread, sequence, ticks, check, state, used, checksum, _ = (
            _HEAD.unpack(raw)
        )
        if magic != fmt.CHUNK_MAGIC or size < fmt.CHUNK_HEADER_SIZE or size % self._alignment:
            return None
        a, b, c, d = _WORDS.unpack_from(raw)
        if (3 * a + 5 * b + 7 * c + 9 * d) & _MASK != check:
            return None
        begin, end, total = at + fmt.CHUNK_HEADER_SIZE, at + size, len(self._data)
        sealed = state == fmt.SEALED
        if end > total:
            self.problems.append(
                f"the file ends inside a chunk: up to {end - total} bytes are missing"
            )
            sealed = sealed and begin + used <= total
            end = total
        return Head(at, end, kind, size, thread, sequence, ticks, sealed, used, checksum)

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
            damaged["places where a chunk should begin and does not"] += 1
        return at if at + fmt.CHUNK_HEADER_SIZE <= size else size


def payload_of(file: File, head: Head) -> U8 | None:
    """The payload of a chunk, a view of the file; None if its checksum is wrong."""
    payload = file.data[head.at + fmt.CHUNK_HEADER_SIZE : head.end]
    if not head.sealed:
        return payload
    whole = head.used <= len(payload)
    payload = payload[: head.used]
    return payload if whole and fmt.checksum(payload) == head.checksum else None


def damaged_chunks(kind: int) -> str:
    """Return what damaged chunks of this kind are called."""
    return f"damaged chunks ({fmt.Chunk(kind).name.lower() if kind in KINDS else f'kind {kind}'})"


def damage(counts: Counter[str]) -> list[str]:
    """One line each for what is left out."""
    return [f"{what}: {n} left out" for what, n in counts.items()]
