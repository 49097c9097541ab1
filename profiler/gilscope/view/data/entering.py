"""When native code waited to get into Python: what a page draws over the lanes of callbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gilscope.view.data.extra_lanes import callback_labels, entering
from gilscope.view.data.palette import ENTERING

if TYPE_CHECKING:
    from gilscope.trace.model import Trace
    from gilscope.view.data.columns import Columns

MOST = 20_000
"""Stretches of one lane that a page gets: of more, the longest."""


def entries(trace: Trace, columns: Columns) -> dict[str, np.ndarray]:
    """Return the columns of waits to get in, by lane of callbacks and start; {} without any."""
    lanes = {head.name: lane for lane, head in enumerate(columns.heads) if head.kind == "callback"}
    if not lanes:
        return {}
    labels, numbers = callback_labels(trace)
    found: list[np.ndarray] = []
    for label, lane in lanes.items():
        waits = entering(trace, np.flatnonzero(numbers == labels.index(label)))
        mine = np.flatnonzero(waits.states == ENTERING)
        length = waits.ends[mine] - waits.starts[mine]
        mine = np.sort(mine[np.argsort(-length, kind="stable")[:MOST]])
        place = np.full(len(mine), lane, np.int64)
        found.append(np.stack([place, waits.starts[mine], waits.ends[mine]]))
    lane_of, start, end = np.concatenate(found, axis=1)
    if not len(start):
        return {}
    return {
        "en_lane": lane_of.astype(np.int32),
        "en_start": start,
        "en_duration": (end - start).astype(np.uint64),
    }
