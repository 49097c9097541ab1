"""Lanes that are no threads: when threads waited for a lock, when native code was in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.spans import interval_states
from gilscope.trace.distinct import distinct
from gilscope.trace.model import State
from gilscope.view.locks import group_name
from gilscope.view.merge import Segments
from gilscope.view.palette import CALLBACK, NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gilscope.trace.model import I64, U8, Lock, Trace

LOCK_LANES = 5
WAITING = State.WAITING_LOCK
CALLBACK_LANES = 5
SHARE = 0.01  # of the longest waiting for a lock, below which another one gets no lane


def lock_lanes(
    trace: Trace, codes: Sequence[tuple[int, int, bool]], states: U8 | None = None
) -> Iterator[tuple[str, str, Segments]]:
    """Yield ("lock", name, segments) of the locks contended for longest; of one name, together.

    Args:
        trace: What is shown.
        codes: Locks and other threads that its intervals are about.
        states: Of its intervals, where they are there already.
    """
    code_of_lock: dict[int, int] = {}
    for code, (lock, _, _) in enumerate(codes):
        code_of_lock.setdefault(lock, code)
    if code_of_lock.keys() <= {-1}:
        return
    intervals = trace.intervals
    rows = np.flatnonzero((interval_states(trace) if states is None else states) == WAITING)
    ids, places = distinct(intervals.gather("what", rows))
    waited = np.bincount(places, intervals.gather("duration", rows), len(ids))
    groups = _alike([trace.locks[lock] for lock in ids.tolist()], waited.tolist())
    for ns, members in groups[:LOCK_LANES]:
        if ns < SHARE * groups[0][0]:
            break
        chosen = np.zeros(len(ids), np.bool_)
        chosen[members] = True
        mine = rows[chosen[places]]
        first = trace.locks[int(ids[members[0]])]
        starts = intervals.start[mine]
        ends = starts + intervals.gather("duration", mine)
        yield "lock", first.name, _union(starts, ends, WAITING, code_of_lock.get(first.id, 0))


def _alike(locks: Sequence[Lock], waited: Sequence[float]) -> list[tuple[float, list[int]]]:
    """Return positions of locks of one name, and the time waited for them; longest first."""
    found: dict[tuple[str, str], list[int]] = {}
    for place in sorted(range(len(locks)), key=lambda place: -waited[place]):
        lock = locks[place]
        found.setdefault((group_name(lock.name, lock.kind), lock.kind), []).append(place)
    groups = [(sum(waited[place] for place in members), members) for members in found.values()]
    return sorted(groups, key=lambda group: -group[0])


def callback_lanes(trace: Trace) -> Iterator[tuple[str, str, Segments]]:
    """Yield ("callback", name, segments) of what native code called for the longest time."""
    callbacks = trace.callbacks
    if not len(callbacks):
        return
    labels, numbers = callback_labels(trace)
    spent = np.bincount(numbers, callbacks.duration, len(labels))
    for number in np.argsort(-spent, kind="stable")[:CALLBACK_LANES].tolist():
        rows = np.flatnonzero(numbers == number)
        order = rows[np.argsort(callbacks.start[rows], kind="stable")]
        segments = _union(callbacks.start[order], callbacks.end[order], CALLBACK, 0)
        yield "callback", labels[number], segments


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
