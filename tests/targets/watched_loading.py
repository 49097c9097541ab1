"""Asks for a library that is loaded already, with the GIL, while a watch runs.

``watched_loading.py races|order``, with loader_calls.c preloaded. Prints how often the watch went
over the loaded objects for that.
"""

from __future__ import annotations

import ctypes
import sys
from importlib import import_module
from pathlib import Path

import stage

LIBRARY = b"libc.so.6"
TIMES = 5


def main() -> None:
    """Load the library once before, and then again and again."""
    noted = ctypes.CDLL(None)
    opener = ctypes.PyDLL(str(Path(stage.__file__).with_name("libopener.so")))
    watch = import_module(f"gilscope.target.{sys.argv[1]}.watch").Watch()
    watch.begin()
    before = noted.number_of_calls(0)
    opened = [opener.opener_open(LIBRARY) for _ in range(TIMES)]
    after = noted.number_of_calls(0)
    watch.end()
    assert all(opened)
    print(after - before)


if __name__ == "__main__":
    main()
