"""Thread states that others take, and waits that end otherwise than by returning.

With ``BARE`` in the environment nothing is recorded.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

import departures_stage as stage
from scenario import SCENARIOS, main

from gilscope import profile

if TYPE_CHECKING:
    from collections.abc import Callable

TIMES = 10
INTERRUPTED = 2000
CANCELLED = 20
"""More than may wait for one lock at a time, as far as it can be told who woke them up."""


def recorded(trace: str) -> contextlib.AbstractContextManager[object]:
    """Record the block, unless nothing is to be recorded."""
    return contextlib.nullcontext() if "BARE" in os.environ else profile(trace)


def add(name: str, body: Callable[[], object]) -> None:
    """Register a scenario that does one thing."""

    def run(trace: str) -> object:
        with recorded(trace):
            return body()

    SCENARIOS[name] = run


for how in ("deleted", "used", "interpreter"):
    add(f"state_{how}", lambda how=how: [stage.taken(how) for _ in range(TIMES)])
add("exited", stage.exited)
add("interrupted", lambda: stage.interrupted(INTERRUPTED)[1])
add("last_rites", lambda: stage.last_rites(threading.get_ident, 10))
for what in ("condition", "lock"):
    add(f"cancelled_{what}", lambda what=what: stage.cancelled(what, CANCELLED))
for what in ("mutex", "lock"):
    add(f"jumped_{what}", lambda what=what: stage.jumped(what))


if __name__ == "__main__":
    main()
