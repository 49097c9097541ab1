"""How long threads were ready to run and had no processor: known as a share between two samples.

The kernel's counts are sampled about ten times a second, so it is not known when, between two
samples, a thread waited: what is drawn is the share of each such stretch, at the foot of the lane.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from gilscope.trace.arrays import I64, U8
    from gilscope.trace.model import Trace
    from gilscope.view.data.columns import F64, Columns

MOST_SAMPLES = 20_000
"""Samples of one trace that a page gets; of more, some are left out: sums stay exact."""


def samples(trace: Trace, columns: Columns) -> tuple[dict[str, I64], list[int]] | None:
    """Return the samples of the threads' lanes, one lane after the other, and where each begins.

    Returns:
        ``cpu.time``, ``cpu.ran`` and ``cpu.ready``, i64[n] in ns, and L + 1 offsets; None if the
        trace has no samples, or no threads.
    """
    times = trace.cpu_times
    places = [head.position for head in columns.heads if head.kind == "thread"]
    if not len(times) or not places:
        return None
    step = -(-len(times) // MOST_SAMPLES)
    rows = [_thinned(_rows(trace, trace.threads[place].index), step) for place in places]
    every = np.concatenate(rows)
    arrays = {
        "cpu.time": times.time[every],
        "cpu.ran": times.on_cpu[every],
        "cpu.ready": times.runnable[every],
    }
    return arrays, np.cumsum([0, *map(len, rows)]).tolist()


def strip(trace: Trace, thread: int, edges: F64, rows: int, value: int) -> U8 | None:
    """Draw how much of its time a thread was ready to run and did not.

    Args:
        trace: With samples of the thread, or without.
        thread: ``Thread.index``.
        edges: f64[w + 1], ms: the borders of the columns of pixels.
        rows: Height in pixels, which stands for all of the time.
        value: Of a pixel that is drawn.

    Returns:
        u8[rows, w], bottom row first, filled from the top; None if there is nothing to draw.
    """
    mine = _rows(trace, thread)
    if len(mine) < 2:  # noqa: PLR2004 - the ends of a stretch
        return None
    time, ready = trace.cpu_times.time[mine], trace.cpu_times.runnable[mine]
    middles = (edges[1:] + edges[:-1]) / 2 * 1e6
    after = np.searchsorted(time, middles)
    inside = (after > 0) & (after < len(time))
    last = np.clip(after, 1, len(time) - 1)
    shares = (ready[last] - ready[last - 1]) / np.maximum(1, time[last] - time[last - 1])
    height = np.where(inside, np.round(np.clip(shares, 0, 1) * rows), 0)
    picture = (np.arange(rows)[::-1, np.newaxis] < height).astype(np.uint8) * np.uint8(value)
    return picture if picture.any() else None


def sampled(traces: Iterable[Trace]) -> bool:
    """Return whether any of the traces has samples."""
    return any(len(trace.cpu_times) for trace in traces)


def _rows(trace: Trace, thread: int) -> npt.NDArray[np.intp]:
    low, high = np.searchsorted(trace.cpu_times.thread, (thread, thread + 1))
    return np.arange(low, high)


def _thinned(rows: npt.NDArray[np.intp], step: int) -> npt.NDArray[np.intp]:
    """Return every ``step``-th of the rows, and the last."""
    return rows if step <= 1 or not len(rows) else np.unique(np.append(rows[::step], rows[-1]))
