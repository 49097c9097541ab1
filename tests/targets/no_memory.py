"""One request for memory after another fails while the probe starts, and while it stops."""

from __future__ import annotations

import _ctypes
import ctypes
import shutil
import sys
from functools import partial
from typing import TYPE_CHECKING

import stage
from scenario import main, scenario

from gilscope.errors import GilscopeError
from gilscope.target.recording import session as probe

if TYPE_CHECKING:
    from collections.abc import Callable

STEP = 20  # of the hundreds of requests of a start, each so many; of a stop, each
MOST = 2000
PAIRS = 10
LOADS = 60

fail_after = ctypes.CDLL(None).no_memory_after
fail_after.argtypes = [ctypes.c_long]


def succeeds(count: int, action: Callable[[], object]) -> bool:
    """Do something that gets memory so often and then once not."""
    fail_after(count)
    try:
        action()
    except (GilscopeError, MemoryError):
        return False
    finally:
        fail_after(-1)
    return True


def is_recorded(trace: str) -> bool:
    """Record for a moment, as if nothing had failed before: with all events and no hook left."""
    probe.start(trace)
    stage.pairs(PAIRS)
    report = probe.stop()
    expected = PAIRS if sys._is_gil_enabled() else 0
    return report["events"] >= expected and report["slots_left"] == 0


@scenario
def starts(trace: str) -> dict[str, object]:
    """A start fails, and the next one does not."""
    is_recorded(trace)
    running, events = set(), set()
    for count in range(0, MOST, STEP):
        if succeeds(count, lambda: probe.start(trace)):
            probe.stop()
            break
        running.add(probe.running())
        events.add(is_recorded(trace))
    return {"failed": count // STEP, "running": sorted(running), "recorded": sorted(events)}


@scenario
def stops(trace: str) -> dict[str, object]:
    """A stop fails: it has changed nothing and is tried again, or the recording has ended."""
    events = set()
    for count in range(MOST):
        probe.start(trace)
        if succeeds(count, probe.stop):
            break
        if probe.running():
            probe.stop()
        events.add(is_recorded(trace))
    return {"failed": count, "recorded": sorted(events)}


@scenario
def loads(trace: str) -> dict[str, object]:
    """A look at an object that the program has loaded fails: the program goes on."""
    probe.start(trace)
    loaded = 0
    for count in range(LOADS):
        copy = f"{trace}.{count}.so"
        shutil.copy(stage.__file__, copy)
        loaded += succeeds(count, partial(_ctypes.dlopen, copy, ctypes.RTLD_LOCAL))
    report = probe.stop()
    return {"loaded": loaded, "left": report["slots_left"], "recorded": is_recorded(trace)}


if __name__ == "__main__":
    main()
