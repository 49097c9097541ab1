"""What native code called at the same time in several threads: what a free-threaded build adds."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.waits.overlaps import pairs

if TYPE_CHECKING:
    from gilscope.analysis.callbacks.callback_nesting import CallbackWork
    from gilscope.analysis.facts import Facts
    from gilscope.trace.arrays import I64


@dataclass(frozen=True, slots=True)
class Concurrent:
    """Two callables whose calls overlapped in time, in different threads; times in ns.

    Attributes:
        first: Calls of one of them.
        second: Calls of the other one; the same as ``first`` where a callable overlaps with itself.
        count: Pairs of calls that overlapped.
        total_ns: For how long, all pairs together.
        longest_ns: The longest overlap.
        start_ns: Where that one begins, from the trace's start.
        threads: The `Thread.index` of the two threads in it.
    """

    first: CallbackWork
    second: CallbackWork
    count: int
    total_ns: int
    longest_ns: int
    start_ns: int
    threads: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Concurrency:
    """What overlapped in a run.

    Attributes:
        gil: Whether the GIL was on, so that the calls came one after the other after all.
        pairs: The callables, the longest overlap in all first.
    """

    gil: bool
    pairs: list[Concurrent]


def concurrency(facts: Facts) -> Concurrency:
    """Return the pairs of callables whose calls overlapped.

    Without the GIL these are calls that were in Python at the same time. With the GIL no calls are;
    then these are calls that native code made at the same time, one of which had to wait.
    """
    gil = facts.trace.build == "gil" or facts.trace.gil_enabled_start
    callbacks, work = facts.trace.callbacks, facts.callbacks
    starts = callbacks.start + (0 if gil else callbacks.enter_ns)
    # Native code that only takes a thread into Python is no code that could race.
    called = np.flatnonzero(callbacks.callable)
    order = called[np.argsort(starts[called], kind="stable")]
    groups = facts.group_of_callback[order]
    threads = callbacks.thread[order]
    starts, ends = starts[order], callbacks.end[order]
    found: dict[int, _Sum] = defaultdict(_Sum)
    # Those that begin before a call's end are its partners; each pair once.
    after = np.arange(1, len(starts) + 1)
    for one, other in pairs(after, np.maximum(np.searchsorted(starts, ends) - after, 0)):
        apart = threads[one] != threads[other]
        one, other = one[apart], other[apart]  # noqa: PLW2901 - the rest of the pairs
        shared = np.minimum(ends[one], ends[other]) - starts[other]
        low = np.minimum(groups[one], groups[other])
        keys = low * len(work) + np.maximum(groups[one], groups[other])
        for key in np.unique(keys).tolist():
            rows = np.flatnonzero(keys == key)
            found[key].add(shared[rows], one[rows], other[rows])
    overlapped = [
        Concurrent(
            first=work[key // len(work)],
            second=work[key % len(work)],
            count=total.count,
            total_ns=total.total_ns,
            longest_ns=total.longest_ns,
            start_ns=int(starts[total.rows[1]]),
            threads=(int(threads[total.rows[0]]), int(threads[total.rows[1]])),
        )
        for key, total in found.items()
    ]
    overlapped.sort(key=lambda pair: (-pair.total_ns, pair.first.name, pair.second.name))
    return Concurrency(gil, overlapped)


class _Sum:
    """What is known of the pairs of two groups.

    Attributes:
        rows: The two callbacks of the longest overlap.
    """

    def __init__(self) -> None:
        self.count = self.total_ns = 0
        self.longest_ns = -1
        self.rows = (0, 0)

    def add(self, shared: I64, one: I64, other: I64) -> None:
        self.count += len(shared)
        self.total_ns += int(shared.sum())
        at = int(np.argmax(shared))
        if shared[at] > self.longest_ns:
            self.longest_ns = int(shared[at])
            self.rows = int(one[at]), int(other[at])
