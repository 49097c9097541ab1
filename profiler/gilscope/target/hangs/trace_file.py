"""Adds metadata to the trace of a process that has ended, or has stopped recording (FORMAT.md)."""

from __future__ import annotations

import os
import struct

_MAGIC = b"GILSCOPE"
_HEADER = 128
_CHUNK_MAGIC = 0x4B435347
_CHUNK_HEADER = 64
_METADATA, _SEALED = 1, 1
_MASK = (1 << 64) - 1


def add_metadata(path: str, pid: int, text: str) -> bool:
    """Append a METADATA chunk to a trace; the last one in a file counts.

    Args:
        path: The trace.
        pid: The process that it has to be of: another file may have taken its place.
        text: A JSON object.

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
        return os.pwrite(file, _chunk(text.encode(), alignment), end) > 0
    except OSError:
        return False
    finally:
        os.close(file)


def _chunk(payload: bytes, alignment: int) -> bytes:
    size = -(-(_CHUNK_HEADER + len(payload)) // alignment) * alignment
    head = struct.pack("<IHHIIQQ", _CHUNK_MAGIC, _METADATA, 0, size, 0, 0, 0)
    head += struct.pack("<Q", _checksum(head))
    head += struct.pack("<IIQQ", _SEALED, len(payload), _checksum(payload), 0)
    return (head + payload).ljust(size, b"\0")


def _checksum(data: bytes) -> int:
    data += bytes(-len(data) % 8)
    words: tuple[int, ...] = struct.unpack(f"<{len(data) // 8}Q", data)
    total = sum(word * (2 * i + 1) for i, word in enumerate(words, 1))
    return total & _MASK
