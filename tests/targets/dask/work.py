"""Tasks for the workers of a Dask cluster."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from pathlib import Path


def keep_gil(number: int, ms: int = 60) -> int:
    """Keep the GIL in native code."""
    ctypes.PyDLL(None).usleep(ms * 1000)
    return number


def count(number: int) -> int:
    """Compute in Python."""
    return sum(one * one for one in range(200_000 + number))


def fails() -> int:
    """Raise an exception."""
    return 1 // 0


def die() -> None:
    """End the worker as the kernel does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def probe_options() -> dict[str, object]:
    """What the worker that this runs in records itself with."""
    from gilscope.dask import worker  # noqa: PLC0415

    ((name, recording),) = worker._recordings._found.items()
    assert recording.folder is not None
    file = recording.folder / "worker.gilscope"
    with file.open("rb") as trace:
        flags = int.from_bytes(trace.read(32)[28:], "little")
    return {"ring": bool(flags & 4), "name": name, "threads": threading.active_count()}


def scratch(dask_worker: object) -> str:
    """Where recordings of the worker that this runs in are kept."""
    return str(Path(dask_worker.local_directory).parent)  # type: ignore[attr-defined]


def left(dask_worker: object) -> tuple[list[str], bool]:
    """What a recording has left on the worker that this runs in."""
    from gilscope.target.recording import session  # noqa: PLC0415

    return [one.name for one in Path(scratch(dask_worker)).glob("gilscope-*")], session.running()


def stamp() -> int:
    """CLOCK_MONOTONIC of the worker, ns."""
    return time.monotonic_ns()
