"""The open waits of a process that is recorded, from the slots of its trace (FORMAT.md)."""

from __future__ import annotations

import os
import struct
from typing import NamedTuple

_HEADER, _CHUNK = 128, 64
_CHUNK_MAGIC, _DEFINITIONS, _THREADS = 0x4B435347, 2, 4
_LOCK = 4  # tag of a lock's definition
_PAUSES = (8, 9)  # kinds of lock: stop_the_world, stop_the_world_request
_SIGNALS = (6, 7, 14, 34)  # simple_queue, event, thread_end, native_condition: nobody has these
_SLOT_SIZE = 128
_TID = 4
_OPEN_WAIT, _OPEN_KIND, _OPEN_WHAT = 56, 64, 68
_GIL_WAITS, _LOCK_WAIT = (2, 3), 4
_MOST_CHUNKS = 4096
_ENDED = 24  # end_ticks of a slot


# What a wait for such a lock is: one while the world is stopped, or to stop it, is a pause.
_WAITS_FOR = {**dict.fromkeys(_PAUSES, "pause"), **dict.fromkeys(_SIGNALS, "")}


class Open(NamedTuple):
    """A wait that goes on.

    Attributes:
        thread: Number of the slot.
        kind: ``gil_wait``, ``lock_wait`` or ``pause``. Waits for something to happen, such as for
            the next item of a queue, are none.
        start: Ticks.
        tid: The kernel's id of the thread.
    """

    thread: int
    kind: str
    start: int
    tid: int


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
        self._definitions: list[tuple[int, int]] = []
        self._kinds: dict[int, int] = {}  # of locks
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
                kind, start, what = _open(data, at)
                if kind == "lock_wait":
                    kind = _WAITS_FOR.get(self._kind_of(what), kind)
                if kind:
                    tid = struct.unpack_from("<I", data, at + _TID)[0]
                    found.append(Open(number << 16 | at // _SLOT_SIZE, kind, start, tid))
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
            elif kind == _DEFINITIONS:
                self._definitions.append((self._at + _CHUNK, length - _CHUNK))
            self._at += length

    def _kind_of(self, lock: int) -> int:
        """Return the kind of a lock; 0 if it is not known."""
        if lock not in self._kinds:
            for offset, size in self._definitions:
                self._read_locks(os.pread(self._file, size, offset))
            self._kinds.setdefault(lock, 0)
        return self._kinds[lock]

    def _read_locks(self, data: bytes) -> None:
        at = 0
        while at + 8 <= len(data):
            tag, _, length = struct.unpack_from("<HHI", data, at)
            if not tag or length < 8 or at + length > len(data):  # noqa: PLR2004 - its head
                return
            if tag == _LOCK:
                lock, kind = struct.unpack_from("<IH", data, at + 8)
                self._kinds[lock] = kind
            at += length


def _open(data: bytes, at: int) -> tuple[str, int, int]:
    """Return kind, start and subject of a slot's open wait; "" where there is none."""
    start = struct.unpack_from("<Q", data, at + _OPEN_WAIT)[0]
    ended = struct.unpack_from("<Q", data, at + _ENDED)[0]
    if not start or ended:
        return "", 0, 0
    code = struct.unpack_from("<I", data, at + _OPEN_KIND)[0]
    kind = "gil_wait" if code in _GIL_WAITS else "lock_wait" if code == _LOCK_WAIT else ""
    return kind, start, struct.unpack_from("<I", data, at + _OPEN_WHAT)[0]
