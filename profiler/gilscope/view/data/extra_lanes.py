"""Lanes that are no threads: when threads waited for a lock, when native code was in Python."""

from __future__ import annotations

from heapq import nlargest
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.states.state import State
from gilscope.analysis.states.thread_states import interval_states
from gilscope.results.lock_groups import group_name
from gilscope.view.data.palette import CALLBACK, ENTERING, NOTHING
from gilscope.view.data.segments import Segments

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gilscope.trace.arrays import I32, I64, U8
    from gilscope.trace.model import Lock, Trace

LOCK_LANES = 5
WAITING = State.WAITING_LOCK
CALLBACK_LANES = 5
SHARE = 0.01  # of the longest waiting for a lock, below which another one gets no lane


def lock_lanes(
    trace: Trace, codes: Sequence[tuple[int, int, bool]], numbers: I32, states: U8 | None = None
) -> Iterator[tuple[str, str, Segments]]:
    """Yield ("lock", name, segments) of the locks contended for longest; of one name, together.

    Args:
        trace: What is shown.
        codes: Locks and other threads that its intervals are about.
        numbers: Position of each interval's in ``codes``.
        states: Of its intervals, where they are there already.
    """
    if all(lock < 0 for lock, _, _ in codes):
        return
    intervals = trace.intervals
    waiting = (interval_states(trace) if states is None else states) == WAITING
    spent = np.bincount(numbers, np.where(waiting, intervals.duration, 0), len(codes))
    groups = _longest(trace, [lock for lock, _, _ in codes], spent.tolist())
    lane_of_code = np.zeros(len(codes), np.uint8)
    for lane, (_, mine) in enumerate(groups, 1):
        lane_of_code[mine] = lane
    lanes = np.take(lane_of_code, numbers)
    lanes *= waiting
    for lane, (first, mine) in enumerate(groups, 1):
        rows = np.flatnonzero(lanes == lane)
        ends = intervals.start[rows] + intervals.duration[rows]
        segments = _union(intervals.start[rows], ends, WAITING, mine[0])
        yield "lock", trace.locks[first].name, segments


def _longest(
    trace: Trace, locks: Sequence[int], spent: Sequence[float]
) -> list[tuple[int, list[int]]]:
    """Return what threads waited for longest: of locks of one name the first, and their codes.

    Args:
        trace: The trace.
        locks: That each code is about.
        spent: Time waited for each code, ns.
    """
    waited: dict[int, float] = {}
    for lock, ns in zip(locks, spent, strict=True):
        if ns:
            waited[lock] = waited.get(lock, 0) + ns
    names = {lock: _identity(trace.locks[lock]) for lock in waited}
    sums: dict[tuple[str, str], float] = {}
    for lock, name in names.items():
        sums[name] = sums.get(name, 0) + waited[lock]
    longest = nlargest(LOCK_LANES, sums.items(), key=lambda group: group[1])
    shown = {name: list[int]() for name, ns in longest if ns >= SHARE * longest[0][1]}
    first: dict[tuple[str, str], int] = {}
    for code, (lock, ns) in enumerate(zip(locks, spent, strict=True)):
        if not ns or names[lock] not in shown:
            continue
        best = first.setdefault(names[lock], lock)
        if waited[lock] > waited[best]:
            first[names[lock]] = lock
        shown[names[lock]].append(code)
    return [(first[name], codes) for name, codes in shown.items()]


def _identity(lock: Lock) -> tuple[str, str]:
    """Return what a reader takes locks for one by."""
    return group_name(lock.name, lock.kind), lock.kind


def callback_lanes(trace: Trace) -> Iterator[tuple[str, str, Segments]]:
    """Yield ("callback", name, segments) of what native code called for the longest time."""
    callbacks = trace.callbacks
    if not len(callbacks):
        return
    labels, numbers = callback_labels(trace)
    spent = np.bincount(numbers, callbacks.duration, len(labels))
    for number in np.argsort(-spent, kind="stable")[:CALLBACK_LANES].tolist():
        rows = np.flatnonzero(numbers == number)
        begun = callbacks.start[rows] + callbacks.enter_ns[rows]
        inside = _joined(begun, callbacks.end[rows], CALLBACK)
        yield "callback", labels[number], _first_of(inside, entering(trace, rows))


def entering(trace: Trace, rows: I64) -> Segments:
    """Return when at least one of these callbacks waits to get into Python, and the gaps."""
    callbacks = trace.callbacks
    rows = rows[callbacks.enter_ns[rows] > 0]
    start = callbacks.start[rows]
    return _joined(start, start + callbacks.enter_ns[rows], ENTERING)


def _joined(starts: I64, ends: I64, state: int) -> Segments:
    """Return where at least one of these intervals is, and the gaps between."""
    order = np.argsort(starts, kind="stable")
    return _union(starts[order], ends[order], state, 0)


def _first_of(first: Segments, second: Segments) -> Segments:
    """Return what ``first`` has, where it has nothing what ``second`` has, and the gaps."""
    parts = [one for one in (first, second) if len(one)]
    if len(parts) < 2:  # noqa: PLR2004 - the other one is all there is
        return parts[0] if parts else first
    cuts = np.unique(np.concatenate([one.starts for one in parts] + [one.ends for one in parts]))
    states, counts = (np.full(len(cuts) - 1, value, np.int64) for value in (NOTHING, 1))
    for one in (second, first):
        at = np.searchsorted(one.starts, cuts[:-1], side="right") - 1
        mine = (at >= 0) & (cuts[:-1] < one.ends[at]) & (one.states[at] != NOTHING)
        states[mine], counts[mine] = one.states[at[mine]], one.counts[at[mine]]
    new = np.flatnonzero(np.diff(states, prepend=-1))
    starts = cuts[new]
    none = np.zeros(len(new), np.int64)
    ends = np.append(starts[1:], cuts[-1])
    return Segments(starts, ends, states[new].astype(np.uint8), none - 1, counts[new], none)


def callback_labels(trace: Trace) -> tuple[list[str], I64]:
    """Return names for what callbacks called, and the position of each callback's, i64[n]."""
    callbacks = trace.callbacks
    pairs = callbacks.entry.astype(np.uint64) << np.uint64(32) | callbacks.callable
    used, places = np.unique(pairs, return_inverse=True)
    labels: dict[str, int] = {}
    table = np.zeros(len(used), np.int64)
    for place, pair in enumerate(used.tolist()):
        called, entry = trace.callables[pair & 0xFFFFFFFF].label, trace.entries[pair >> 32]
        label = called or f"{entry.function} in Python"
        table[place] = labels.setdefault(label, len(labels))
    return list(labels), table[places]


def _union(starts: I64, ends: I64, state: int, code: int) -> Segments:
    """Return where at least one of these intervals, ordered by start, is, and the gaps between."""
    if not len(starts):
        none = np.zeros(0, np.int64)
        return Segments(none, none, np.zeros(0, np.uint8), none, none, none)
    latest = np.maximum.accumulate(ends)
    first = np.flatnonzero(np.append(True, starts[1:] > latest[:-1]))
    last = np.append(first[1:], len(starts)) - 1
    cuts = np.stack([starts[first], latest[last]], axis=1).ravel()
    counts = np.ones(2 * len(first), np.int64)
    counts[::2] = last - first + 1
    states = np.tile(np.array([state, NOTHING], np.uint8), len(first))
    codes = np.tile(np.array([code, 0], np.int64), len(first))
    # The last gap has no end: it is left out.
    part = slice(0, -1)
    ends = cuts[1:]
    refs = np.full(len(ends), -1, np.int64)
    keep = ends > cuts[part]
    columns = (cuts[part], ends, states[part], refs, counts[part], codes[part])
    return Segments(*columns).take(keep)
