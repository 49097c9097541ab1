"""The library bound with ctypes: it is loaded as it is, beside this file."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

RelayCallback = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int)
RelayLog = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p)

library = ctypes.CDLL(str(Path(__file__).with_name("librelay.so")))
library.relay_compute.restype = ctypes.c_uint64


class Logger:
    """Takes log records; derive from it and add ``log(level, text)``."""

    def log(self, level: int, text: str) -> None:
        """Take one record."""
        raise NotImplementedError


def bound(callback: Callable[[int], object]) -> ctypes._CFuncPtr:
    """Make a C function that calls a Python one."""
    return RelayCallback(lambda _context, number: callback(number))


def forward(callback: Callable[[int], object], calls: int) -> None:
    """Call back from this thread."""
    library.relay_forward(bound(callback), None, calls)


def forward_from_threads(callback: Callable[[int], object], threads: int, calls: int) -> None:
    """Call back from native threads."""
    library.relay_forward_from_threads(bound(callback), None, threads, calls)


def log_from_threads(logger: Logger, threads: int, records: int) -> None:
    """Log from native threads."""

    def log(_context: int, level: int, text: bytes) -> None:
        logger.log(level, text.decode())

    library.relay_log_from_threads(RelayLog(log), None, threads, records)


compute = library.relay_compute
contend = library.relay_contend
