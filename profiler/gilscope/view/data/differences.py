"""What the waits for the GIL turned into, as worded rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gilscope.view.data.words import time_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CAPTION = "What the waits for the GIL turned into, free-threaded build"
SHOWN = 4
"""Rows of each table."""

NAME_LENGTH = 60
BECAME = {
    "object_locks_s": "object locks",
    "native_locks_s": "native locks",
    "other_locks_s": "other locks",
    "stopped_s": "stop-the-world",
    "waiting_gil_s": "the GIL",
    "gone_s": "nothing",
}
"""What a wait for the GIL can turn into, for people; `gone_s` is what is left of it."""

type Row = Mapping[str, Any]


def difference_rows(differences: Mapping[str, Sequence[Row]]) -> list[list[str]]:
    """Return head and rows, by thread, callback and line; none if no thread waited for the GIL.

    Locks are left out: a wait for the GIL had no other one.
    """
    rows = [
        (PLACES[table](row), _waited(row), row["became"])
        for table in PLACES
        for row in _longest(differences.get(table, ()))
    ]
    columns = [name for name in BECAME if any(name in became for *_, became in rows)]
    head = ["", "waited for the GIL", *(BECAME[name] for name in columns)]
    body = [
        [_short(place), time_text(waited), *(time_text(became.get(c, 0.0)) for c in columns)]
        for place, waited, became in rows
    ]
    return [head, *body] if body else []


def _longest(rows: Sequence[Row]) -> list[Row]:
    became = [row for row in rows if row["became"] is not None]
    return sorted(became, key=lambda row: -_waited(row))[:SHOWN]


def _waited(row: Row) -> float:
    return float(row["builds"]["gil"]["waiting_gil_s"])


def _line(row: Row) -> str:
    where = ":".join(filter(None, (row["module"], row["line"])))
    return f"{row['function']} ({where})" if row["function"] else "not known where"


PLACES = {
    "threads": lambda row: f"threads {row['threads']}",
    "callbacks": lambda row: f"{row['entry']} → {row['callable'] or 'Python'}",
    "lines": _line,
}
"""What a row of each table is about, for people."""


def _short(name: str) -> str:
    """Cut the middle out of a long name: what it begins and ends with tells it apart."""
    half = NAME_LENGTH // 2
    return name if len(name) <= NAME_LENGTH else f"{name[:half]}…{name[1 - half :]}"
