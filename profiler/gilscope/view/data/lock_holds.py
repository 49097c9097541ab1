"""Which threads had a lock while another one waited for it, in time: a bar in the details."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.waits.lock_holders import held_during
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from gilscope.trace.arrays import I64
    from gilscope.trace.model import Trace

    type Holds = list[tuple[int, int, int]]  # `Thread.index`, start, end, ns

MOST = 60
"""Holds of one wait that a bar has room for; of more, nothing is said one by one."""

NEAR = 10
"""Times as long as what is asked for, before it: what a lock went through earlier is left out."""

MOST_IN_ALL = 6000
"""Holds that travel with a view: those of the longest waits."""


def lock_holds(trace: Trace, rows: I64) -> dict[int, Holds]:
    """Return who had the locks that were waited for, in order, as far as it is known.

    Args:
        trace: The trace.
        rows: Of its intervals, of any kind.

    Returns:
        By place in ``rows``; of the longest waits only, where there is much to say.
    """
    intervals = trace.intervals
    places = np.flatnonzero(intervals.kind[rows] == Event.LOCK_WAIT)
    if not len(places):
        return {}
    # The waits of all threads say who got a lock: those near what is asked for, as of one wait in a
    # long trace.
    asked_for = rows[places]
    begin, end = int(intervals.start[asked_for].min()), int(intervals.end[asked_for].max())
    near = (intervals.end >= begin - NEAR * (end - begin)) & (intervals.start <= end)
    waits = np.flatnonzero(near & (intervals.kind == Event.LOCK_WAIT))
    waits = waits[np.isin(intervals.what[waits], intervals.what[asked_for])]
    held = held_during(trace, waits)
    asked = np.full(len(waits), -1)
    asked[np.searchsorted(waits, asked_for)] = places
    found: dict[int, Holds] = {}
    place = asked[held.waits]
    chosen = np.flatnonzero(place >= 0)
    chosen = chosen[np.lexsort((held.start[chosen], place[chosen]))]
    ends = held.start[chosen] + held.ns[chosen]
    columns = (place[chosen], held.holder[chosen], held.start[chosen], ends)
    for wait, thread, start, end in zip(*(column.tolist() for column in columns), strict=True):
        found.setdefault(wait, []).append((thread, start, end))
    return _bounded(
        {wait: holds for wait, holds in found.items() if len(holds) <= MOST}, trace, rows
    )


def _bounded(found: dict[int, Holds], trace: Trace, rows: I64) -> dict[int, Holds]:
    """Return those of the longest waits."""
    kept: dict[int, Holds] = {}
    left = MOST_IN_ALL
    for wait in sorted(found, key=lambda wait: -int(trace.intervals.duration[rows[wait]])):
        left -= len(found[wait])
        if left < 0:
            break
        kept[wait] = found[wait]
    return kept
