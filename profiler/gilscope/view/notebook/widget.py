"""The live view in a notebook: an anywidget that hosts Bokeh, offline.

BokehJS is taken from the installed bokeh package and sent over the comm, so no page needs a
network. The view itself goes the same way when it is asked for: the widget's state, which some
tools save with the notebook, stays tiny. What is too fine for what was sent is asked for as well.
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import anywidget
import bokeh
import traitlets
from bokeh.embed import json_item
from ipywidgets import widget_serialization

from gilscope.analysis.states.time_index import Index
from gilscope.errors import GilscopeError
from gilscope.view.data import details, palette, viewport
from gilscope.view.data.columns import columns_of
from gilscope.view.data.groups import groups_of
from gilscope.view.data.scene import scene
from gilscope.view.data.settings import ALIGNMENTS, ORDERS, TABS, THEMES, settings
from gilscope.view.html.findings import findings
from gilscope.view.html.markup import element, join, sheet, style, text
from gilscope.view.html.page import asset, frame, script
from gilscope.view.html.picture import image
from gilscope.view.html.tables import tables
from gilscope.view.html.timeline import timelines
from gilscope.view.html.verdict import verdict
from gilscope.view.html.zoom import zoom
from gilscope.view.notebook.controls import controls
from gilscope.view.notebook.controls import end as close

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from gilscope.results.model import ComparisonData
    from gilscope.view.data.columns import Columns

TIME = re.compile(r"\s*|\s*(\d+\.?\d*|\.\d+)\s*(ns|us|µs|ms|s)?\s*")
"""What the page takes as a time; without a unit it is µs."""

type Answer = tuple[dict[str, Any], list[bytes]]


def static_html(
    comparison: ComparisonData, css: str = "", columns: Sequence[Columns] | None = None
) -> str:
    """Return the view without anything that runs: verdict, pictures, findings, tables.

    Args:
        comparison: What is shown.
        css: One more class of the outermost element.
        columns: Of the traces, where they are there already.
    """
    body = join(
        [
            element("h2", text(comparison.title)),
            verdict(comparison),
            *_pictures(comparison, columns),
            findings(comparison),
            tables(comparison),
        ]
    )
    return style() + element("div", body, f"gilscope gilscope-static {css}".strip())


def _pictures(comparison: ComparisonData, columns: Sequence[Columns] | None) -> Iterator[str]:
    traces = comparison.traces()
    if traces:
        shown = columns or columns_of([trace for _, trace in traces])
        yield image(traces, shown, comparison.hidden)
        yield zoom(comparison, shown)


def _trait(kind: Any, *args: Any, **options: Any) -> Any:
    """Return a trait that page and kernel share."""
    return kind(*args, **options).tag(sync=True)


class TimelineWidget(anywidget.AnyWidget):  # type: ignore[misc]
    """Shows one comparison, live; hides the static view that was displayed before it.

    What a reader sets can be read and set in cells, and linked with other widgets. Texts that
    choose (``thread``, ``lock``, ``callable``) are names or parts of names; empty for all. The
    tables count what the timelines show; findings are about whole runs.

    Attributes:
        static_class: Class of the static view that this one replaces where it can be drawn.
        range: What is visible, (start, end) in the unit of the axis: ms, or % of the run if
            ``align`` is "normalised". None: the whole run.
        align: "start", "end" or "normalised".
        order: Of the threads' lanes: by "creation", "contention" (waiting and holding), "waiting"
            or "name". Where threads are so many that they share lanes, it starts as "contention".
        locks: Whether lanes of locks are shown.
        callbacks: Whether lanes of callbacks are shown.
        thread: Lanes of these threads only.
        lock: Waits for these locks only; callbacks and spans stay.
        callable: These callbacks only, and the threads that they ran in.
        least: Intervals, callbacks and spans at least as long as this only: a time such as "20 us".
        search: Goes to the first thread or lock that is called so.
        tab: The table below the timelines: "threads", "locks", "callbacks", "spans", "blame",
            "difference" or "findings"; empty for findings if there are any.
        theme: "light", "dark", or "auto": as the page is, also when that changes.
        hidden: Names of lanes that are not shown.
        pinned: Names of lanes that stand at the top.
        controls: The ipywidgets for them, by name.
        bokeh_version: Of the BokehJS that a page loads once.
        scripts: Of the view's own scripts, which a page loads once.
    """

    _esm = asset("bundle/widget.js")
    bokeh_version = _trait(traitlets.Unicode, bokeh.__version__)
    scripts = _trait(traitlets.Unicode)
    range = _trait(
        traitlets.Tuple,
        traitlets.Float(),
        traitlets.Float(),
        default_value=None,
        allow_none=True,
    )
    align = _trait(traitlets.Enum, tuple(ALIGNMENTS), "start")
    order = _trait(traitlets.Enum, tuple(ORDERS), "creation")
    locks = _trait(traitlets.Bool, default_value=True)
    callbacks = _trait(traitlets.Bool, default_value=True)
    thread = _trait(traitlets.Unicode)
    lock = _trait(traitlets.Unicode)
    callable = _trait(traitlets.Unicode)
    least = _trait(traitlets.Unicode)
    search = _trait(traitlets.Unicode)
    tab = _trait(traitlets.Enum, ("", *TABS), "")
    theme = _trait(traitlets.Enum, THEMES, "auto")
    hidden = _trait(traitlets.List, traitlets.Unicode())
    pinned = _trait(traitlets.List, traitlets.Unicode())
    controls = traitlets.Dict().tag(sync=True, **widget_serialization)

    def __init__(self, comparison: ComparisonData) -> None:
        """Prepare the view of ``comparison``.

        Raises:
            GilscopeError: There is no trace to show.
        """
        if not comparison.traces():
            raise GilscopeError("nothing to show: no run of this comparison left a trace")
        self._script = script().encode()
        version = sha256(self._script).hexdigest()[:16]
        super().__init__(hidden=sorted(comparison.hidden), scripts=version)
        self.static_class = f"gilscope-static-{uuid4().hex}"
        self._comparison = comparison
        self._traces = [trace for _, trace in comparison.traces()]
        if groups_of([trace.threads for trace in self._traces])[0]:
            self.order = "contention"
        self._indexes: dict[int, Index] = {}
        self.controls = controls(settings(self._traces, self._scene[1]), self.trait_values())
        self.on_msg(self._answer)

    def close(self) -> None:
        """End the view, in the page, too, with its controls."""
        if self.comm is not None:
            for control in self.controls.values():
                close(control)
            self.layout.close()
        super().close()

    @traitlets.validate("least")
    def _check_least(self, proposal: dict[str, Any]) -> str:
        if not TIME.fullmatch(proposal["value"]):
            raise traitlets.TraitError(
                f"least must be a time such as '20 us' or '1.5 ms', not {proposal['value']!r}"
            )
        return str(proposal["value"])

    @traitlets.validate("range")
    def _check_range(self, proposal: dict[str, Any]) -> tuple[float, float] | None:
        value: tuple[float, float] | None = proposal["value"]
        if value is not None and not value[0] < value[1]:
            raise traitlets.TraitError(f"range must be (start, end) with start < end, not {value}")
        return value

    def static_html(self) -> str:
        """Return the static view of the same, see :func:`static_html`."""
        return static_html(self._comparison, self.static_class, self._scene[1])

    @cached_property
    def _scene(self) -> tuple[bytes, list[Columns]]:
        """The view's data and its columns."""
        many = any(len(trace.intervals) > palette.MANY for trace in self._traces)
        indexes = [self._index(number) for number in range(len(self._traces))] if many else None
        return scene(self._comparison, live=True, indexes=indexes)

    def _index(self, number: int) -> Index:
        if number not in self._indexes:
            self._indexes[number] = Index(self._traces[number])
        return self._indexes[number]

    def _answer(self, _widget: object, message: dict[str, Any], _buffers: object) -> None:
        """Send what the page asks for; what goes wrong is shown there, too."""
        answers = {
            "bokeh": self._bokeh,
            "scripts": self._scripts,
            "view": self._view,
            "range": self._range,
            "detail": self._detail,
        }
        kind = str(message.get("kind"))
        if kind not in answers:
            return
        try:
            answer, buffers = answers[kind](message)
        except Exception as error:  # noqa: BLE001 - nobody sees what is raised here
            answer = {"kind": "error", "text": f"{type(error).__name__}: {error}"}
            buffers = []
        self.send({"kind": kind, "number": message.get("number"), **answer}, buffers)

    def _bokeh(self, _message: object) -> Answer:
        return {}, [files(bokeh).joinpath("server/static/js/bokeh.min.js").read_bytes()]

    def _scripts(self, _message: object) -> Answer:
        return {}, [self._script]

    def _view(self, _message: object) -> Answer:
        data, columns = self._scene
        figures = json.dumps(json_item(timelines(self._traces, columns))).encode()
        answer = {
            "frame": frame(self._comparison),
            "style": sheet() + asset("app.css"),
            "replaces": self.static_class,
        }
        return answer, [figures, data]

    def _range(self, message: dict[str, Any]) -> Answer:
        """Answer with what can be seen in ranges of time: (timeline, start, end), ns."""
        parts: list[dict[str, Any]] = []
        arrays: dict[str, np.ndarray] = {}
        width = max(1, min(int(message["width"]), viewport.MOST_COLUMNS))
        every = message.get("lanes") or [None] * len(message["ranges"])
        for (number, start, end), lanes in zip(message["ranges"], every, strict=True):
            index = self._index(int(number))
            columns = self._scene[1][int(number)]
            found = viewport.part(index, columns, start, end, width, seen=lanes)
            parts.append({"timeline": int(number), **found[0]})
            arrays |= {f"{int(number)}.{name}": column for name, column in found[1].items()}
        return {}, [viewport.packed(parts, arrays)]

    def _detail(self, message: dict[str, Any]) -> Answer:
        """Answer with the stacks of one interval."""
        number = int(message["timeline"])
        trace, columns = self._traces[number], self._scene[1][number]
        found = details.detail(trace, int(message["row"]))
        found["detail"] = details.by_lane(found["detail"], columns.lane_of_thread(trace))
        return found, []
