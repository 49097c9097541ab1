"""Shows a comparison in a notebook: a static view that stays, a live one that takes its place.

Two outputs, because no notebook front end shows the fall-back of a widget that it cannot draw. The
first is plain HTML (text in a terminal): verdict, picture, tables; it is what a saved notebook, a
code host and a converter show. The second is the widget; where it comes to life, it hides the
first.
"""

from __future__ import annotations

import re
import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any

import ipywidgets
from IPython.display import display

from gilscope.text import count_text, seconds_text
from gilscope.view.notebook.controls import end
from gilscope.view.notebook.widget import static_html

if TYPE_CHECKING:
    from gilscope.jupyter.shown import Shown
    from gilscope.presentation import Comparison

STEP = re.compile(r"\[(\d+)/(\d+)\]")
ENOUGH = 2  # runs that tell how long the others take
LIVE_TEXT = "Run the cell again for live zoom."


def show(comparison: Comparison, shown: Shown, *, live: bool) -> None:
    """Display ``comparison``.

    Args:
        comparison: What is shown.
        shown: Notes the widget.
        live: Whether there is a page that can run a widget; else only the text is of use.
    """
    plain = comparison.summary_text()
    if not live:
        display({"text/plain": plain}, raw=True)
    elif not comparison.traces():
        html = static_html(comparison)
        display({"text/html": html, "text/plain": plain}, raw=True)
    else:
        widget = comparison.widget
        shown.add(widget)
        display({"text/html": widget.static_html(), "text/plain": plain}, raw=True)
        display(_bundle(widget, LIVE_TEXT), raw=True)


def _bundle(widget: Any, words: str) -> dict[str, Any]:
    """Return the display data of a widget, with words where there is no widget."""
    found: Any = widget._repr_mimebundle_()
    data = found[0] if isinstance(found, tuple) else found  # anywidget's has metadata with it
    return {**data, "text/plain": words}


def left_text(elapsed_s: float, done: int, total: int) -> str:
    """Say how long the rest of the runs takes, from those that are over: one is no measure."""
    if done < ENOUGH:
        return ""
    left_s = elapsed_s / done * (total - done)
    minutes = round(left_s / 60)
    return (
        f", about {minutes} min left" if minutes > 1 else f", about {max(1, round(left_s))} s left"
    )


class Progress:
    """A status line: the current step, and at the end a summary."""

    def __init__(self, *, live: bool) -> None:
        """Show nothing yet; nothing at all if the page cannot update an output."""
        self.told = ""  # what stays
        self._live = live
        self._handle: Any = None
        self._bar: Any = None
        self._start = perf_counter()
        self._steps = 0

    def step(self, line: str) -> None:
        """Show ``line`` in place of the one before; the bar stands at 2 of 12 for ``[3/12]``.

        Text that has an end of a line stays, such as where the threads of a deadlock wait.
        """
        if "\n" in line:
            sys.stderr.write(line)
            self.told += line
            return
        if not self._live:
            return
        if self._handle is None:
            self._bar = ipywidgets.IntProgress(layout={"width": "200px"})
            self._line = ipywidgets.Label()
            self._box = ipywidgets.HBox([self._bar, self._line])
            self._handle = display(_bundle(self._box, line), raw=True, display_id=True)
        if match := STEP.match(line):
            self._steps += 1
            done, total = int(match[1]) - 1, int(match[2])
            self._bar.max, self._bar.value = total, done
            line += left_text(perf_counter() - self._start, done, total)
        self._line.value = line

    def done(self) -> None:
        """Replace the bar by a line of text, which stays in a saved notebook."""
        if self._handle is None:
            return
        runs = count_text(self._steps, "run")
        words = f"{runs} in {seconds_text(perf_counter() - self._start)}"
        self._handle.update({"text/plain": words}, raw=True)
        for widget in (self._box, self._line, self._bar):
            end(widget)
