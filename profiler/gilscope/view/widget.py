"""The live view in a notebook: an anywidget that hosts Bokeh, offline.

BokehJS is taken from the installed bokeh package and sent over the comm, so no page needs a
network. The view itself goes the same way when it is asked for: the widget's state, which some
tools save with the notebook, stays tiny.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import anywidget
import bokeh
import traitlets
from bokeh.embed import json_item

from gilscope.view.markup import element, join, style, text
from gilscope.view.picture import image
from gilscope.view.tables import tables
from gilscope.view.timeline import HINT, timelines
from gilscope.view.verdict import verdict

if TYPE_CHECKING:
    from gilscope.view.section import Section


def static_html(section: Section, css: str = "") -> str:
    """Return the view without anything that runs: verdict, picture, tables.

    Args:
        section: What is shown.
        css: One more class of the outermost element.
    """
    body = join(
        [
            element("h2", text(section.title)),
            verdict(section),
            image(section.traces) if section.traces else "",
            tables(section.summary),
        ]
    )
    return style() + element("div", body, f"gilscope {css}".strip())


class TimelineWidget(anywidget.AnyWidget):  # type: ignore[misc]
    """Shows one comparison, live; hides the static view that was displayed before it.

    Attributes:
        static_class: Class of the static view that this one replaces where it can be drawn.
    """

    _esm = files(__package__).joinpath("widget.js").read_text(encoding="utf-8")
    bokeh_version = traitlets.Unicode(bokeh.__version__).tag(sync=True)

    def __init__(self, section: Section) -> None:
        """Prepare the view of ``section``."""
        super().__init__()
        self.static_class = f"gilscope-static-{uuid4().hex}"
        self._above = join(
            [style(), element("h2", text(section.title)), verdict(section)]
            + ([element("p", HINT, "hint")] if section.traces else [])
        )
        self._below = tables(section.summary)
        self._item = json.dumps(json_item(timelines(section.traces))).encode()
        self.on_msg(self._answer)

    def _answer(self, _widget: object, message: dict[str, Any], _buffers: object) -> None:
        """Send what the page asks for."""
        if message.get("kind") == "bokeh":
            script = files(bokeh).joinpath("server/static/js/bokeh.min.js").read_bytes()
            self.send({"kind": "bokeh"}, [script])
        elif message.get("kind") == "view":
            parts = {"above": self._above, "below": self._below, "replaces": self.static_class}
            self.send({"kind": "view", **parts}, [self._item])
