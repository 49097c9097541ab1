"""A thread that writes the ring down whenever the watcher of this process asks for it."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from typing import TYPE_CHECKING, Any

from gilscope.config import SNAPSHOT_THREAD
from gilscope.errors import GilscopeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

END_SECONDS = 2.0


class Snapshots:
    """One recording's: ``run.1.gilscope``, ``run.2.gilscope``, … beside ``run.gilscope``.

    Attributes:
        pipe: The descriptor that asks when a line is written to it: ``s`` and, if something is
            known of why, a report of it as JSON.
    """

    def __init__(
        self, path: Path, metadata: dict[str, Any], write: Callable[[Path, str], None]
    ) -> None:
        """Begin to wait.

        Args:
            path: The trace.
            metadata: Of the trace.
            write: Writes a snapshot, with metadata in place of those of the trace, if any.
        """
        self._path, self._metadata, self._write = path, metadata, write
        self._wait, self.pipe = os.pipe()
        self._thread = threading.Thread(target=self._serve, name=SNAPSHOT_THREAD, daemon=True)
        try:
            self._thread.start()
        except BaseException:
            self._close()
            raise

    def _serve(self) -> None:
        number = 0
        with open(self._wait, "rb", closefd=False) as asked:
            while (line := asked.readline())[:1] == b"s":
                number += 1
                target = self._path.with_name(f"{self._path.stem}.{number}{self._path.suffix}")
                with contextlib.suppress(GilscopeError, OSError, ValueError):
                    self._write(target, self._about(line[1:]))

    def _about(self, report: bytes) -> str:
        """Return metadata with a report of the waits for which a snapshot is written."""
        known = report.strip()
        return json.dumps({**self._metadata, "hangs": [json.loads(known)]}) if known else ""

    def end(self) -> None:
        """End the thread; one that cannot end now does so with the program."""
        os.write(self.pipe, b"q\n")
        self._thread.join(END_SECONDS)
        if not self._thread.is_alive():
            self._close()

    def _close(self) -> None:
        os.close(self._wait)
        os.close(self.pipe)
