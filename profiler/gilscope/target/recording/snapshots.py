"""A thread that writes the ring down whenever the watcher of this process asks for it."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

from gilscope.config import SNAPSHOT_THREAD
from gilscope.errors import GilscopeError
from gilscope.target.descriptors import OwnDescriptor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

END_SECONDS = 2.0


class Snapshots:
    """One recording's: ``run.1.gilscope``, ``run.2.gilscope``, … beside ``run.gilscope``."""

    def __init__(self, path: Path, write: Callable[[Path], None]) -> None:
        """Begin to wait.

        Args:
            path: The trace.
            write: Writes a snapshot.
        """
        self._path, self._write = path, write
        self._wait, self._ask = map(OwnDescriptor, os.pipe())
        self._thread = threading.Thread(target=self._serve, name=SNAPSHOT_THREAD, daemon=True)
        try:
            self._thread.start()
        except BaseException:
            self._close()
            raise

    @property
    def pipe(self) -> int:
        """Return the descriptor that asks when a byte is written to it."""
        return self._ask.number

    def _serve(self) -> None:
        number = 0
        while self._asked():
            number += 1
            target = self._path.with_name(f"{self._path.stem}.{number}{self._path.suffix}")
            with contextlib.suppress(GilscopeError, OSError):
                self._write(target)

    def _asked(self) -> bool:
        """Wait until a snapshot is asked for; False at the end, also where the pipe is gone."""
        wait = self._wait.number
        try:
            return wait >= 0 and os.read(wait, 1) == b"s"
        except OSError:
            return False

    def end(self) -> None:
        """End the thread; one that cannot end now does so with the program."""
        with contextlib.suppress(OSError):
            if self.pipe >= 0 and self._wait.number >= 0:  # else it may be a signal that ends us
                os.write(self.pipe, b"q")
            self._ask.close()  # which ends it, too, if the program has closed the other end
        self._thread.join(END_SECONDS)
        if not self._thread.is_alive():
            self._wait.close()

    def _close(self) -> None:
        self._wait.close()
        self._ask.close()
