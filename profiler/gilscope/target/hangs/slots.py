"""The open waits of a process that is recorded, from the slots of its trace (FORMAT.md)."""

from __future__ import annotations

import os
import struct
from typing import NamedTuple

_HEADER, _CHUNK = 128, 64
_CHUNK_MAGIC, _THREADS = 0x4B435347, 4
_SLOT_SIZE = 128
_OPEN_WAIT, _OPEN_KIND = 56, 64
_GIL_WAITS, _LOCK_WAIT = (2, 3), 4
_MOST_CHUNKS = 4096
_ENDED = 24  # end_ticks of a slot


class Open(NamedTuple):
    """A wait that goes on.

    Attributes:
        thread: Number of the slot.
        kind: ``gil_wait`` or ``lock_wait``.
        start: Ticks.
    """

    thread: int
    kind: str
    start: int


class Slots:
    """The slots of one trace, which another process writes."""

    def __init__(self, path: str) -> None:
        """Map the file.

        Raises:
            OSError: It cannot be read.
            ValueError: It is no trace.
        """
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._file = os.dup(file)
            header = os.pread(file, _HEADER, 0)
        finally:
            os.close(file)
        if len(header) < _HEADER or not header.startswith(b"GILSCOPE"):
            raise ValueError(path)
        self._begin, self._alignment = struct.unpack_from("<II", header, 12)
        self._chunks: list[tuple[int, int]] = []  # offset and size of those with slots
        self._at = self._begin

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def open_waits(self) -> list[Open]:
        """Return the waits that go on."""
        self._find_chunks()
        found = []
        for number, (offset, size) in enumerate(self._chunks):
            data = os.pread(self._file, size, offset)
            for at in range(0, len(data) - _SLOT_SIZE + 1, _SLOT_SIZE):
                kind, start = _open(data, at)
                if kind:
                    found.append(Open(number << 16 | at // _SLOT_SIZE, kind, start))
        return found

    def _find_chunks(self) -> None:
        """Go on through the chunks of the file's front; those of events are passed over."""
        size = os.fstat(self._file).st_size
        while self._at + _CHUNK <= size and len(self._chunks) < _MOST_CHUNKS:
            magic, kind, _, length = struct.unpack_from("<IHHI", os.pread(self._file, 12, self._at))
            if magic != _CHUNK_MAGIC or length < _CHUNK or length % self._alignment:
                return
            if kind == _THREADS:
                self._chunks.append((self._at + _CHUNK, length - _CHUNK))
            self._at += length


def _open(data: bytes, at: int) -> tuple[str, int]:
    """Return kind and start of a slot's open wait; "" where there is none."""
    start = struct.unpack_from("<Q", data, at + _OPEN_WAIT)[0]
    ended = struct.unpack_from("<Q", data, at + _ENDED)[0]
    if not start or ended:
        return "", 0
    code = struct.unpack_from("<I", data, at + _OPEN_KIND)[0]
    kind = "gil_wait" if code in _GIL_WAITS else "lock_wait" if code == _LOCK_WAIT else ""
    return kind, start
