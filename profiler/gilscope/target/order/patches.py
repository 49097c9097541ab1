"""Replaces methods of Python classes, and puts them back."""

from __future__ import annotations

import functools
import threading
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


class Patches:
    """The replacements of one watch."""

    def __init__(self, native: ModuleType) -> None:
        """Replace nothing yet."""
        self.native = native
        self.originals: list[tuple[Any, str, Any, Any]] = []
        self.missing: list[str] = []
        self.has_futures = False
        self.has_shared_locks = False
        # Semaphores that are locks, by their conditions: no lock orders threads.
        self.mutexes = weakref.WeakSet[threading.Condition]()
        self.signals = weakref.WeakSet[threading.Semaphore]()

    def remove(self) -> None:
        """Put the methods of Python classes back; the native half does so with the others."""
        for owner, name, original, ours in reversed(self.originals):
            if vars(owner).get(name) is ours:  # else the program has replaced it since
                setattr(owner, name, original)
        self.originals.clear()

    def patch(self, owner: Any, name: str, make: Callable[[Any], Callable[..., Any]]) -> None:
        """Replace a method by what ``make`` makes of it."""
        original = vars(owner)[name]
        self.put(owner, name, functools.wraps(original)(make(original)))

    def put(self, owner: Any, name: str, ours: Any) -> None:
        """Put something of ours in a place, to be taken away at the end."""
        self.originals.append((owner, name, vars(owner)[name], ours))
        setattr(owner, name, ours)

    def attempt(self, replace: Callable[..., None], *arguments: Any) -> None:
        """Call a function that replaces something; note why if it cannot be."""
        try:
            replace(*arguments)
        except LookupError as error:
            self.missing.append(str(error))
