"""The frame of a live view, in HTML, and the scripts that fill it: the same in both hosts."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from gilscope.view.html.markup import element, join, text
from gilscope.view.html.tables import below
from gilscope.view.html.verdict import verdict

if TYPE_CHECKING:
    from gilscope.results.model import ComparisonData

FRAME = """<div data-role="errors" class="banner alarm" role="alert" hidden></div>
<div data-role="controls"></div>
<div data-role="status" class="status" role="status" aria-live="polite">loading …</div>
<div data-role="stage"{stage}></div>
<div data-role="details" class="details" aria-live="polite" hidden></div>
<div class="tab-row">
<div data-role="tabs" class="tabs" role="tablist" aria-label="Tables of the visible range"></div>
<label class="rows">Filter rows <input data-role="rows" type="search" size="14"></label>
</div>
<div data-role="table" role="tabpanel"></div>
<div data-role="tip" class="tip" hidden></div>
<div data-role="selection" class="selection" hidden></div>"""

NO_TRACE = "No run of this comparison left a trace."


def frame(comparison: ComparisonData, stage: str = "") -> str:
    """Return what is in the box of a live view before any script has run.

    Args:
        comparison: What is shown.
        stage: The id of the element that takes the figures.
    """
    head = [element("h2", text(comparison.title)), verdict(comparison, live=True)]
    if not comparison.traces():
        return join([*head, element("p", NO_TRACE, "quiet")])
    identity = f' id="{stage}"' if stage else ""
    return join([*head, FRAME.format(stage=identity), below(comparison)])


def script() -> str:
    """Return the scripts of a live view as one module; tools/page.py makes it of its sources."""
    return asset("bundle/page.js")


def asset(name: str) -> str:
    """Return the text of a file of the page."""
    return files("gilscope.view").joinpath("app", name).read_text(encoding="utf-8")
