"""A thread that writes the ring down whenever the watcher of this process asks for it."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from typing import TYPE_CHECKING, Any

from gilscope.config import SNAPSHOT_THREAD
from gilscope.errors import GilscopeError
from gilscope.target.descriptors import OwnDescriptor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

END_SECONDS = 2.0
PART = 4096  # bytes that are read at once


class Snapshots:
    """One recording's: ``run.1.gilscope``, ``run.2.gilscope``, … beside ``run.gilscope``."""

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
        self._wait, self._ask = map(OwnDescriptor, os.pipe())
        self._thread = threading.Thread(target=self._serve, name=SNAPSHOT_THREAD, daemon=True)
        try:
            self._thread.start()
        except BaseException:
            self._close()
            raise

    @property
    def pipe(self) -> int:
        """The descriptor that asks when a line is written to it: ``s``, and a report as JSON.

        The report says why, if that is known.
        """
        return self._ask.number

    def _serve(self) -> None:
        for number, line in enumerate(self._lines(), 1):
            target = self._path.with_name(f"{self._path.stem}.{number}{self._path.suffix}")
            with contextlib.suppress(GilscopeError, OSError, ValueError):
                self._write(target, self._about(line[1:]))

    def _about(self, report: bytes) -> str:
        """Return metadata with a report of the waits for which a snapshot is written."""
        known = report.strip()
        return json.dumps({**self._metadata, "hangs": [json.loads(known)]}) if known else ""

    def _lines(self) -> Iterator[bytes]:
        """Yield what is asked for, until the end; also where the pipe is gone."""
        rest = b""
        while True:
            wait = self._wait.number
            try:
                more = os.read(wait, PART) if wait >= 0 else b""
            except OSError:
                return
            *lines, rest = (rest + more).split(b"\n")
            for line in lines:
                if not line.startswith(b"s"):
                    return
                yield line
            if not more:
                return

    def end(self) -> None:
        """End the thread; one that cannot end now does so with the program."""
        with contextlib.suppress(OSError):
            if self.pipe >= 0 and self._wait.number >= 0:  # else it may be a signal that ends us
                os.write(self.pipe, b"q\n")
            self._ask.close()  # which ends it, too, if the program has closed the other end
        self._thread.join(END_SECONDS)
        if not self._thread.is_alive():
            self._wait.close()

    def _close(self) -> None:
        self._wait.close()
        self._ask.close()
