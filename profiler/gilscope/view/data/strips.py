"""Spans of a trace as the page draws them: strips on the lanes of their threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gilscope.trace.arrays import I64
    from gilscope.trace.model import Spans, Trace

MOST = 20_000
"""Spans of one trace that a page gets: of more, the longest."""

DEPTH = 2
"""How deep nested spans are drawn differently."""


def strips(trace: Trace, place: dict[int, int]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the columns of a trace's spans, and what they are called.

    Args:
        trace: The trace.
        place: Lane of each thread, by its index.
    """
    spans = trace.spans
    if not len(spans):
        return {}, []
    depth = depths(spans)
    if len(spans) > MOST:
        kept = np.sort(np.argsort(-spans.duration, kind="stable")[:MOST])
        spans, depth = spans.select(kept), depth[kept]
    names = sorted(set(spans.names.values()))
    number = {name: position for position, name in enumerate(names)}
    lanes = [place.get(thread, -1) for thread in spans.thread.tolist()]
    labels = [number[spans.names[name]] for name in spans.name.tolist()]
    return {
        "sp_lane": np.array(lanes, np.int32),
        "sp_start": spans.start,
        "sp_duration": spans.duration.astype(np.uint64),
        "sp_bytes": spans.bytes,
        "sp_label": np.array(labels, np.int32),
        "sp_depth": np.minimum(depth, DEPTH).astype(np.int32),
    }, [name or "(no name)" for name in names]


def touched(spans: Spans, edges: np.ndarray) -> np.ndarray:
    """Return which columns of pixels spans touch, bool[w].

    Args:
        spans: Of one thread.
        edges: f64[w + 1], ns, ascending: the borders of the columns.
    """
    last = len(edges) - 2
    first = np.clip(np.searchsorted(edges, spans.start, "right") - 1, 0, last)
    end = np.clip(np.searchsorted(edges, spans.end, "left") - 1, first, last)
    changes = np.bincount(first, minlength=last + 2) - np.bincount(end + 1, minlength=last + 2)
    found: np.ndarray = np.cumsum(changes)[: last + 1] > 0
    return found


def depths(spans: Spans) -> I64:
    """Return how many spans of its thread are around each span, i64[n]."""
    result = np.zeros(len(spans), np.int64)
    # Of those that begin together, the longest is around the others.
    order = np.lexsort((-spans.end, spans.start, spans.thread))
    around: list[int] = []
    last = -1
    columns = (column[order].tolist() for column in (spans.thread, spans.start, spans.end))
    for row, thread, start, end in zip(order.tolist(), *columns, strict=True):
        if thread != last:
            around, last = [], thread
        while around and (around[-1] <= start or around[-1] < end):
            around.pop()
        result[row] = len(around)
        around.append(end)
    return result
