"""Which threads share one lane: those that a program starts many of, told by their names.

A pool's workers, the threads of one function and the native threads of one library have names that
differ in a number, or not at all. A picture of few threads has a lane for each of them.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.trace.model import Thread

FROM = 8
"""Threads of one kind that share a lane."""

ROOM = 24
"""Threads that have a lane each, whatever they are called: so many fit without being cramped."""

OF_FUNCTION = re.compile(r"Thread-\d+ \((.+)\)")
LAST_NUMBER = re.compile(r"\d+(?=\D*$)")
NUMBER = re.compile(r"\d+")
ENDS = " -_.:#…"
"""What is cut off where a number was at an end of a name."""


@dataclass(frozen=True, slots=True)
class Group:
    """Threads that share one lane.

    Attributes:
        name: What their names have in common.
        peak: The most of them that lived at one time, in any of the traces.
    """

    name: str
    peak: int


def groups_of(timelines: Sequence[Sequence[Thread]]) -> tuple[list[Group], list[np.ndarray]]:
    """Return the groups, and of each timeline the group of each thread, i32, or -1.

    Args:
        timelines: The threads of each trace.
    """
    none = [np.full(len(threads), -1, np.int32) for threads in timelines]
    if max(map(len, timelines), default=0) <= ROOM:
        return [], none
    keys = [[_kind(thread.name) for thread in threads] for threads in timelines]
    large = _large(keys)
    # A thousand pools of four threads each are one group.
    wider = [
        [
            "" if thread.main else key if key in large else _kind(thread.name, NUMBER)
            for key, thread in zip(kinds, threads, strict=True)
        ]
        for kinds, threads in zip(keys, timelines, strict=True)
    ]
    # A number that all have is a part of the name: python3.
    called: dict[str, set[str]] = {kind: set() for kind in _large(wider)}
    for kinds, threads in zip(wider, timelines, strict=True):
        for kind, thread in zip(kinds, threads, strict=True):
            called.get(kind, set()).add(thread.name)
    numbers = {kind: number for number, kind in enumerate(called)}
    members = [np.array([numbers.get(kind, -1) for kind in kinds], np.int32) for kinds in wider]
    names = _short([min(names) if len(names) == 1 else kind for kind, names in called.items()])
    return [
        Group(name, max(map(_peak, timelines, [one == number for one in members])))
        for number, name in enumerate(names)
    ], members


def _kind(name: str, numbers: re.Pattern[str] = LAST_NUMBER) -> str:
    """Return what is left of a name without its number."""
    function = OF_FUNCTION.fullmatch(name)
    return f"Thread-… ({function[1]})" if function else numbers.sub("…", name)


def _large(timelines: Sequence[Sequence[str]]) -> list[str]:
    """Return the kinds that are frequent in a timeline, in the order of their appearance."""
    counts = [Counter(kinds) for kinds in timelines]
    every = dict.fromkeys(kind for kinds in timelines for kind in kinds if kind)
    return [kind for kind in every if max(count[kind] for count in counts) >= FROM]


def _short(kinds: Sequence[str]) -> list[str]:
    """Return short names for kinds, each of them once."""
    short = [
        kind[len("Thread-… (") : -1] if kind.startswith("Thread-… (") else kind.strip(ENDS) or kind
        for kind in kinds
    ]
    return [
        name if short.count(name) == 1 else kind for name, kind in zip(short, kinds, strict=True)
    ]


def _peak(threads: Sequence[Thread], mine: np.ndarray) -> int:
    """Return the most threads of a mask that lived at one time."""
    chosen = [threads[place] for place in np.flatnonzero(mine).tolist()]
    if not chosen:
        return 0
    moments = np.array([(one.start_ns, one.end_ns) for one in chosen], np.int64)
    begun, ended = np.sort(moments[:, 0]), np.sort(moments[:, 1])
    alive = np.arange(1, len(begun) + 1) - np.searchsorted(ended, begun, side="right")
    return int(alive.max())
