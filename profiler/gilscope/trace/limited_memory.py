"""Traces larger than memory: large arrays lie in files that have no name.

All analyses work as they are: numpy asks for the memory of an array, and gets that of a file. The
kernel writes it down and reads it as it needs to, and a thread lets go of it when the process has
as much in memory as it may. docs/decisions/0018-traces-larger-than-memory.md has the reasons.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST = 512 << 20
"""The least that memory may be limited to, bytes: what the libraries need, and some blocks."""

_LARGE, _MEDIUM = 1 / 64, 1 / 2048  # of the limit: the sizes of arrays that may be in files
_HEAP = 1 / 4  # what arrays of the former size may have outside of files
_ANONYMOUS = 1 / 2  # what the process may have outside of files before those of the latter go there
_RESIDENT = 1 / 2  # what it may have in memory; the rest is for what numpy sorts with
_FILES = 1 / 8  # what files keep in memory all the same


@dataclass(slots=True)
class FileMemory:
    """What the block took from files.

    Attributes:
        most: the most at any time, bytes.
        refused: bytes for which there was no room, so that they were taken from the heap.
    """

    most: int = 0
    refused: int = 0


@contextmanager
def limited_memory(limit: int, folder: str) -> Iterator[FileMemory]:
    """Keep the memory of this process below a limit while the block runs.

    Only arrays that the calling thread makes go to files; all else counts, but stays where it is.

    Args:
        limit: bytes, at least `LEAST`.
        folder: for the files; it should be on a disk.

    Yields:
        What was taken, complete when the block has ended.

    Raises:
        RuntimeError: such a block runs already, or numpy's memory is of an unknown form.
    """
    from gilscope import _file_memory  # noqa: PLC0415 - loads numpy

    parts = _LARGE, _MEDIUM, _HEAP, _ANONYMOUS, _RESIDENT, _FILES
    before = _file_memory.begin(folder, *(int(limit * part) for part in parts))
    taken = FileMemory()
    try:
        yield taken
    finally:
        _file_memory.end(before)
        _, taken.most, taken.refused = _file_memory.figures()
