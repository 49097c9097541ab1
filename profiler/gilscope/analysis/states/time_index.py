"""Any stretch of a long trace at any width, without going through what lies in it.

The intervals are put in groups that do not overlap in themselves: a thread in a state, or a thread
that waits for one lock held by one other. With the sum of the durations before each, the time
that a group takes before a moment is one binary search, and a picture of 1,000 columns costs the
same whatever the number of intervals. Built once, in a second for ten million intervals.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gilscope.analysis.states.state import State
from gilscope.analysis.states.subjects import interval_codes
from gilscope.analysis.states.thread_states import interval_states, lanes
from gilscope.trace.model import Threads

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gilscope.analysis.states.thread_states import Lane
    from gilscope.trace.arrays import I32, I64, U8, Bools
    from gilscope.trace.model import Trace

type F64 = npt.NDArray[np.float64]
type Keys = npt.NDArray[np.unsignedinteger[Any]]

STATES = len(State)
DENSE = 1 << 24
"""Combinations up to which a table is cheaper than sorting."""

PART = 1 << 16
"""Intervals that are counted at once: what is made of them stays in the processor's cache."""


@dataclass(frozen=True, eq=False)
class Groups:
    """Intervals by groups, in each of them by start and without overlap; n of them, g groups.

    Attributes:
        keys: i64[g], what each group stands for, ascending.
        bounds: i64[g + 1], where the groups begin in the columns.
        rows: i32[n], rows of `Trace.intervals`.
        starts: i64[n], ns from the trace's start.
        before: i64[n + 1], sum of the durations of all that come earlier in the columns, ns.
    """

    keys: I64
    bounds: I64
    rows: I32
    starts: I64
    before: I64

    @classmethod
    def build(cls, trace: Trace, keys: Keys) -> Groups:
        """Group the intervals by a key for each.

        Part by part, so that each column is gone through once, in order, whatever its length.
        """
        sizes = _sizes(keys)
        used = np.flatnonzero(sizes)
        rows, starts = np.empty(len(keys), np.int32), np.empty(len(keys), np.int64)
        before = np.zeros(len(keys) + 1, np.int64)
        place = np.cumsum(sizes) - sizes  # of the next interval of each key
        for first in range(0, len(keys), PART):
            part = slice(first, first + PART)
            order = np.argsort(keys[part], kind="stable")  # two bytes wide: a radix sort
            ordered = keys[part][order]
            counts = np.bincount(ordered, minlength=len(sizes))
            at = np.arange(len(order)) + (place - np.cumsum(counts) + counts)[ordered]
            rows[at] = first + order
            starts[at] = trace.intervals.start[part][order]
            before[at + 1] = trace.intervals.duration[part][order]
            place += counts
        np.cumsum(before, out=before)
        bounds = np.concatenate([[0], np.cumsum(sizes[used])])
        return cls(used, bounds, rows, starts, before)

    def span(self, group: int) -> slice:
        """Return where a group stands in the columns."""
        return slice(int(self.bounds[group]), int(self.bounds[group + 1]))

    def spent(self, group: int, edges: I64) -> tuple[I64, I64]:
        """Return the time that a group takes before each edge, ns, and how many began: i64[w]."""
        span = self.span(group)
        begun = np.searchsorted(self.starts[span], edges, side="left")
        last = span.start + np.maximum(begun - 1, 0)
        length = self.before[last + 1] - self.before[last]
        inside = np.clip(edges - self.starts[last], 0, length)
        spent = self.before[last] - self.before[span.start] + inside
        return np.where(begun > 0, spent, 0), begun


@dataclass(frozen=True, eq=False)
class Cells:
    """What a thread spent time on, bucket after bucket; only what took time, m cells.

    Attributes:
        bucket: i64[m], number of the bucket, from 0.
        state: i64[m], a `State`.
        code: i64[m], row of `Index.codes`: the lock and the other thread; 0 if there is none.
        time: i64[m], ns.
        count: i64[m], intervals that begin in the bucket.
    """

    bucket: I64
    state: I64
    code: I64
    time: I64
    count: I64

    def __len__(self) -> int:
        return len(self.bucket)

    @classmethod
    def joined(cls, parts: Sequence[Cells]) -> Cells:
        """Put the cells of several parts one behind the other."""
        if not parts:
            return cls(*(np.zeros(0, np.int64) for _ in fields(cls)))
        return cls(
            *(np.concatenate([getattr(one, field.name) for one in parts]) for field in fields(cls))
        )


class Index:
    """The index of one trace."""

    def __init__(self, trace: Trace) -> None:
        """Sort the intervals of ``trace`` into groups."""
        self.trace = trace
        self.states: U8 = interval_states(trace)
        self._groups = Groups.build(trace, _keys(trace, self.states))
        self._group_of = {int(key): place for place, key in enumerate(self._groups.keys)}
        self._inner: dict[int, I64] = {}

    @property
    def nbytes(self) -> int:
        """Memory that the index takes beside the trace, bytes."""
        parts: list[npt.NDArray[Any]] = [self.states, *self._inner.values()]
        parts += [self._groups.rows, self._groups.starts, self._groups.before]
        if "_fine" in self.__dict__:
            parts += [places for _, places in self._fine.values()]
        return sum(part.nbytes for part in parts)

    def times(self, lane: int, edges: I64) -> I64:
        """Return the time of each state of a thread in each column.

        Args:
            lane: Position in `Trace.threads`.
            edges: i64[w + 1], borders of the columns, ns, ascending.

        Returns:
            i64[STATES, w], ns; of a sound trace, a column adds up to the thread's life in it.
        """
        result = np.zeros((STATES, len(edges)), np.int64)
        inner = np.zeros(len(edges), np.int64)
        for state, group in self._states_of(lane):
            result[state] = self._groups.spent(group, edges)[0]
            if state != State.HOLDING_GIL:
                inner += self._spent_inside(lane, group, edges)
        result[State.HOLDING_GIL] -= inner
        thread = self.trace.threads[lane]
        life = np.clip(edges, thread.start_ns, thread.end_ns) - thread.start_ns
        result[State.RUNNING] = 0
        result[State.RUNNING] = life - result.sum(axis=0)
        return np.maximum(np.diff(result), 0)

    def count(self, start: int, end: int) -> int:
        """Return roughly how many intervals lie between two moments, ns."""
        total = 0
        for group in range(len(self._groups.keys)):
            first, last = self._in_view(group, start, end)
            total += last - first
        return total

    def lanes(self, start: int, end: int) -> list[Lane]:
        """Return all threads' segments between two moments, ns, exactly; for few of them."""
        spans = (self._in_view(group, start, end) for group in range(len(self._groups.keys)))
        none = np.zeros(0, np.int32)
        parts = [self._groups.rows[slice(*span)] for span in spans]
        rows = np.sort(np.concatenate([none, *parts])).astype(np.int64)
        threads = Threads(
            replace(
                thread,
                start_ns=min(max(thread.start_ns, start), end),
                end_ns=max(min(thread.end_ns, end), start),
            )
            for thread in self.trace.threads
        )
        chosen = self.trace.intervals.select(rows)
        events = replace(self.trace.events, threads=threads, intervals=chosen)
        part = self.trace.with_events(events)
        return [
            replace(lane, refs=np.where(lane.refs >= 0, rows[lane.refs] if len(rows) else -1, -1))
            for lane in lanes(part)
        ]

    @cached_property
    def codes(self) -> tuple[I32, list[tuple[int, int, bool]]]:
        """Code of each interval, i32[n], and what codes stand for: see :func:`interval_codes`."""
        return interval_codes(self.trace)

    def cells(self, lane: int, grain: int, *, coded: bool) -> Cells:
        """Return what a thread spent its time on, by buckets of time and by state.

        Args:
            lane: Position in `Trace.threads`.
            grain: Of the buckets, ns.
            coded: Divide waits by lock and other thread, too.
        """
        edges = np.arange(0, self.trace.threads[lane].end_ns + grain, grain, dtype=np.int64)
        times = self.times(lane, edges)
        whole = (State.HOLDING_GIL, State.RUNNING)
        parts = []
        for state in whole if coded else State:
            group = self._group_of.get(lane * 8 + state)
            begun = None if group is None else np.diff(self._groups.spent(group, edges)[1])
            parts.append(_cells_of(state, times[state], begun))
        if coded:
            waits = [found for found in self._states_of(lane) if found[0] not in whole]
            parts += [self._coded(state, group, grain, len(edges) - 1) for state, group in waits]
        return Cells.joined(parts)

    @property
    def kinds(self) -> int:
        """How many lines there are when waits are divided by code, all threads together."""
        return sum(len(used) for used, _ in self._fine.values()) + 2 * len(self.trace.threads)

    @cached_property
    def _fine(self) -> dict[int, tuple[I64, Keys]]:
        """Codes in each group of waits, and the place of each wait's among them."""
        result = {}
        for group, key in enumerate(self._groups.keys.tolist()):
            if key & 7 not in (State.HOLDING_GIL, State.RUNNING):
                codes = np.take(self.codes[0], self._groups.rows[self._groups.span(group)])
                used = np.flatnonzero(np.bincount(codes, minlength=1))
                table = np.zeros(int(used[-1]) + 1, np.min_scalar_type(len(used)))
                table[used] = np.arange(len(used))
                result[group] = used, np.take(table, codes)
        return result

    def _coded(self, state: int, group: int, grain: int, buckets: int) -> Cells:
        """Return the cells of a group of waits, divided by code."""
        span = self._groups.span(group)
        used, places = self._fine[group]
        start = self._groups.starts[span]
        length = np.diff(self._groups.before[span.start : span.stop + 1])
        edges = np.arange(buckets + 1, dtype=np.int64) * grain
        cuts = np.searchsorted(start, edges)
        cuts[-1] = len(start)
        first = np.repeat(np.arange(buckets), np.diff(cuts))
        # As they do not overlap, one a bucket at most reaches over its end: it has a part in each.
        ends = cuts[1:][cuts[1:] > cuts[:-1]] - 1
        over = ends[start[ends] + length[ends] > edges[first[ends] + 1]]
        end = start[over] + length[over]
        length[over] = edges[first[over] + 1] - start[over]
        parts = np.minimum((end - 1) // grain, buckets - 1) - first[over]
        of = np.repeat(np.arange(len(over)), parts)
        bucket = (
            first[over][of] + 1 + np.arange(len(of)) - np.repeat(np.cumsum(parts) - parts, parts)
        )
        more = np.minimum(end[of], edges[bucket + 1]) - edges[bucket]
        keys = first * len(used)
        keys += places
        lines, time, count = _summed(
            np.concatenate([keys, bucket * len(used) + places[over][of]]),
            np.concatenate([length, more]),
            len(keys),
            buckets * len(used),
        )
        cells = np.flatnonzero(time)
        bucket, place = np.divmod(lines[cells], len(used))
        return Cells(bucket, np.full(len(cells), state), used[place], time[cells], count[cells])

    def _states_of(self, lane: int) -> Iterator[tuple[int, int]]:
        """Yield (state, group) for each group of a lane."""
        for state in range(STATES):
            group = self._group_of.get(lane * 8 + state)
            if group is not None:
                yield state, group

    def _in_view(self, group: int, start: int, end: int) -> tuple[int, int]:
        """Return where the intervals of a group that touch a stretch of time begin and end."""
        span = self._groups.span(group)
        starts = self._groups.starts[span]
        first, last = np.searchsorted(starts, [start, end]).tolist()
        return span.start + max(first - 1, 0), span.start + last

    def _spent_inside(self, lane: int, group: int, edges: I64) -> I64 | int:
        """Return the part of a group's time that lies inside holds of the GIL, before each edge."""
        holds = self._group_of.get(lane * 8 + State.HOLDING_GIL)
        if holds is None or int(self._groups.keys[group]) & 7 == State.WAITING_GIL:
            return 0
        span = self._groups.span(group)
        if group not in self._inner:
            mine = self._inside(holds, span) * np.diff(
                self._groups.before[span.start : span.stop + 1]
            )
            self._inner[group] = np.concatenate([[0], np.cumsum(mine)])
        sums = self._inner[group]
        begun = np.searchsorted(self._groups.starts[span], edges, side="left")
        last = np.maximum(begun - 1, 0)
        length = sums[last + 1] - sums[last]
        spent = sums[last] + np.clip(edges - self._groups.starts[span][last], 0, length)
        return np.where(begun > 0, spent, 0)

    def _inside(self, holds: int, span: slice) -> Bools:
        """Return which intervals of a stretch of the columns begin inside holds of a group."""
        around = self._groups.span(holds)
        starts = self._groups.starts[span]
        place = np.searchsorted(self._groups.starts[around], starts, side="right") - 1
        hold = around.start + np.maximum(place, 0)
        end = self._groups.starts[hold] + self._groups.before[hold + 1] - self._groups.before[hold]
        inside: Bools = (place >= 0) & (starts < end)
        return inside


def _sizes(keys: Keys) -> I64:
    """Return how often each key occurs; part by part, as numpy makes 8 bytes of each."""
    limit = int(keys.max(initial=0)) + 1
    parts = (keys[at : at + PART] for at in range(0, len(keys), PART))
    return sum((np.bincount(part, minlength=limit) for part in parts), np.zeros(limit, np.int64))


def _cells_of(state: int, time: I64, begun: I64 | None) -> Cells:
    """Return the cells of one state, of which the time in all buckets is given."""
    bucket = np.flatnonzero(time)
    count = np.zeros(len(bucket), np.int64) if begun is None else begun[bucket]
    state_of, code = np.full(len(bucket), state), np.zeros(len(bucket), np.int64)
    return Cells(bucket, state_of, code, time[bucket], count)


def _summed(keys: I64, values: I64, begun: int, limit: int) -> tuple[I64, I64, I64]:
    """Return the distinct keys, which are below `limit`, the sums of their values, and how many.

    Only the first `begun` of them are counted.
    """
    if limit > DENSE:
        lines, keys = np.unique(keys, return_inverse=True)
    else:
        lines = np.arange(limit)
    # As float64 sums of ns are exact up to 104 days.
    sums = np.bincount(keys, values, len(lines)).astype(np.int64)
    return lines, sums, np.bincount(keys[:begun], minlength=len(lines))


def _keys(trace: Trace, states: U8) -> Keys:
    """Return 8 * position in `Trace.threads` + state of each interval, as narrow as possible."""
    indices = [thread.index for thread in trace.threads]
    kind = np.min_scalar_type(8 * len(indices) + 7)
    table = np.zeros(max(indices, default=0) + 1, kind)
    table[indices] = 8 * np.arange(len(indices))
    keys: Keys = np.take(table, trace.intervals.thread)
    keys |= states
    return keys
