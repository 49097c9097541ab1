"""Traces of workers become part of one: their clock, and the files of what they were sent."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gilscope.dask.sent import FILE, files_of_functions
from gilscope.trace.writing.functions import Functions
from gilscope.trace.writing.reclock import reclock

if TYPE_CHECKING:
    from pathlib import Path

    from gilscope.dask.clocks import HostClock


def sent_functions() -> Functions:
    """Return the functions that this client sends to workers without the names of their files."""
    return Functions(FILE, files_of_functions())


def on_this_clock(path: Path, clock: HostClock) -> None:
    """Give a trace the times of this host.

    Raises:
        TraceError: It cannot be read.
        ExportError: It cannot be written.
    """
    apart = time.time_ns() - time.monotonic_ns()
    draft = path.with_name(f"{path.name}.here")
    reclock(path, draft, clock.here, realtime_apart_ns=apart)
    draft.replace(path)
