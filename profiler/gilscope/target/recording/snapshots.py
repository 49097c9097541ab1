"""A thread that writes the ring down whenever the watcher of this process asks for it."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

from gilscope.config import SNAPSHOT_THREAD
from gilscope.errors import GilscopeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

END_SECONDS = 2.0


class Snapshots:
    """One recording's: ``run.1.gilscope``, ``run.2.gilscope``, … beside ``run.gilscope``.

    Attributes:
        pipe: The descriptor that asks when a byte is written to it.
    """

    def __init__(self, path: Path, write: Callable[[Path], None]) -> None:
        """Begin to wait.

        Args:
            path: The trace.
            write: Writes a snapshot.
        """
        self._path, self._write = path, write
        self._wait, self.pipe = os.pipe()
        self._thread = threading.Thread(target=self._serve, name=SNAPSHOT_THREAD, daemon=True)
        try:
            self._thread.start()
        except BaseException:
            self._close()
            raise

    def _serve(self) -> None:
        number = 0
        while os.read(self._wait, 1) == b"s":
            number += 1
            target = self._path.with_name(f"{self._path.stem}.{number}{self._path.suffix}")
            with contextlib.suppress(GilscopeError, OSError):
                self._write(target)

    def end(self) -> None:
        """End the thread; one that cannot end now does so with the program."""
        os.write(self.pipe, b"q")
        self._thread.join(END_SECONDS)
        if not self._thread.is_alive():
            self._close()

    def _close(self) -> None:
        os.close(self._wait)
        os.close(self.pipe)
