"""Descriptors that gilscope keeps in a program's process.

The program may close what it did not open, as daemons do, and its own files then get the number:
what is written there, or closed, would be the program's.
"""

from __future__ import annotations

import contextlib
import os

OUT_OF_THE_WAY = 200
"""The program's files have the numbers that they have without us, as long as they are fewer."""


class OwnDescriptor:
    """One of ours, which knows when it is not any more."""

    def __init__(self, descriptor: int) -> None:
        """Take over the descriptor of a file, a pipe or memory, which have inodes of their own.

        It gets a number that the program's files do not get, where there is one.
        """
        import fcntl  # noqa: PLC0415 - programs in which nothing is kept have not loaded it

        with contextlib.suppress(OSError):  # there are fewer numbers
            moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, OUT_OF_THE_WAY)
            os.close(descriptor)
            descriptor = moved
        self._descriptor, self._file = descriptor, _file(descriptor)

    @property
    def number(self) -> int:
        """Return its number; -1 if the program has closed it."""
        if self._file is not None and _file(self._descriptor) == self._file:
            return self._descriptor
        return -1

    def close(self) -> None:
        """Close it, unless the program has."""
        number, self._file = self.number, None
        if number >= 0:
            os.close(number)


def _file(descriptor: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino
