"""What the waits for the GIL turned into, as worded rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gilscope.text import shortened, time_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gilscope.results.matching import Difference, Differences

CAPTION = "What the waits for the GIL turned into, free-threaded build"
SHOWN = 4
"""Rows of each table."""

NAME_LENGTH = 60
MANY = "#"
"""Stands for the numbers in the names of threads of one kind."""

BECAME = {
    "object_locks": "object locks",
    "native_locks": "native locks",
    "other_locks": "other locks",
    "stopped": "stop-the-world",
    "waiting_gil": "the GIL",
    "gone": "nothing",
}
"""What a wait for the GIL can turn into, for people; `gone` is what is left of it."""


def difference_rows(differences: Differences) -> list[list[str]]:
    """Return head and rows, by thread, callback and line; none if no thread waited for the GIL.

    Locks are left out: a wait for the GIL had no other one.
    """
    rows = [
        (words(*row.place), row.ns["gil"]["waiting_gil"], row.became)
        for table, words in PLACES.items()
        for row in _longest(differences.get(table, ()))
        if row.became is not None
    ]
    columns = [name for name in BECAME if any(name in became for *_, became in rows)]
    head = ["where", "waited for the GIL", *(BECAME[name] for name in columns)]
    body = [
        [
            shortened(place, NAME_LENGTH),
            time_text(waited),
            *(time_text(became.get(c, 0)) for c in columns),
        ]
        for place, waited, became in rows
    ]
    return [head, *body] if body else []


def _longest(rows: Sequence[Difference]) -> list[Difference]:
    became = [row for row in rows if row.became is not None]
    return sorted(became, key=lambda row: -row.ns["gil"]["waiting_gil"])[:SHOWN]


def _line(function: str, module: str, line: str) -> str:
    where = ":".join(filter(None, (module, line)))
    return f"{function} ({where})" if function else "unknown place"


PLACES: dict[str, Callable[..., str]] = {
    "threads": lambda name: f"thread{'s' if MANY in name else ''} {name}",
    "callbacks": lambda entry, called: f"{entry} → {called or 'Python'}",
    "lines": _line,
}
"""What a row of each table is about, for people."""
