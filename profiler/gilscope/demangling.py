"""Names of native functions as their source has them. Standard library only."""

from __future__ import annotations

import ctypes
import re
from functools import lru_cache
from typing import Any

# Suffixes of compilers: Rust adds a hash, GCC marks a changed copy.
_ADDED = re.compile(r"::h[0-9a-f]{16}$|( \[clone [^]]*\])+$")


@lru_cache(4096)
def demangle(name: str) -> str:
    """Return a name as its source has it; names of other languages stay what they are."""
    function = _demangler() if name.startswith("_Z") else None
    if function is None:
        return name
    address = function(name.encode(), None, None, None)
    if not address:
        return name
    try:
        shown = ctypes.string_at(address).decode(errors="replace")
    finally:
        _free()(address)
    return _ADDED.sub("", shown)


@lru_cache(1)
def _demangler() -> Any:
    """Return the C++ library's own; None if there is no such library."""
    for name in ("libstdc++.so.6", "libc++abi.so.1"):
        try:
            function: Any = ctypes.CDLL(name)["__cxa_demangle"]
        except (OSError, AttributeError):
            continue
        function.restype = ctypes.c_void_p
        function.argtypes = [ctypes.c_char_p, *[ctypes.c_void_p] * 3]
        return function
    return None


@lru_cache(1)
def _free() -> Any:
    free = ctypes.CDLL(None).free
    free.restype, free.argtypes = None, [ctypes.c_void_p]
    return free
