"""The lanes of the static picture: one a thread, or one for all threads of a group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gilscope.view.data.columns import raster
from gilscope.view.data.groups import FROM, groups_of
from gilscope.view.data.palette import KINDS, LOOKS, STACK

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from gilscope.trace.arrays import U8
    from gilscope.trace.model import Trace
    from gilscope.view.data.columns import Columns

ROUNDING = 1e-9
"""Threads; what is less stems from differences of large sums."""

type F64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Row:
    """What one lane of the picture shows.

    Attributes:
        name: As it is shown.
        lanes: Of its threads.
        peak: Of a group: how many threads fill the lane. 0 of a thread.
    """

    name: str
    lanes: tuple[int, ...]
    peak: int = 0

    @property
    def lane(self) -> int | None:
        """The lane of a thread that is alone; None of a group."""
        return None if self.peak else self.lanes[0]


def rows_of(
    traces: Sequence[Trace], columns: Sequence[Columns], hidden: Collection[str], *, shared: bool
) -> list[list[Row]]:
    """Return the rows of each trace, a group where the first of its threads is.

    Args:
        traces: What is drawn.
        columns: Of the traces.
        hidden: Names of threads that are left out.
        shared: Threads of a group share a row.
    """
    groups, members = groups_of([trace.threads for trace in traces]) if shared else ([], [])
    result = []
    for number, one in enumerate(columns):
        left = [lane for lane, name in enumerate(one.names) if name not in hidden]
        of = dict.fromkeys(left, -1)
        if groups:
            of = {lane: int(members[number][one.heads[lane].position]) for lane in left}
        lanes: dict[int, list[int]] = {}
        for lane, group in of.items():
            # Threads without a group stand apart, by numbers that no group has.
            lanes.setdefault(group if group >= 0 else -1 - lane, []).append(lane)
        rows: list[Row] = []
        for group, mine in lanes.items():
            if group >= 0 and len(mine) >= FROM:
                name = f"{groups[group].name} × {len(mine):,}"
                rows.append(Row(name, tuple(mine), max(1, groups[group].peak)))
            else:
                rows += [Row(one.names[lane], (lane,)) for lane in mine]
        result.append(rows)
    return result


def band(columns: Columns, row: Row, edges: F64, height: int) -> U8:
    """Draw one row: a thread as ``columns.raster`` does, a group as an area for each state.

    Args:
        columns: The segments.
        row: What it shows.
        edges: f64[w + 1], ms: the borders of the columns of pixels.
        height: Of the row in pixels.

    Returns:
        u8[height, w], bottom row first: 0 where there is nothing, else a state's value plus 1.
    """
    if row.lane is not None:
        return raster(columns, row.lane, edges, height)
    found = counts(columns, row.lanes, edges)
    picture = np.zeros((height, len(edges) - 1), np.uint8)
    level = np.arange(height)[:, np.newaxis]
    bottom = np.zeros(len(edges) - 1, np.int64)
    total = np.zeros(len(edges) - 1)
    for state in STACK:
        total += found[state]
        top = np.floor(total / row.peak * height + 0.5).astype(np.int64)
        if LOOKS[state].stalled:
            top = np.where(found[state] > 0, np.maximum(top, bottom + 1), top)
        top = np.maximum(top, bottom)
        picture[(level >= bottom) & (level < top)] = state + 1
        bottom = top
    return picture


def counts(columns: Columns, lanes: Sequence[int], edges: F64) -> F64:
    """Return how many threads are in each state, the mean of each column: f64[KINDS, w]."""
    rows = np.concatenate([np.arange(0), *(_rows(columns, lane) for lane in lanes)])
    states, starts, ends = columns.state[rows], columns.start[rows], columns.start[rows + 1]
    result = np.zeros((KINDS, len(edges) - 1))
    for state in np.unique(states).tolist():
        mine = states == state
        spent = _since(starts[mine], edges) - _since(ends[mine], edges)
        mean = np.diff(spent) / np.diff(edges)
        result[state] = np.where(mean > ROUNDING, mean, 0)
    return result


def _rows(columns: Columns, lane: int) -> Any:
    part = columns.lane(lane)
    return np.arange(part.start, part.stop)


def _since(moments: F64, edges: F64) -> F64:
    """Return the time that has gone by since all moments before each edge, summed up."""
    ordered = np.sort(moments)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    before = np.searchsorted(ordered, edges)
    since: F64 = before * edges - sums[before]
    return since
