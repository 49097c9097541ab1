"""What is shown of one interval: who waited for whom, the stacks of both, sources."""

from __future__ import annotations

import linecache
from dataclasses import replace
from itertools import islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope.analysis.waits.handover import lock_handovers
from gilscope.trace.format import Event
from gilscope.view.data.lock_holds import lock_holds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gilscope.trace.arrays import I64
    from gilscope.trace.model import Frame, Trace

MOST = 1500
"""Intervals whose stacks travel with a view, the longest ones; the kernel knows the others."""

MOST_STACKS = 800
FRAMES = 40
RUNNERS = {"gilscope.target.worker.program", "gilscope.run.target"}
"""What runs the program; the second one in traces of gilscope 0.1."""

SOURCES = {".py", ".pyx", ".pxd", ".c", ".cc", ".cpp", ".cxx", ".h", ".hpp", ".rs"}
"""A trace may name any file; only lines of source files are shown."""

SOURCE_SIZE = 4_000_000
LINE = 160


def details(trace: Trace, rows: I64) -> list[dict[str, Any]]:
    """Return what is known of each of these intervals beyond times and names.

    Each is an object with ``stack``, the thread's own; ``by``, the thread (index) that ended the
    wait or gave up the GIL, 0 if unknown; ``by_stack``, that one's stack. Stacks are ids.
    """
    found = [{"stack": int(stack), "by": 0, "by_stack": 0} for stack in trace.intervals.stack[rows]]
    for places, threads, stacks in (_releases(trace, rows), _wakes(trace, rows)):
        columns = (places.tolist(), threads.tolist(), stacks.tolist())
        for place, thread, stack in zip(*columns, strict=True):
            found[place] |= {"by": thread, "by_stack": stack}
    return found


def longest(trace: Trace, limit: int = MOST) -> I64:
    """Return the rows of the longest intervals that have a stack, and of the longest waits."""
    intervals = trace.intervals
    told = np.flatnonzero((intervals.stack != 0) | (intervals.kind != Event.GIL_HOLD))
    if len(told) <= limit:
        return told
    part = np.argpartition(-intervals.duration[told], limit)[:limit]
    return np.sort(told[part])


def embedded(trace: Trace) -> dict[str, Any]:
    """Return details and stacks that a view carries along: of the longest intervals."""
    rows = longest(trace)
    found = details(trace, rows)
    used: dict[int, int] = {}
    for entry in found:
        for name in ("stack", "by_stack"):
            if entry[name] and (entry[name] in used or len(used) < MOST_STACKS):
                used.setdefault(entry[name], len(used))
    holds = lock_holds(trace, rows)
    compact = [
        [used.get(entry["stack"], -1), entry["by"], used.get(entry["by_stack"], -1)]
        + ([holds[place]] if place in holds else [])
        for place, entry in enumerate(found)
    ]
    sources: dict[tuple[str, int], str] = {}
    stacks = [frames(trace, stack, sources) for stack in used]
    return {"rows": rows.tolist(), "details": compact, "stacks": stacks}


def detail(trace: Trace, row: int) -> dict[str, Any]:
    """Return what :func:`embedded` says, of one interval."""
    rows = np.array([row], np.int64)
    [found] = details(trace, rows)
    sources: dict[tuple[str, int], str] = {}
    stacks = [frames(trace, found[name], sources) for name in ("stack", "by_stack")]
    return {"detail": [0, found["by"], 1, *lock_holds(trace, rows).values()], "stacks": stacks}


def by_lane(detail: list[Any], lanes: Mapping[int, int]) -> list[Any]:
    """Return a detail with lanes in the place of threads; holds without a lane are left out.

    Args:
        detail: As :func:`embedded` has it.
        lanes: Of threads, by `Thread.index`.
    """
    own, by, other, *holds = detail
    shown = [
        [(lanes[thread], start, end) for thread, start, end in some if thread in lanes]
        for some in holds
    ]
    return [own, lanes.get(by, -1), other, *shown]


def frames(trace: Trace, stack: int, sources: dict[tuple[str, int], str]) -> list[list[Any]]:
    """Return name, file, line, whether native, and source line of each frame, innermost first."""
    shown = takewhile(_of_the_program, trace.stacks[stack] if stack else ())
    return [
        [frame.name, frame.file, frame.line, int(frame.native), _source(frame, sources)]
        for frame in islice(shown, FRAMES)
    ]


def _of_the_program(frame: Frame) -> bool:
    """Whether a frame belongs to the program, not to what runs it for us."""
    return frame.module not in RUNNERS


def _source(frame: Frame, sources: dict[tuple[str, int], str]) -> str:
    """Return the line of source of a frame, "" if it is not here."""
    key = frame.file, frame.line
    if key not in sources:
        sources[key] = _line(*key) if frame.line > 0 and frame.file else ""
    return sources[key]


def _line(file: str, line: int) -> str:
    # Cells of this notebook stand in the cache without being files.
    if file not in linecache.cache:
        path = Path(file)
        try:
            known = path.suffix in SOURCES and path.is_file()
            if not known or path.stat().st_size > SOURCE_SIZE:
                return ""
        except (OSError, ValueError):
            return ""
    return linecache.getline(file, line).strip()[:LINE]


def _releases(trace: Trace, rows: I64) -> tuple[I64, I64, I64]:
    """Return which rows are waits that got the GIL, the threads that gave it up, their stacks."""
    intervals = trace.intervals
    places = np.flatnonzero(
        np.isin(intervals.kind[rows], (Event.GIL_WAIT, Event.GIL_SWITCH_WAIT))
        & ~intervals.open[rows]
    )
    if not len(places):
        return _nothing()
    waits = rows[places]
    # Only what ended while somebody waited: of one wait in a long trace, a few.
    begin, end = intervals.start[waits].min(), intervals.end[waits].max()
    ended = (intervals.end >= begin) & (intervals.end <= end)
    holds = np.flatnonzero((intervals.kind == Event.GIL_HOLD) & ended & ~intervals.open)
    if not len(holds):
        return _nothing()
    # The last one to give this GIL up before the wait was over.
    ends = intervals.end[holds]
    order = np.lexsort((ends, intervals.what[holds]))
    holds, ends = holds[order], ends[order]
    gils = intervals.what[holds]
    found = np.empty(len(waits), np.int64)
    for gil in np.unique(intervals.what[waits]).tolist():
        mine = intervals.what[waits] == gil
        low, high = np.searchsorted(gils, [gil, gil + 1])
        at = np.searchsorted(ends[low:high], intervals.end[waits[mine]], side="right") - 1
        found[mine] = np.where(at >= 0, low + at, -1)
    good = found >= 0
    good[good] &= ends[found[good]] >= intervals.start[waits[good]]
    good[good] &= intervals.thread[holds[found[good]]] != intervals.thread[waits[good]]
    chosen = holds[found[good]]
    return places[good], _wide(intervals.thread[chosen]), _wide(intervals.stack[chosen])


def _wakes(trace: Trace, rows: I64) -> tuple[I64, I64, I64]:
    """Return which rows are waits for locks, the threads that ended them, and their stacks."""
    intervals = trace.intervals
    places = np.flatnonzero((intervals.kind[rows] == Event.LOCK_WAIT) & ~intervals.open[rows])
    if not len(places):
        return _nothing()
    waits = rows[places]
    wakes = trace.wakes.select(np.isin(trace.wakes.what, intervals.what[waits]))
    part = replace(trace.events, intervals=intervals.select(waits), wakes=wakes)
    found = lock_handovers(trace.with_events(part))
    threads, stacks = wakes.thread[found.causes], wakes.stack[found.causes]
    return places[found.effects], _wide(threads), _wide(stacks)


def _wide(column: Any) -> I64:
    wide: I64 = column.astype(np.int64)
    return wide


def _nothing() -> tuple[I64, I64, I64]:
    none = np.zeros(0, np.int64)
    return none, none, none
