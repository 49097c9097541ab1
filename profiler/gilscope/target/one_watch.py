"""What watches of a program have in common: one of a kind at a time, in one process, and names."""

from __future__ import annotations

import _thread
import os
from typing import TYPE_CHECKING

from gilscope.errors import ProbeError

if TYPE_CHECKING:
    import threading


class Claim:
    """Makes sure that one watch of a kind runs at a time, whichever threads begin and end them."""

    def __init__(self, refusal: str) -> None:
        """Refuse a second watch with this text."""
        self._refusal = refusal
        self._pid = 0
        self._lock = _thread.allocate_lock()

    def take(self) -> None:
        """Begin a watch.

        Raises:
            ProbeError: One runs, or did in the process that this one was forked of.
        """
        if not self._lock.acquire(blocking=False):
            raise ProbeError(self._refusal)
        self._pid = os.getpid()

    def give(self) -> None:
        """End the watch."""
        self._lock.release()

    @property
    def ours(self) -> bool:
        """Whether this process began the watch, and is no fork of the one that did."""
        return self._pid == os.getpid()


def name_of(thread: threading.Thread) -> str:
    """Return a thread's name as text that every encoding can write; empty if it has none."""
    try:
        name = str(thread._name)  # type: ignore[attr-defined]  # noqa: SLF001 - `name` asks more
        return name.encode("utf-8", "backslashreplace").decode()
    except Exception:  # noqa: BLE001 - the name is the program's
        return ""
