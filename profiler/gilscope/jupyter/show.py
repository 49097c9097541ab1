"""Shows a comparison in a notebook: a static view that stays, a live one that takes its place.

Two outputs, because no notebook front end shows the fall-back of a widget that it cannot draw. The
first is plain HTML (text in a terminal): verdict, picture, tables; it is what a saved notebook, a
code host and a converter show. The second is the widget; where it comes to life, it hides the
first.
"""

from __future__ import annotations

import re
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

from IPython.display import display

from gilscope.view.markup import text
from gilscope.view.widget import TimelineWidget
from gilscope.view.words import time_text

if TYPE_CHECKING:
    from gilscope.comparison import Comparison

STEP = re.compile(r"\[(\d+)/(\d+)\]")
LIVE_TEXT = "The same with zoom, while the notebook's kernel runs."


def show(comparison: Comparison, *, live: bool, hidden: frozenset[str] = frozenset()) -> None:
    """Display ``comparison``.

    Args:
        comparison: What is shown.
        live: Whether there is a page that can run a widget; else only the text is of use.
        hidden: Names of threads that the live view does not show at first.
    """
    section = replace(comparison.section(), hidden=hidden)
    plain = comparison.summary_text()
    if not live:
        display({"text/plain": plain}, raw=True)
        return
    widget = TimelineWidget(section)
    display({"text/html": widget.static_html(), "text/plain": plain}, raw=True)
    if section.traces:
        display(_view(widget), raw=True)


def _view(widget: TimelineWidget) -> dict[str, Any]:
    """Return the display data of the widget, with words where there is no widget."""
    data: dict[str, Any] = dict(widget._repr_mimebundle_()[0])
    return {**data, "text/plain": LIVE_TEXT}


class Progress:
    """One line that says what is done now, and in the end how much was done."""

    def __init__(self, *, live: bool) -> None:
        """Show nothing yet; nothing at all if the page cannot change what it has shown."""
        self._live = live
        self._handle: Any = None
        self._start = perf_counter()
        self._steps = 0

    def step(self, line: str) -> None:
        """Show ``line`` in place of the one before, with a bar if it says ``[3/12]``."""
        self._steps += 1
        match = STEP.match(line)
        if match is None:
            self._say(line)
            return
        done, total = int(match[1]) - 1, int(match[2])
        bar = f'<progress value="{done}" max="{total}" style="width: 200px"></progress>'
        self._say(line, f"<div>{bar} {text(line)}</div>")

    def done(self) -> None:
        """Say that nothing runs any more."""
        if self._steps:
            self._say(f"{self._steps} runs in {time_text(perf_counter() - self._start)}")

    def _say(self, line: str, html: str = "") -> None:
        if not self._live:
            return
        bundle = {"text/plain": line, **({"text/html": html} if html else {})}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)
