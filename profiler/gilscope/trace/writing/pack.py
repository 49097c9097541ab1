"""Rewrite a trace so that it takes little room: packed events, no reserved space.

One pass over the chunks, with as many records in memory as one packed chunk holds.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from gilscope.trace import format as fmt
from gilscope.trace.packed import MAX_RECORDS, encode, joined
from gilscope.trace.reading.chunks import Chunk, ChunkWalk, File, Header, opened, read_header
from gilscope.trace.reading.definitions import Definitions, length_of, read_json
from gilscope.trace.reading.place_tables import PlaceTables
from gilscope.trace.reading.records import records_of
from gilscope.trace.writing.chunks import ALIGNMENT, definition
from gilscope.trace.writing.chunks import chunk as chunk_bytes
from gilscope.trace.writing.output import whole_file

if TYPE_CHECKING:
    import os

    import numpy.typing as npt

_RELEASE = 1 << 26  # bytes of the file that are read before their memory is given back


@dataclass(frozen=True, slots=True)
class Packed:
    """The result of packing.

    Attributes:
        events: records packed.
        event_bytes: bytes that they take in the packed trace.
        size_before: bytes that the original takes on the disk.
        size: bytes of the packed trace.
        problems: what is damaged in the original and could not be kept.
    """

    events: int
    event_bytes: int
    size_before: int
    size: int
    problems: tuple[str, ...]


def pack(
    source: str | os.PathLike[str], target: str | os.PathLike[str], *, force: bool = False
) -> Packed:
    """Write a packed copy of a trace.

    Args:
        source: a trace, packed or not, whole or not.
        target: the new file; it is there whole, or not at all.
        force: replace a file that exists.

    Raises:
        TraceError: the source cannot be read, or is no trace.
        ExportError: the target cannot be written.
    """
    source, target = Path(source), Path(target)
    with opened(source, max_read=0) as file:
        header, problems = read_header(file.data, source)
        with whole_file(target, [source], force=force) as out:
            out.write(_header(file))
            writer = _Writer(out, header)
            walk = ChunkWalk(file, header, unknown=True)
            read = 0
            for chunk in walk:
                writer.copy(chunk)
                read += len(chunk.payload)
                if read > _RELEASE:
                    # Pages of the file that is mapped; what is still needed comes back.
                    file.release()
                    read = 0
            problems += walk.problems
            writer.finish(problems)
            size = out.tell()
        return Packed(writer.events, writer.event_bytes, file.allocated(), size, tuple(problems))


class _Writer:
    """Writes the chunks of the packed trace.

    Attributes:
        events: records written so far.
        event_bytes: what their chunks take.
    """

    def __init__(self, out: BinaryIO, header: Header) -> None:
        self._out = out
        self._header = header
        self._record = fmt.event_dtype(header.event_size)
        self._metadata: dict[str, Any] = {}
        self._definitions: list[Chunk] = []
        self._last = 0
        self._pending: list[tuple[int, npt.NDArray[Any]]] = []
        self._count = 0
        self._sequence = 0
        self._open_ticks = 0
        self.events = 0
        self.event_bytes = 0

    def copy(self, chunk: Chunk) -> None:
        """Take over a chunk."""
        self._last = max(self._last, chunk.sequence)
        if chunk.kind == fmt.Chunk.EVENTS:
            self._add(chunk)
            return
        payload = chunk.payload
        if chunk.kind == fmt.Chunk.METADATA:
            self._metadata = read_json(chunk) or self._metadata
        if chunk.kind in (fmt.Chunk.METADATA, fmt.Chunk.END):
            payload = payload[: _last_byte(payload)]
        elif chunk.kind == fmt.Chunk.DEFINITIONS:
            payload = payload[: length_of(chunk)]
            self._definitions.append(chunk)
        elif chunk.kind == fmt.Chunk.THREADS:
            payload = payload[: self._used_slots(payload)]
        known = chunk.kind in fmt.Chunk
        self._write(chunk, payload.tobytes(), sealed=chunk.sealed or known)

    def finish(self, problems: list[str]) -> None:
        """Write what is left, and what the original does not say."""
        self._flush()
        resolved = self._resolved()
        if resolved:
            self._new(fmt.Chunk.DEFINITIONS, resolved)
        if problems:
            earlier = self._metadata.get(fmt.PROBLEMS_BEFORE_PACKING)
            known = earlier if isinstance(earlier, list) else []
            more = {fmt.PROBLEMS_BEFORE_PACKING: [*known, *problems]}
            self._new(fmt.Chunk.METADATA, json.dumps(self._metadata | more).encode())

    def _resolved(self) -> bytes:
        """Definitions of native code that was looked up and that the trace does not name."""
        definitions = Definitions()
        for chunk in sorted(self._definitions, key=lambda chunk: chunk.sequence):
            definitions.add(chunk)
        raw = definitions.places
        sites = PlaceTables(raw).sites
        texts = _Strings(first=max(raw.strings, default=0) + 1)
        found = []
        for number, (module, offset, function, file, line) in raw.sites.items():
            site = sites[number]
            names = (function or texts.number(site.function), file or texts.number(site.file))
            if names != (function, file):
                body = (number, module, offset, *names, line or site.line, 0)
                found.append(definition(fmt.Tag.SITE, struct.pack("<IIQIIII", *body)))
        return b"".join([*texts.definitions, *found])

    def _add(self, chunk: Chunk) -> None:
        records = records_of(chunk, self._record)
        for at in range(0, max(len(records), 1), MAX_RECORDS):
            part = records[at : at + MAX_RECORDS]
            if self._count + len(part) > MAX_RECORDS:
                self._flush()
            self._sequence = self._sequence or chunk.sequence
            self._open_ticks = max(self._open_ticks, chunk.open_ticks)
            self._count += len(part)
            if not len(part):
                continue
            if self._pending and self._pending[-1][0] == chunk.thread:
                part = joined([self._pending.pop()[1], part])
            self._pending.append((chunk.thread, part))

    def _flush(self) -> None:
        if not self._sequence:
            return
        begin = self._out.tell()
        head = (self._sequence, self._open_ticks)
        payload = encode(self._pending, self._open_ticks) if self._pending else None
        if payload is not None:
            packed = np.frombuffer(payload, np.uint8)
            kind = fmt.Chunk.PACKED_EVENTS
            self._write(Chunk(kind, 0, *head, sealed=True, payload=packed), payload)
        # These compress so well that readers would refuse the sizes; or the chunk is empty.
        runs = self._pending or [(0, np.zeros(0, self._record))]
        for thread, records in runs if payload is None else ():
            raw = records.view(np.uint8)
            chunk = Chunk(fmt.Chunk.EVENTS, thread, *head, sealed=True, payload=raw)
            self._write(chunk, raw.tobytes())
        self.events += self._count
        self.event_bytes += self._out.tell() - begin
        self._pending, self._count, self._sequence, self._open_ticks = [], 0, 0, 0

    def _used_slots(self, payload: npt.NDArray[np.uint8]) -> int:
        size = self._header.slot_size
        slots = payload[: len(payload) // size * size].view(fmt.slot_dtype(size))
        used = np.flatnonzero(slots["thread"])
        return (int(used[-1]) + 1) * size if len(used) else 0

    def _new(self, kind: int, payload: bytes) -> None:
        self._last += 1
        raw = np.frombuffer(payload, np.uint8)
        start = self._header.start_ticks
        self._write(Chunk(kind, 0, self._last, start, sealed=True, payload=raw), payload)

    def _write(self, chunk: Chunk, payload: bytes, *, sealed: bool = True) -> None:
        about = {"sequence": chunk.sequence, "open_ticks": chunk.open_ticks}
        self._out.write(
            chunk_bytes(chunk.kind, payload, thread=chunk.thread, sealed=sealed, **about)
        )


class _Strings:
    """Strings that are new in the packed trace.

    Attributes:
        definitions: of them.
    """

    def __init__(self, first: int) -> None:
        self._next = first
        self._numbers = {"": 0}
        self.definitions: list[bytes] = []

    def number(self, value: str) -> int:
        """Number of a string."""
        if value not in self._numbers:
            self._numbers[value] = self._next
            raw = value.encode()
            body = struct.pack("<II", self._next, len(raw)) + raw
            self.definitions.append(definition(fmt.Tag.STRING, body))
            self._next += 1
        return self._numbers[value]


def _header(file: File) -> bytes:
    """The header of the packed trace: the original's, but for where chunks are."""
    record = file.data[: fmt.HEADER_SIZE].view(fmt.HEADER).copy()
    record["alignment"], record["header_size"] = ALIGNMENT, fmt.HEADER_SIZE
    record["version_minor"] = max(int(record["version_minor"][0]), fmt.VERSION_MINOR)
    checked = record.view(np.uint8)[: fmt.HEADER_CHECKSUMMED]
    record["checksum"] = fmt.checksum(checked)
    return record.tobytes()


def _last_byte(payload: npt.NDArray[np.uint8]) -> int:
    """Length without the zeros at the end."""
    used = np.flatnonzero(payload)
    return int(used[-1]) + 1 if len(used) else 0
