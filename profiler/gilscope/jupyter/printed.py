"""What the program of a cell prints and displays, in the cell's outputs."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from IPython.display import display

if TYPE_CHECKING:
    from gilscope.presentation import Comparison
    from gilscope.runner.outputs import Display

COLOR = re.compile(r"\x1b\[[0-9;]*m")


class Printed:
    """Shows what the program prints and displays, once: in its first run under the first build."""

    def __init__(self) -> None:
        self._build: str | None = None

    def take(self, build: str, stream: str, text: str) -> None:
        """Take what the program prints; standard error is shown at the end, see ``finish``."""
        self._build = self._build or build
        if build == self._build and stream == "stdout":
            sys.stdout.write(text)
            sys.stdout.flush()

    def display(self, build: str, shown: Display) -> None:
        """Take what the program displays."""
        self._build = self._build or build
        if build == self._build:
            named = {"display_id": shown.display_id} if shown.display_id else {}
            change = {"update": True} if shown.update and named else {}
            display(shown.data, metadata=shown.metadata, raw=True, **named, **change)

    def finish(self, comparison: Comparison) -> None:
        """Show standard error, without the traceback with which the cell is going to fail."""
        for run in comparison.runs[:1]:
            sys.stderr.write(without(run.stderr, run.traceback or ""))


def without(text: str, part: str) -> str:
    """Return a text without a part, which may be in colours there: kernels ask Python for them."""
    colors = [match.span() for match in COLOR.finditer(text)]
    at = COLOR.sub("", text).find(part)
    if not part or at < 0:
        return text
    start, end = at, at + len(part)
    for first, last in colors:
        start += last - first if first < start else 0
        end += last - first if first <= end else 0
    return text[:start] + text[end:]
