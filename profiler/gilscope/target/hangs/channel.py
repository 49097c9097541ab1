"""Memory that a recorded process and its watcher both have: what is recorded, what was found.

The layout's first 20 bytes are those of native_probe/core/hang_report.hpp, whose code takes reports
into the trace while the program hangs.
"""

from __future__ import annotations

import json
import os
import struct
from typing import Any

SIZE = (1 << 20) + (1 << 16)
NAME = "gilscope-hangs-"
_CONFIG, _CONFIG_END = 64, 1 << 16
_REPORTS, _REPORT_SIZE = 1 << 16, 3 << 16  # up to five, one after the other
_ENDING, _ENDING_SIZE = 1 << 20, 1 << 16  # replaced again and again, taken at the end only
MOST_REPORTS = (_ENDING - _REPORTS) // _REPORT_SIZE
(
    _ACTIVE, _PID, _SIZE, _TAKEN, _OFFSET, _CONFIG_SIZE, _TURN, _ENDING_LENGTH, _HEARD,
    _SAMPLED, _WANTED, _READY, _BUSY,
) = range(0, 52, 4)  # fmt: skip


def make_memory() -> int:
    """Make the memory of this process's channel; return its descriptor.

    Raises:
        OSError: It cannot be made.
    """
    descriptor = os.memfd_create(f"{NAME}{os.getpid()}", os.MFD_CLOEXEC)
    try:
        os.ftruncate(descriptor, SIZE)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


class Channel:
    """One process's; the watcher maps the same memory."""

    def __init__(self, memory: Any) -> None:
        """Take the memory: a writable buffer of `SIZE` bytes that stays."""
        self._memory = memory

    def own(self) -> None:
        """Say that this process is the one that is watched."""
        self._put(_PID, os.getpid())

    def _put(self, at: int, value: int) -> None:
        # Native, not "<I", which is written byte by byte: others read it meanwhile.
        struct.pack_into("I", self._memory, at, value)

    def _get(self, at: int) -> int:
        value: int = struct.unpack_from("<I", self._memory, at)[0]
        return value

    @property
    def pid(self) -> int:
        """The process that is watched."""
        return self._get(_PID)

    @property
    def turn(self) -> int:
        """Number of the recording, from 1 on."""
        return self._get(_TURN)

    @property
    def active(self) -> bool:
        """Whether a recording runs."""
        return bool(self._get(_ACTIVE))

    @property
    def taken(self) -> bool:
        """Whether the latest report is in the trace."""
        return bool(self._get(_TAKEN)) or not self._get(_SIZE)

    def begin(self, config: dict[str, Any]) -> bool:
        """Begin a recording; False if there is no room for what is to be known of it."""
        self.end()
        if not self._put_config(config):
            return False
        self._put(_SIZE, 0)
        self._put(_ENDING_LENGTH, 0)
        self._put(_BUSY, 0)
        self._put(_TAKEN, 0)
        self._put(_TURN, self.turn + 1)
        self._put(_ACTIVE, 1)
        return True

    def _put_config(self, config: dict[str, Any]) -> bool:
        data = json.dumps(config).encode()
        if len(data) > _CONFIG_END - _CONFIG:
            return False
        self._memory[_CONFIG : _CONFIG + len(data)] = data
        self._put(_CONFIG_SIZE, len(data))
        return True

    def end(self) -> None:
        """End it."""
        self._put(_ACTIVE, 0)
        self._put(_WANTED, 0)

    def want(self, config: dict[str, Any]) -> None:
        """Have the watcher make ready to sample the next recording."""
        if self._put_config(config):
            self._put(_WANTED, self.turn + 1)

    @property
    def wanted(self) -> int:
        """Number of a recording that is about to begin and is to be sampled; else 0."""
        return self._get(_WANTED)

    @property
    def ready(self) -> bool:
        """Whether the recording that is about to begin is sampled already."""
        return self._get(_READY) == self.wanted

    def put_ready(self, turn: int) -> None:
        """Say that a recording that is about to begin is sampled already."""
        self._put(_READY, turn)

    @property
    def sampled(self) -> bool:
        """Whether the samples of the latest recording are in its trace."""
        return self._get(_SAMPLED) == self.turn

    def put_sampled(self, turn: int) -> None:
        """Say that the samples of a recording are in its trace."""
        self._put(_SAMPLED, turn)

    def config(self) -> dict[str, Any]:
        """Return what `begin` was given."""
        data = self._memory[_CONFIG : _CONFIG + self._get(_CONFIG_SIZE)]
        config: dict[str, Any] = json.loads(bytes(data))
        return config

    def report(self) -> str:
        """Return the latest report as it is to stand in the trace; "" if there is none."""
        begin, size = self._get(_OFFSET), self._get(_SIZE)
        return bytes(self._memory[begin : begin + size]).decode("utf-8", "replace")

    @property
    def heard(self) -> bool:
        """Whether the program has taken the signal that was sent for the latest report."""
        return bool(self._get(_HEARD))

    def hear(self) -> None:
        """Say that the program has taken the signal."""
        self._put(_HEARD, 1)

    def put_report(self, number: int, text: str) -> bool:
        """Leave a report for the trace, which replaces the one before; False if it is too long."""
        data = text.encode()
        if len(data) > _REPORT_SIZE or number >= MOST_REPORTS:
            return False
        begin = _REPORTS + number * _REPORT_SIZE
        self._put(_SIZE, 0)
        self._memory[begin : begin + len(data)] = data
        self._put(_OFFSET, begin)
        self._put(_HEARD, 0)
        self._put(_TAKEN, 0)
        self._put(_SIZE, len(data))
        return True

    @property
    def busy(self) -> bool:
        """Whether the watcher has something to add to the ending when the recording ends."""
        return bool(self._get(_BUSY))

    def set_busy(self, *, busy: bool) -> None:
        """Say that it has, or that it has done so."""
        self._put(_BUSY, int(busy))

    def put_ending(self, text: str) -> bool:
        """Leave what is to be added to the trace when it ends; False if it is too long."""
        data = text.encode()
        if len(data) > _ENDING_SIZE:
            return False
        self._put(_ENDING_LENGTH, 0)
        self._memory[_ENDING : _ENDING + len(data)] = data
        self._put(_ENDING_LENGTH, len(data))
        return True

    def ending(self) -> str:
        """Return what `put_ending` left last; "" if there is nothing, or it is being written."""
        size = self._get(_ENDING_LENGTH)
        data = bytes(self._memory[_ENDING : _ENDING + size])
        try:
            json.loads(data)
        except ValueError:
            return ""
        return data.decode()
