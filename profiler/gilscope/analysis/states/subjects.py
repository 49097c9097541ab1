"""Which lock and which other thread each interval is about, as one number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope.trace.format import Event, LockWaitFlag

if TYPE_CHECKING:
    import numpy.typing as npt

    from gilscope.trace.arrays import I32, I64
    from gilscope.trace.model import Trace

DENSE = 1 << 24
"""Combinations up to which a table is cheaper than sorting."""


def interval_codes(trace: Trace) -> tuple[I32, list[tuple[int, int, bool]]]:
    """Number the combinations of lock and other thread that occur in a trace.

    Returns:
        i32[n], code of each interval, and what the codes stand for: a lock's id or -1, the other
        thread's index or 0, and whether it held what was waited for (else it ended the wait).
        Code 0 stands for neither lock nor thread.
    """
    intervals = trace.intervals
    kind = intervals.kind
    keys: npt.NDArray[Any] = np.maximum(intervals.peer, 0)
    keys *= kind != Event.GIL_HOLD  # three times as fast as by a mask
    span = int(keys.max(initial=0)) + 1
    held = kind == Event.GIL_WAIT
    held &= keys > 0
    on_lock = np.flatnonzero((kind == Event.LOCK_WAIT) | (kind == Event.SPIN))
    if len(on_lock):
        every = len(on_lock) == len(intervals)
        rows = slice(None) if every else on_lock
        lock = intervals.what if every else intervals.gather("what", on_lock)
        flags = intervals.flags if every else intervals.gather("flags", on_lock)
        held[rows] = (flags & np.uint8(LockWaitFlag.HOLDER)) != 0
        held[rows] &= keys[rows] > 0
        held[rows] &= kind[rows] == Event.LOCK_WAIT
        # Half the size, half the time.
        wide = 2 * span * (int(lock.max()) + 2) > np.iinfo(np.int32).max
        keys = keys.astype(np.int64 if wide else np.int32, copy=False)
        lock = lock.astype(keys.dtype)
        lock += 1
        lock *= span
        keys[rows] += lock
    keys *= 2
    keys += held
    # Without locks there are so few that unused ones do no harm.
    used, codes = _ranked(keys) if len(on_lock) else (np.arange(2 * span), keys)
    names = [(key // 2 // span - 1, key // 2 % span, bool(key % 2)) for key in used.tolist()]
    return codes, names


def _ranked(keys: npt.NDArray[Any]) -> tuple[I64, I32]:
    """Return the distinct keys, zero and others, ascending, and the place of each key, i32[n]."""
    most = int(keys.max(initial=0))
    if most >= DENSE:
        used, places = np.unique(np.append(keys, 0), return_inverse=True)
        return used, places[:-1].astype(np.int32)
    table = np.bincount(keys, minlength=most + 1)
    table[0] = 1
    used = np.flatnonzero(table)
    places = np.zeros(most + 1, np.int32)
    places[used] = np.arange(len(used))
    return used, np.take(places, keys)
