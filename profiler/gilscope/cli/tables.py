"""Tables and texts for the terminal; what a trace brings along cannot control it."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gilscope.cli.plain import clean
from gilscope.text import time_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

PIPED_WIDTH = 200  # characters, where nobody looks at a terminal

NARROW = 12  # characters that a column of text has at least


def console() -> Console:
    """Return the console that results go to; its width is the terminal's."""
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    return Console(highlight=False, markup=False, emoji=False, width=width)


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show on a terminal that work is in progress."""
    with Console(stderr=True).status(what):
        yield


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1
) -> Table:
    """Return a table: some columns of text, which are folded where room is short, then numbers."""
    made = Table(title=Text(title, "bold"), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for place, column in enumerate(columns):
        if place < texts:
            made.add_column(Text(column), overflow="fold", min_width=min(len(column), NARROW))
        else:
            made.add_column(Text(column), justify="right", no_wrap=True)
    for row in rows:
        made.add_row(*(Text(clean(cell)) for cell in row))
    return made


def time(ns: float | None) -> str:
    """Return a time in ns for people; "" if there is none."""
    return "" if ns is None else time_text(ns)
