"""Locks that go by one name: a reader takes them for one thing, such as the locks of a pool."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MADE_FOR_ONE_WAIT = {"event", "thread_end"}
"""Kinds of which nobody knows one from another: the address is no name."""

ADDRESS = re.compile(r" at 0x[0-9a-f]+$")


def group_name(name: str, kind: str) -> str:
    """Return what locks of this kind that a reader cannot tell from this one are called."""
    return ADDRESS.sub("", name) if kind in MADE_FOR_ONE_WAIT else name


def grouped(locks: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the locks of a run's summary with those of one name as one, longest waiting first.

    Returns:
        Rows as in the summary, with the sums of their numbers, and with ``locks``: how many each
        stands for.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for lock in locks:
        name, kind = group_name(lock["name"], lock["kind"]), lock["kind"]
        first = found.get((name, kind))
        if first is None:
            found[name, kind] = {**lock, "locks": 1}
            continue
        first["name"] = name
        first["locks"] += 1
        for number in ("waits", "wait_s", "spins", "spin_s"):
            first[number] = first.get(number, 0) + lock.get(number, 0)
        first["max_wait_s"] = max(first.get("max_wait_s", 0), lock.get("max_wait_s", 0))
    return sorted(found.values(), key=lambda row: -row["wait_s"] - row.get("spin_s", 0))
