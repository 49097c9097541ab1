"""Objects that order threads in a way that cannot be seen, as the program declares them."""

from __future__ import annotations

import contextlib
import sys
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

_things: list[weakref.ref[object]] = []


def synchronises[T](thing: T) -> T:
    """Take calls of methods of ``thing`` for order between the threads that make them.

    Args:
        thing: An object that can be referred to weakly; else this holds for a running watch only.

    Returns:
        The same object.
    """
    with contextlib.suppress(TypeError):
        _things.append(weakref.ref(thing))
    native = sys.modules.get("gilscope._races")
    if native is not None and native.running():
        native.declare(thing)
        sys.monitoring.restart_events()  # places that were of no interest until now
    return thing


def declare_all(native: ModuleType) -> None:
    """Tell a watch that begins of what was declared before."""
    for reference in _things:
        thing = reference()
        if thing is not None:
            native.declare(thing)
