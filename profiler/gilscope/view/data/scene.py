"""All that a page needs to draw and count by itself: the view's data, apart from its looks."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope.analysis.states.state import State
from gilscope.results.lock_groups import group_name
from gilscope.view.data import palette
from gilscope.view.data.columns import Columns, columns_of
from gilscope.view.data.details import by_lane, embedded
from gilscope.view.data.entering import entries
from gilscope.view.data.extra_lanes import callback_labels
from gilscope.view.data.findings import findings_of
from gilscope.view.data.groups import groups_of
from gilscope.view.data.payload import pack
from gilscope.view.data.processor import samples
from gilscope.view.data.sampled_tracks import sampled_tracks
from gilscope.view.data.settings import settings
from gilscope.view.data.strips import strips
from gilscope.view.data.words import build_name, short_name, titles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.analysis.states.time_index import Index
    from gilscope.results.model import ComparisonData
    from gilscope.trace.model import Trace

BAND = 0.78
"""Share of a lane that is drawn on; the rest keeps lanes apart."""

ROWS = 24
"""Pixels of a lane's height in the raster."""

MAX_BOXES = 3000
"""Segments in view in all timelines together; more are drawn as a raster."""

MAX_CALLBACKS = 20_000
"""Callbacks of one trace that a page gets one by one."""


def scene(
    comparison: ComparisonData, *, live: bool, indexes: Sequence[Index] | None = None
) -> tuple[bytes, list[Columns]]:
    """Return the data of a view and the columns in it.

    Args:
        comparison: What is shown.
        live: A kernel answers for what is not in it, so rows of the trace are named.
        indexes: Of the traces, if they are long.
    """
    traces = [trace for _, trace in comparison.traces()]
    columns = columns_of(traces, indexes=indexes)
    arrays: dict[str, np.ndarray] = {}
    timelines = []
    groups, members = groups_of([trace.threads for trace in traces])
    for number, (trace, drawn) in enumerate(zip(traces, columns, strict=True)):
        meta, more = _timeline(trace, drawn, live=live)
        timelines.append(meta)
        if groups:
            more["group"] = members[number][[h.position for h in drawn.heads if h.position >= 0]]
        arrays |= {f"{number}.{name}": column for name, column in more.items()}
    builds = (build for build, _ in comparison.traces())
    lanes = {
        build: drawn.lane_of_thread(trace)
        for build, trace, drawn in zip(builds, traces, columns, strict=True)
    }
    meta = {
        "version": version("gilscope"),
        "timelines": timelines,
        "groups": [asdict(group) for group in groups],
        "looks": looks(),
        "band": BAND,
        "rows": ROWS,
        "max_boxes": MAX_BOXES,
        "findings": findings_of(comparison, lanes),
        "hidden": sorted(comparison.hidden),
        "settings": [asdict(setting) for setting in settings(traces, columns)],
    }
    return pack(meta, arrays), columns


def _timeline(
    trace: Trace, columns: Columns, *, live: bool
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    # Looking up names of native functions takes seconds, so a notebook does it on request.
    told = None if live else embedded(trace)
    place = columns.lane_of_thread(trace)
    arrays: dict[str, np.ndarray] = {
        "start": columns.starts,
        "state": columns.state,
        "code": columns.code,
        "count": columns.count,
    }
    if live:
        arrays["ref"] = columns.ref
    if columns.tally:
        rows = columns.tally.rows
        arrays |= {
            "tally.start": rows.starts,
            "tally.state": rows.states,
            "tally.code": rows.codes.astype(np.int32),
            "tally.count": rows.counts.astype(np.int32),
        }
    if told:
        named = np.array(told.pop("rows"), np.int64)
        arrays["detail"] = _positions(columns.ref, named)
        told["details"] = [by_lane(one, place) for one in told["details"]]
    callbacks, labels = _callbacks(trace, place)
    spans, span_labels = strips(trace, place)
    sampled, sampled_stacks = sampled_tracks(trace, place)
    counted = samples(trace, columns)
    arrays |= counted[0] if counted else {}
    meta = {
        "titles": titles(trace, columns.grain_ns),
        "build": build_name(short_name(trace)),
        "key": short_name(trace),
        "lanes": [_lane(trace, columns, lane) for lane in range(len(columns.heads))],
        "offsets": columns.offsets.tolist(),
        "tally_offsets": columns.tally.offsets.tolist() if columns.tally else None,
        "tally_grain": columns.tally.grain_ns if columns.tally else 0,
        "cpu_offsets": counted[1] if counted else None,
        "codes": columns.codes,
        "locks": [_lock(trace, lock) for lock in columns.locks],
        "duration": columns.duration_ns,
        "grain": columns.grain_ns,
        "processors": trace.processors,
        "ended_early": trace.ended_early,
        "callbacks": len(trace.callbacks),
        "labels": labels,
        "spans": len(trace.spans),
        "span_labels": span_labels,
        "sampled": sampled_stacks,
        **(told or {"details": [], "stacks": []}),
    }
    return meta, arrays | callbacks | entries(trace, columns) | spans | sampled


def _lane(trace: Trace, columns: Columns, lane: int) -> dict[str, Any]:
    head = columns.heads[lane]
    thread = trace.threads[head.position] if head.position >= 0 else None
    return {
        "name": head.name,
        "kind": head.kind,
        "native": bool(thread and thread.native),
        "rank": head.position,
    }


def _lock(trace: Trace, number: int) -> dict[str, str]:
    lock = trace.locks[number]
    return {
        "name": lock.name,
        "kind": lock.kind.replace("_", " "),
        "group": group_name(lock.name, lock.kind),
    }


def _positions(refs: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return where each ref stands in ``rows``, which ascend; -1 of those that are not there."""
    if not len(rows):
        return np.full(len(refs), -1, np.int32)
    at = np.minimum(np.searchsorted(rows, refs), len(rows) - 1)
    return np.where(rows[at] == refs, at, -1).astype(np.int32)


def _callbacks(trace: Trace, place: dict[int, int]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the columns of the callbacks, if they are not too many, and what they called."""
    callbacks = trace.callbacks
    labels, numbers = callback_labels(trace)
    if not len(callbacks) or len(callbacks) > MAX_CALLBACKS:
        return {}, labels
    lanes = np.array([place.get(thread, -1) for thread in callbacks.thread.tolist()], np.int32)
    return {
        "cb_lane": lanes,
        "cb_start": callbacks.start,
        "cb_duration": callbacks.duration.astype(np.uint64),
        "cb_enter": callbacks.enter_ns.astype(np.uint64),
        "cb_label": numbers.astype(np.int32),
    }, labels


def looks() -> dict[str, object]:
    """Return the palette as the page takes it: by the states' values."""
    ordered = [*(palette.LOOKS[state] for state in sorted(State)), palette.CALLBACK_LOOK]
    ordered.append(palette.ENTERING_LOOK)
    return {
        "label": [look.label for look in ordered],
        "color": [look.color for look in ordered],
        "height": [look.height for look in ordered],
        "stalled": [look.stalled for look in ordered],
        "least": palette.LEAST,
        "strip": palette.SPAN_LOOK.height,
        "stack": [*map(int, palette.STACK), palette.CALLBACK],
    }
