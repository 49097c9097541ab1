"""The library bound with cffi: a compiled module calls it, and releases the GIL around."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from _relay_cffi import ffi, lib

if TYPE_CHECKING:
    from collections.abc import Callable


class Logger:
    """Takes log records; derive from it and add ``log(level, text)``."""


@ffi.def_extern()
def call(context: Any, number: int) -> None:
    """Call what the handle stands for."""
    ffi.from_handle(context)(number)


@ffi.def_extern()
def log_to(context: Any, level: int, text: Any) -> None:
    """Log to what the handle stands for."""
    ffi.from_handle(context).log(level, ffi.string(text).decode())


def forward(callback: Callable[[int], object], calls: int) -> None:
    """Call back from this thread."""
    handle = ffi.new_handle(callback)
    lib.relay_forward(lib.call, handle, calls)


def forward_from_threads(callback: Callable[[int], object], threads: int, calls: int) -> None:
    """Call back from native threads."""
    handle = ffi.new_handle(callback)
    lib.relay_forward_from_threads(lib.call, handle, threads, calls)


def log_from_threads(logger: Logger, threads: int, records: int) -> None:
    """Log from native threads."""
    handle = ffi.new_handle(logger)
    lib.relay_log_from_threads(lib.log_to, handle, threads, records)


compute = lib.relay_compute
contend = lib.relay_contend
