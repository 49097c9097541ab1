"""What a page asks a kernel for: a stretch of a trace, exactly or as a raster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope.view.data.columns import Columns, concatenated, segments_of, stacked
from gilscope.view.data.payload import pack
from gilscope.view.data.scene import MAX_BOXES, ROWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.analysis.states.time_index import Index

MOST_COLUMNS = 4000

type Part = tuple[dict[str, Any], dict[str, np.ndarray]]


def part(
    index: Index,
    columns: Columns,
    start: float,
    end: float,
    width: int,
    *,
    seen: Sequence[int] | None = None,
) -> Part:
    """Return a stretch of time, ns: segments if they are few, else a raster of ``width`` columns.

    Args:
        index: Of the trace.
        columns: What the page has of it.
        start: Of the stretch.
        end: Of the stretch.
        width: Of the raster.
        seen: Lanes of threads that are in view, which a raster has; None for all of them.

    Returns:
        What describes it, and its columns, both as the page takes them.
    """
    first, last = max(0, int(start)), min(index.trace.duration_ns, int(end) + 1)
    last = max(last, first + 1)
    order = [head.position for head in columns.heads if head.kind == "thread"]
    if index.count(first, last) <= MAX_BOXES:
        return _segments(index, order, first, last)
    edges = np.linspace(start, end, width + 1).astype(np.int64)
    lengths = np.maximum(1, np.diff(edges))
    lanes = [*range(len(order))] if seen is None else [n for n in seen if 0 <= n < len(order)]
    images = [stacked(index.times(order[lane], edges) / lengths, ROWS) for lane in lanes]
    pixels = np.concatenate([np.zeros(0, np.uint8), *(image.ravel() for image in images)])
    return {"lanes": lanes, "rows": ROWS, "width": width}, {"pixels": pixels}


def _segments(index: Index, order: Sequence[int], start: int, end: int) -> Part:
    codes = index.codes[0]
    lanes = index.lanes(start, end)
    segments = [segments_of(lanes[position], codes) for position in order]
    threads = [index.trace.threads[position] for position in order]
    rows = concatenated(segments, [min(thread.end_ns, end) for thread in threads])
    offsets = np.cumsum([0, *(len(lane) + 1 for lane in segments)])
    return {"offsets": offsets.tolist()}, {
        "start": rows.starts,
        "state": rows.states,
        "code": rows.codes.astype(np.int32),
        "count": rows.counts.astype(np.int32),
        "ref": rows.refs,
    }


def packed(parts: Sequence[dict[str, Any]], arrays: dict[str, np.ndarray]) -> bytes:
    """Return parts of several traces in one piece."""
    return pack({"parts": list(parts)}, arrays)
