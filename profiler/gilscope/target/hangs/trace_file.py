"""Adds chunks to the trace of a process that has ended, or has stopped recording (FORMAT.md)."""

from __future__ import annotations

import os
import struct

_MAGIC = b"GILSCOPE"
_HEADER = 128
_CHUNK_MAGIC = 0x4B435347
_CHUNK_HEADER = 64
METADATA, SAMPLES = 1, 7
_SEALED = 1
_MASK = (1 << 64) - 1


def add_metadata(path: str, pid: int, text: str) -> bool:
    """Append a METADATA chunk, a JSON object, to a trace; the last one in a file counts."""
    return add_chunk(path, pid, METADATA, text.encode())


def add_chunk(path: str, pid: int, kind: int, payload: bytes) -> bool:
    """Append a chunk to a trace.

    Args:
        path: The trace.
        pid: The process that it has to be of: another file may have taken its place.
        kind: Of the chunk.
        payload: What stands in it.

    Returns:
        Whether it was done.
    """
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        header = os.pread(file, _HEADER, 0)
        if len(header) < _HEADER or not header.startswith(_MAGIC):
            return False
        alignment, owner = (
            struct.unpack_from("<I", header, 16)[0],
            struct.unpack_from("<I", header, 40)[0],
        )
        if owner != pid or alignment < _CHUNK_HEADER or alignment & (alignment - 1):
            return False
        end = -(-os.fstat(file).st_size // alignment) * alignment
        return _write(file, _chunk(kind, payload, alignment), end)
    except OSError:
        return False
    finally:
        os.close(file)


def _write(file: int, data: bytes, at: int) -> bool:
    """Write all of it, or leave the file as it was."""
    before, written = os.fstat(file).st_size, 0
    try:
        while written < len(data):
            written += os.pwrite(file, data[written:], at + written)
    except OSError:
        os.ftruncate(file, before)
        return False
    return True


def _chunk(kind: int, payload: bytes, alignment: int) -> bytes:
    size = -(-(_CHUNK_HEADER + len(payload)) // alignment) * alignment
    head = struct.pack("<IHHIIQQ", _CHUNK_MAGIC, kind, 0, size, 0, 0, 0)
    head += struct.pack("<Q", _checksum(head))
    head += struct.pack("<IIQQ", _SEALED, len(payload), _checksum(payload), 0)
    return (head + payload).ljust(size, b"\0")


def _checksum(data: bytes) -> int:
    data += bytes(-len(data) % 8)
    words: tuple[int, ...] = struct.unpack(f"<{len(data) // 8}Q", data)
    total = sum(word * (2 * i + 1) for i, word in enumerate(words, 1))
    return total & _MASK
