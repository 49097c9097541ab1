"""A trace on the clock of another host: the same events, at times that can be compared."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope.trace import format as fmt
from gilscope.trace.reading.chunks import Chunk, ChunkWalk, opened, read_header
from gilscope.trace.reading.definitions import length_of, read_json
from gilscope.trace.writing.chunks import ALIGNMENT
from gilscope.trace.writing.chunks import chunk as chunk_bytes
from gilscope.trace.writing.output import whole_file

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from gilscope.trace.reading.chunks import Header

_DEFINITION = struct.Struct("<HHI")
_TIMES = struct.Struct("<QQ")  # CLOCK_MONOTONIC, CLOCK_REALTIME; behind the ticks
_TICKS = 8  # bytes
_SAMPLES_HEAD = 8  # bytes


def reclock(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    monotonic: Callable[[int], int],
    *,
    realtime_apart_ns: int,
    remarks: tuple[str, ...] = (),
) -> None:
    """Write a copy of a trace whose times are those of another host's clock.

    Events are copied as they are: what ticks mean is said anew.

    Args:
        source: a trace.
        target: the new file; an existing one is replaced.
        monotonic: from CLOCK_MONOTONIC of its host to that of the other one, ns; increasing.
        realtime_apart_ns: what CLOCK_REALTIME of the other host is ahead of its CLOCK_MONOTONIC.
        remarks: what to know of these times; the trace then says so among its problems.

    Raises:
        TraceError: the source cannot be read, or is no trace.
        ExportError: the target cannot be written.
    """
    source, target = Path(source), Path(target)
    with opened(source) as file:
        header, problems = read_header(file.data, source)
        copy = _Copy(header, monotonic, realtime_apart_ns)
        with whole_file(target, [source], force=True) as out:
            out.write(copy.header(file.data[: fmt.HEADER_SIZE]))
            walk = ChunkWalk(file, header, unknown=True)
            for chunk in walk:
                payload = copy.payload(chunk)
                sealed = chunk.sealed or chunk.kind == fmt.Chunk.DEFINITIONS
                about = {"sequence": chunk.sequence, "open_ticks": chunk.open_ticks}
                out.write(
                    chunk_bytes(chunk.kind, payload, thread=chunk.thread, sealed=sealed, **about)
                )
            out.write(copy.metadata([*problems, *walk.problems, *remarks]))


class _Copy:
    """What changes."""

    def __init__(
        self, header: Header, monotonic: Callable[[int], int], realtime_apart_ns: int
    ) -> None:
        self._header = header
        self._monotonic = monotonic
        self._apart = realtime_apart_ns
        self._metadata: dict[str, Any] = {}
        self._last = 0

    def header(self, raw: Any) -> bytes:
        """Return the header of the copy."""
        record = raw.view(fmt.HEADER).copy()
        start = self._monotonic(self._header.start_monotonic)
        record["alignment"], record["header_size"] = ALIGNMENT, fmt.HEADER_SIZE
        record["start_monotonic"], record["start_realtime"] = start, start + self._apart
        record["checksum"] = fmt.checksum(record.view(np.uint8)[: fmt.HEADER_CHECKSUMMED])
        return bytes(record.tobytes())

    def payload(self, chunk: Chunk) -> bytes:
        """Return the payload of a chunk of the copy."""
        self._last = max(self._last, chunk.sequence)
        if chunk.kind == fmt.Chunk.METADATA:
            self._metadata = read_json(chunk) or self._metadata
        if chunk.kind == fmt.Chunk.DEFINITIONS:
            return self._definitions(chunk.payload[: length_of(chunk)].tobytes())
        if chunk.kind == fmt.Chunk.SAMPLES:
            return self._samples(chunk.payload.tobytes())
        return chunk.payload.tobytes()

    def metadata(self, remarks: list[str]) -> bytes:
        """Return a chunk that says what is to be known of the copy; no bytes if nothing is."""
        if not remarks:
            return b""
        earlier = self._metadata.get(fmt.PROBLEMS_BEFORE_PACKING)
        known = earlier if isinstance(earlier, list) else []
        text = json.dumps(self._metadata | {fmt.PROBLEMS_BEFORE_PACKING: [*known, *remarks]})
        number, start = self._last + 1, self._header.start_ticks
        return chunk_bytes(fmt.Chunk.METADATA, text.encode(), sequence=number, open_ticks=start)

    def _definitions(self, payload: bytes) -> bytes:
        found, at = bytearray(payload), 0
        while at + _DEFINITION.size <= len(found):
            tag, _, length = _DEFINITION.unpack_from(found, at)
            if length < _DEFINITION.size or at + length > len(found):
                break
            place = at + _DEFINITION.size + _TICKS
            if tag == fmt.Tag.CLOCK and place + _TIMES.size <= at + length:
                now = self._monotonic(_TIMES.unpack_from(found, place)[0])
                _TIMES.pack_into(found, place, now, now + self._apart)
            at += length
        return bytes(found)

    def _samples(self, payload: bytes) -> bytes:
        if len(payload) < _SAMPLES_HEAD:
            return payload
        size, count = struct.unpack_from("<II", payload)
        begin = _SAMPLES_HEAD + size
        if begin + count * fmt.SAMPLE_ROW.itemsize > len(payload):
            return payload
        rows = np.frombuffer(payload, fmt.SAMPLE_ROW, count, begin).copy()
        for name in ("begin", "end"):
            rows[name] = [self._monotonic(one) for one in rows[name].tolist()]
        end = begin + count * fmt.SAMPLE_ROW.itemsize
        return payload[:begin] + rows.tobytes() + payload[end:]
