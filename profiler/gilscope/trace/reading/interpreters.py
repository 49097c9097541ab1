"""Which interpreter each thread works for, where subinterpreters have a GIL of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gilscope.trace.format import Event
from gilscope.trace.model import Threads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gilscope.trace.model import Gil, Intervals


def with_interpreters(threads: Threads, intervals: Intervals, gils: Mapping[int, Gil]) -> Threads:
    """Return the threads with the interpreter whose GIL each of them held for longest.

    Events are looked at only if there is a GIL that is not the main interpreter's.
    """
    if not any(gil.interpreter > 0 for gil in gils.values()):
        return threads
    rows = np.flatnonzero(intervals.kind == Event.GIL_HOLD)
    held: dict[int, dict[int, int]] = {}
    pairs = np.stack([intervals.thread[rows].astype(np.int64), intervals.what[rows]], axis=1)
    used, places = np.unique(pairs, axis=0, return_inverse=True)
    times = np.bincount(places.reshape(-1), intervals.duration[rows], len(used))
    for (thread, gil), ns in zip(used.tolist(), times.tolist(), strict=True):
        number = gils[gil].interpreter if gil in gils else 0
        mine = held.setdefault(thread, {})
        mine[number] = mine.get(number, 0) + int(ns)
    most = {thread: max(mine, key=lambda one: mine[one]) for thread, mine in held.items()}
    return Threads(replace(thread, interpreter=most.get(thread.index, 0)) for thread in threads)
