"""What a reader can set in a view: described once, for its controls in both hosts.

The page keeps the state (app/settings.js). A notebook shows ipywidgets for it (controls.py), a
report, which has no kernel, HTML (app/controls.js); both are made from what is described here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gilscope.trace.model import Trace
    from gilscope.view.data.columns import Columns

ALIGNMENTS = {"start": "starts aligned", "end": "ends aligned", "normalised": "normalised"}
ORDERS = {
    "creation": "by creation",
    "contention": "by waiting and holding",
    "waiting": "by waiting",
    "name": "by name",
}
TABS = ("threads", "locks", "callbacks", "spans", "blame", "difference", "findings")
THEMES = ("auto", "light", "dark")
MOST_NAMES = 200
"""Names that a field proposes; others can be typed."""


@dataclass(frozen=True)
class Setting:
    """One control.

    Attributes:
        name: Of the trait, and in the page's state.
        label: For people.
        kind: "choice" (one of ``options``), "check" or "text".
        options: Value and words of each choice.
        names: What a text field proposes.
        placeholder: What an empty text field says.
        live: A text field acts with each letter, not when it is left.
        width: Of a text field, in letters.
    """

    name: str
    label: str
    kind: str
    options: tuple[tuple[str, str], ...] = ()
    names: tuple[str, ...] = ()
    placeholder: str = ""
    live: bool = False
    width: int = 9


def settings(traces: Sequence[Trace], columns: Sequence[Columns]) -> list[Setting]:
    """Return the controls of a view, without those that would have nothing to act on."""
    heads = [head for one in columns for head in one.heads]
    names = {
        kind: _names(head.name for head in heads if head.kind == kind)
        for kind in ("thread", "lock", "callback")
    }
    locks = _names(
        trace.locks[lock].name
        for trace, one in zip(traces, columns, strict=True)
        for lock in one.locks
    )
    found = [
        Setting("align", "Time", "choice", tuple(ALIGNMENTS.items())),
        Setting("order", "Lanes", "choice", tuple(ORDERS.items())),
        Setting("locks", "locks", "check") if names["lock"] else None,
        Setting("callbacks", "callbacks", "check") if names["callback"] else None,
        _filter("thread", "Thread", names["thread"]),
        _filter("lock", "Lock", locks) if locks else None,
        _filter("callable", "Callable", names["callback"]) if names["callback"] else None,
        Setting("least", "At least", "text", placeholder="0 µs", width=5),
        Setting("search", "Search", "text", placeholder="/"),
    ]
    return [setting for setting in found if setting]


def _filter(name: str, label: str, names: tuple[str, ...]) -> Setting:
    return Setting(name, label, "text", names=names, placeholder="all", live=True)


def _names(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found))[:MOST_NAMES]
