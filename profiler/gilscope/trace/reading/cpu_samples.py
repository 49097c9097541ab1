"""Samples of processor time of a trace file → columns in nanoseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope.trace import format as fmt
from gilscope.trace.model import CpuTimes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from gilscope.trace.reading.clock import ClockMap


def cpu_times(
    samples: Sequence[npt.NDArray[Any]],
    births: dict[int, int],
    own: frozenset[int],
    clock: ClockMap,
) -> tuple[CpuTimes, int]:
    """The samples of a file.

    Args:
        samples: arrays of `format.CPU_TIME`.
        births: start in ticks of the threads that started in the session: they began with zero.
        own: threads that are left out.
        clock: the trace's.

    Returns:
        The samples, and how many were left out because they cannot be right.
    """
    zeros = np.array([(index, 0, ticks, 0, 0) for index, ticks in births.items()], fmt.CPU_TIME)
    if not samples:
        return CpuTimes.empty(), 0
    rows = np.concatenate([zeros, *samples])
    if own:
        rows = rows[np.isin(rows["thread"], list(own), invert=True)]
    time, good = clock.convert(rows["ticks"])
    for name in ("on_cpu", "runnable"):
        good &= rows[name] < np.uint64(1 << 62)
    good &= rows["thread"] < np.uint32(1 << 31)
    rows, time = rows[good], time[good]
    order = np.lexsort((time, rows["thread"]))
    rows, time = rows[order], time[order]
    columns = CpuTimes(
        rows["thread"].astype(np.int32),
        time,
        *(rows[name].astype(np.int64) for name in ("on_cpu", "runnable")),
    )
    for column in (columns.thread, columns.time, columns.on_cpu, columns.runnable):
        column.flags.writeable = False
    return columns, int(len(good) - good.sum())
