"""In which function the GIL was held while others waited for it, moment by moment.

A long hold is cut in the middle between two samples of its thread, and each piece charged to where
the sample found it; a hold without samples is charged to where it ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.grouping import order_by
from gilscope.analysis.stacks import located
from gilscope.analysis.waits.blame import caused_between, shared_with
from gilscope.analysis.waits.holder_places import HolderPlace, native_holder, python_holder
from gilscope.trace.format import HoldFlag, SampleFlag

if TYPE_CHECKING:
    from gilscope.analysis.waits.gil_holds import WantedHolds
    from gilscope.trace.arrays import I64, U32, Bools
    from gilscope.trace.model import Trace

IN_TIME_NS = 1_000_000
"""Python code releases the GIL microseconds after a thread has asked for it; a thread that goes on
for longer runs native code, or has lost its processor."""

MOSTLY = 0.5
"""Share of the waiting for a native function, as far as it was asked for the GIL, in which it was
seen to go on. Below that, Python code calls it again and again."""


ALIKE = 0.9
"""Share of the looks at holds that ended at one place, for those that nobody looked at to count as
them."""


UNNAMED = -1
UNSEEN = HolderPlace("native code", native=True)
"""That kept the GIL without having been seen."""


@dataclass(frozen=True, eq=False)
class Pieces:
    """n pieces of holds of the GIL that others waited for, by hold and time.

    Attributes:
        holds: i64[n], rows of `Trace.intervals`.
        starts: i64[n], ns.
        ends: i64[n], ns.
        caused_ns: i64[n], waiting for the GIL in it, all threads together.
        stack: i64[n], key of `Trace.stacks`: where the thread was.
        sampled: bool[n], by a sample; else that is where the hold ended.
        asleep: bool[n], the thread slept in the kernel.
        place: i64[n], of `places`.
        places: functions.
    """

    holds: I64
    starts: I64
    ends: I64
    caused_ns: I64
    stack: I64
    sampled: Bools
    asleep: Bools
    place: I64
    places: list[HolderPlace]

    def __len__(self) -> int:
        return len(self.holds)

    @cached_property
    def native(self) -> Bools:
        """bool[n]: native code kept the GIL."""
        known = np.array([place.native for place in self.places], np.bool_)
        return known[self.place] if len(known) else np.zeros(0, np.bool_)

    def shared(self, trace: Trace, chosen: Bools, waits: I64) -> I64:
        """Return how much of each of these waits for the GIL was in these pieces, ns, i64[w]."""
        gils, result = trace.intervals.what, np.zeros(len(waits), np.int64)
        for gil in np.unique(gils[self.holds[chosen]]).tolist():
            mine = np.flatnonzero(chosen & (gils[self.holds] == gil))
            about = np.flatnonzero(gils[waits] == gil)
            starts, ends = trace.intervals.start[waits[about]], trace.intervals.end[waits[about]]
            result[about] = shared_with(self.starts[mine], self.ends[mine], starts, ends)
        return result


def pieces(trace: Trace, holds: WantedHolds) -> Pieces:
    """Cut the holds that others waited for, and find out where their threads were."""
    rows, starts, ends, samples = _cut(trace, holds)
    sampled = samples >= 0
    flags = np.append(trace.gil_samples.flags, np.uint8(0))[samples]
    asleep = (flags & np.uint8(SampleFlag.ASLEEP)) != 0
    stack = np.append(trace.gil_samples.stack, 0)[samples].astype(np.int64)
    # Where the interpreter ran Python code, or nobody looked: what it did until it ended.
    unknown = ~sampled | ((flags & np.uint8(SampleFlag.LOOP)) != 0)
    stack[unknown] = trace.intervals.stack[rows[unknown]]
    caused = caused_between(trace, trace.intervals.what[rows], starts, ends)
    natives, native_places = located(trace, stack.astype(np.uint32), native_holder)
    pythons, python_places = located(trace, stack.astype(np.uint32), python_holder)
    candidate = sampled & ~unknown & _are([p.native for p in native_places])[natives]
    asked = (flags & np.uint8(SampleFlag.ASKED)) != 0
    number = np.searchsorted(holds.rows, rows)
    forced, hold_kept = (
        (trace.intervals.flags[rows] & np.uint8(flag)) != 0
        for flag in (HoldFlag.FORCED, HoldFlag.KEPT)
    )
    in_time = forced & (holds.late_ns[number] < IN_TIME_NS) & ~hold_kept
    went_on = _of_same_hold(number, natives, asked | asleep | (hold_kept & candidate))
    kept = _mostly_kept(native_places, natives, caused * candidate, went_on, in_time)
    candidate &= kept[natives]
    unseen = np.flatnonzero(samples < 0)
    like = _like_others(trace, rows, natives, candidate, unseen)
    candidate[unseen], natives[unseen] = like >= 0, np.where(like >= 0, like, natives[unseen])
    place = np.where(candidate, natives, pythons + len(native_places))
    places = [*native_places, *python_places, UNSEEN]
    # It came back from native code only then, to where the hold ended.
    unseen = np.flatnonzero(~candidate & ~sampled & hold_kept & forced)
    place[unseen] = _seen_there(trace.intervals.stack[rows], natives, candidate, unseen, UNNAMED)
    place[place == UNNAMED] = len(places) - 1
    return Pieces(rows, starts, ends, caused, stack, sampled, asleep & candidate, place, places)


def _mostly_kept(
    places: list[HolderPlace], place: I64, caused: I64, went_on: Bools, in_time: Bools
) -> Bools:
    """Return which native functions kept the GIL, by the waiting in their pieces, bool[p].

    Args:
        places: what stacks say.
        place: i64[n], of each piece.
        caused: i64[n], waiting in it, ns.
        went_on: bool[n], in its hold the function was seen to go on after it had been asked.
        in_time: bool[n], its hold ended as soon as a thread had asked.
    """
    size = len(places)
    kept = np.bincount(place, caused * went_on, size)
    released = np.bincount(place, caused * (in_time & ~went_on), size)
    nobody_asked = (kept + released == 0) & _are([not p.interpreter for p in places])
    mostly: Bools = nobody_asked | ((kept > 0) & (kept >= MOSTLY * (kept + released)))
    return mostly


def _like_others(trace: Trace, rows: I64, natives: I64, candidate: Bools, unseen: I64) -> I64:
    """Return the native function that a hold without a look counts for, or -1; i64[u].

    The kernel's tick does not come in each hold of 10 ms. Where nearly all holds of a thread that
    ended at the same place were found in one function, the others are taken to be like them.
    """
    if not candidate.any():
        return np.full(len(unseen), -1)
    stacks = trace.intervals.stack[rows]
    ends = trace.intervals.thread[rows].astype(np.int64) << 32 | stacks
    used = np.unique(ends[candidate])
    groups = np.minimum(np.searchsorted(used, ends), len(used) - 1)
    alike = (used[groups] == ends) & (stacks != 0)
    seen = np.ones(len(rows), np.bool_)
    seen[unseen] = False
    total = np.bincount(groups[alike & seen], minlength=len(used))
    best = np.full(len(used), -1)
    for native in np.unique(natives[candidate]).tolist():
        found = groups[alike & candidate & (natives == native)]
        counts = np.bincount(found, minlength=len(used))
        best[(total > 0) & (counts >= ALIKE * total)] = native
    long = trace.intervals.duration[rows[unseen]] >= IN_TIME_NS
    return np.where(long & alike[unseen], best[groups[unseen]], -1)


def _seen_there(ends: U32, natives: I64, candidate: Bools, unseen: I64, nothing: int) -> I64:
    """Return the native function that holds which ended at the same place were all seen in, i64[u].

    Args:
        ends: u32[n], stack at the end of each hold.
        natives: i64[n], native function of each piece.
        candidate: bool[n], it kept the GIL.
        unseen: i64[u], pieces of which nobody knows.
        nothing: what is returned where there is no such function, or several.
    """
    found = np.full(len(unseen), nothing)
    for end in np.unique(ends[unseen]).tolist():
        functions = np.unique(natives[candidate & (ends == end)])
        if end and len(functions) == 1:
            found[ends[unseen] == end] = functions[0]
    return found


def _are(answers: list[bool]) -> Bools:
    return np.array(answers, np.bool_)


def _of_same_hold(hold: I64, place: I64, marks: Bools) -> Bools:
    """Return the pieces of which one at the same place in the same hold is marked, bool[n]."""
    pairs = hold * (int(place.max(initial=0)) + 1) + place
    marked: Bools = np.isin(pairs, pairs[marks])
    return marked


def _cut(trace: Trace, holds: WantedHolds) -> tuple[I64, I64, I64, I64]:
    """Return row of the hold, start, end, and row of the sample or -1 of all pieces."""
    intervals = trace.intervals
    of_sample, samples = _samples_in(trace, holds)
    times, rows = trace.gil_samples.start[samples], holds.rows[of_sample]
    first = np.diff(of_sample, prepend=-1) != 0
    last = np.diff(of_sample, append=-1) != 0
    middles = (times[1:] + times[:-1]) // 2
    begins = np.where(first, intervals.start[rows], np.append(0, middles)[: len(times)])
    ends = np.where(last, intervals.end[rows], np.append(middles, 0)[: len(times)])
    unseen = np.ones(len(holds), np.bool_)
    unseen[of_sample] = False
    without = holds.rows[unseen]
    columns = (
        np.concatenate([rows, without]),
        np.concatenate([begins, intervals.start[without]]),
        np.concatenate([ends, intervals.end[without]]),
        np.concatenate([samples, np.full(len(without), -1)]),
    )
    order = np.lexsort((columns[1], columns[0]))
    return columns[0][order], columns[1][order], columns[2][order], columns[3][order]


def _samples_in(trace: Trace, holds: WantedHolds) -> tuple[I64, I64]:
    """Return places in `holds` and rows of the samples that lie in them, by hold, then time."""
    samples, intervals = trace.gil_samples, trace.intervals
    parts = [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
    for gil in np.unique(samples.what).tolist():
        mine = np.flatnonzero(intervals.what[holds.rows] == gil)
        some = np.flatnonzero(samples.what == gil)
        starts, ends = intervals.start[holds.rows[mine]], intervals.end[holds.rows[mine]]
        at = np.searchsorted(starts, samples.start[some], "right") - 1
        some, at = some[at >= 0], at[at >= 0]
        inside = samples.start[some] <= ends[at]
        inside &= samples.peer[some] == intervals.thread[holds.rows[mine[at]]]
        parts.append((mine[at[inside]], some[inside]))
    of_sample, found = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = order_by(of_sample)  # samples are in the order of time
    return of_sample[order], found[order]
