"""Locks that go by one name: a reader takes them for one thing, such as the locks of a pool."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gilscope.analysis.waits.contention import LockTotals

MADE_FOR_ONE_WAIT = {"event", "thread_end"}
"""Kinds of locks that only an address tells apart, which is no name."""

ADDRESS = re.compile(r" at 0x[0-9a-f]+$")


def group_name(name: str, kind: str) -> str:
    """Return the shared name of all locks that a reader cannot tell from this one."""
    return ADDRESS.sub("", name) if kind in MADE_FOR_ONE_WAIT else name


@dataclass(frozen=True, slots=True)
class LockGroup:
    """Locks of one name and kind, with the sums of their numbers.

    Attributes:
        name: What they are called.
        kind: As `Lock.kind`.
        locks: How many there are.
        waits: Waits for them.
        wait_ns: The sum of these.
        max_ns: The longest of these.
        spins: How often a thread spun for one of them.
        spin_ns: The sum of that; no part of ``wait_ns``.
    """

    name: str
    kind: str
    locks: int
    waits: int
    wait_ns: int
    max_ns: int
    spins: int
    spin_ns: int


def grouped(totals: Iterable[LockTotals]) -> list[LockGroup]:
    """Return the totals of locks with those of one name as one, longest waiting first."""
    found: dict[tuple[str, str], list[LockTotals]] = {}
    for one in totals:
        key = group_name(one.lock.name, one.lock.kind), one.lock.kind
        found.setdefault(key, []).append(one)
    groups = [_group(*key, members) for key, members in found.items()]
    return sorted(groups, key=lambda group: -group.wait_ns - group.spin_ns)


def _group(name: str, kind: str, members: Sequence[LockTotals]) -> LockGroup:
    return LockGroup(
        members[0].lock.name if len(members) == 1 else name,
        kind,
        len(members),
        sum(one.waits for one in members),
        sum(one.wait_ns for one in members),
        max(one.max_ns for one in members),
        sum(one.spins for one in members),
        sum(one.spin_ns for one in members),
    )
