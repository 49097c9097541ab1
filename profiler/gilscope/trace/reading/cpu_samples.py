"""Samples of processor time of a trace file → columns in nanoseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope.trace import format as fmt
from gilscope.trace.model import CpuTimes

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import numpy.typing as npt

    from gilscope.trace.arrays import I64, U32
    from gilscope.trace.reading.clock import ClockMap


def cpu_times(
    samples: Sequence[npt.NDArray[Any]],
    births: dict[int, int],
    own: frozenset[int],
    clock: ClockMap,
    lasting: Collection[int] = (),
) -> tuple[CpuTimes, int]:
    """The samples of a file.

    Args:
        samples: arrays of `format.CPU_TIME`.
        births: start in ticks of the threads that started in the session: they began with zero.
        own: threads that are left out.
        clock: the trace's.
        lasting: threads that were there when the session ended: those without a sample of then had
            not run since their last one.

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
    taken = np.arange(len(rows)) >= len(zeros)  # the others are no samples
    rest = _at_rest(rows[good & taken]["thread"], time[good & taken], lasting)
    repeated = np.flatnonzero(good & taken)[rest]
    kept = np.concatenate([np.flatnonzero(good), repeated])
    times = np.concatenate([time[good], np.full(len(rest), time[good].max(initial=0))])
    rows = rows[kept]
    order = np.lexsort((times, rows["thread"]))
    rows, times = rows[order], times[order]
    columns = CpuTimes(
        rows["thread"].astype(np.int32),
        times,
        *(rows[name].astype(np.int64) for name in ("on_cpu", "runnable")),
    )
    for column in (columns.thread, columns.time, columns.on_cpu, columns.runnable):
        column.flags.writeable = False
    return columns, int(len(good) - good.sum())


def _at_rest(threads: U32, times: I64, lasting: Collection[int]) -> npt.NDArray[np.intp]:
    """Return which samples are the last ones of threads that have not run since, until the end."""
    order = np.lexsort((times, threads))
    final = order[np.flatnonzero(np.diff(threads[order].astype(np.int64), append=-1))]
    there = np.isin(threads[final], np.array([*lasting], np.uint32))
    chosen: npt.NDArray[np.intp] = final[there & (times[final] < times.max(initial=0))]
    return chosen
