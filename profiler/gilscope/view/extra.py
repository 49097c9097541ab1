"""Lanes that are no threads: when threads waited for a lock, when native code was in Python."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.contention import lock_totals
from gilscope.analysis.spans import interval_states
from gilscope.trace.format import Event
from gilscope.trace.model import State
from gilscope.view.locks import group_name
from gilscope.view.merge import Segments
from gilscope.view.palette import CALLBACK, MANY, NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gilscope.analysis.contention import LockTotals
    from gilscope.trace.model import I64, Lock, Trace

LOCK_LANES = 5
CALLBACK_LANES = 5
SHARE = 0.01  # of the longest waiting for a lock, below which another one gets no lane


def lock_lanes(
    trace: Trace, codes: Sequence[tuple[int, int, bool]]
) -> Iterator[tuple[str, str, Segments]]:
    """Yield ("lock", name, segments) of the locks contended for longest; of one name, together."""
    if len(trace.intervals) > MANY or not any(lock >= 0 for lock, _, _ in codes):
        return
    intervals = trace.intervals
    code_of_lock: dict[int, int] = {}
    for code, (lock, _, _) in enumerate(codes):
        code_of_lock.setdefault(lock, code)
    contended = interval_states(trace) == State.WAITING_LOCK
    contended &= np.isin(intervals.kind, (Event.LOCK_WAIT, Event.SPIN))
    groups = _alike(lock_totals(trace))[:LOCK_LANES]
    least = SHARE * max((waited for waited, _ in groups), default=0)
    for waited, locks in groups:
        if waited < least:
            continue
        rows = np.flatnonzero(contended & np.isin(intervals.what, [lock.id for lock in locks]))
        code = code_of_lock.get(locks[0].id, 0)
        segments = _union(intervals.start[rows], intervals.end[rows], State.WAITING_LOCK, code)
        yield "lock", locks[0].name, segments


def _alike(totals_of: Iterable[LockTotals]) -> list[tuple[int, list[Lock]]]:
    """Return locks of one name together with the time waited for them, ns, the longest first."""
    locks: dict[tuple[str, str], list[Lock]] = {}
    waited: Counter[tuple[str, str]] = Counter()
    for totals in totals_of:
        key = group_name(totals.lock.name, totals.lock.kind), totals.lock.kind
        locks.setdefault(key, []).append(totals.lock)
        waited[key] += totals.wait_ns + totals.spin_ns
    return [(ns, locks[key]) for key, ns in waited.most_common()]


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
