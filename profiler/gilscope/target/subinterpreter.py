"""The probe in a subinterpreter: spans that it names, and the names of its threads."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from gilscope.target.thread_names import ThreadNames

if TYPE_CHECKING:
    from types import ModuleType


def join() -> ModuleType | None:
    """Return the native probe if this is a subinterpreter; its threads are named from now on.

    It is loaded into each interpreter by itself; the recording is that of the process, and it is
    begun and ended in the main interpreter.
    """
    try:
        import _interpreters  # noqa: PLC0415 - private; missing where there are none
    except ImportError:
        return None
    if _interpreters.get_current()[0] == _interpreters.get_main()[0]:
        return None
    try:
        from gilscope import _probe  # noqa: PLC0415 - only where it is wanted
    except ImportError:
        return None
    ThreadNames(lambda: _probe, getattr(threading, "_DummyThread", ())).install()
    return _probe
