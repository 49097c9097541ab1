"""Which cells show which widgets: one that no cell shows any more is closed.

A cell that runs again loses its outputs, and with them the page's view of a widget. ipywidgets
keeps the kernel's side of it, and the page its model, until somebody closes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gilscope.view.notebook.widget import TimelineWidget


class Shown:
    """The widgets that the cells of a notebook show."""

    def __init__(self, events: Any) -> None:
        """Listen to the ``events`` of a shell: which cell runs, and when it is over."""
        self._cells: dict[str, list[TimelineWidget]] = {}
        self._now: str | None = None
        events.register("pre_run_cell", self._begin)
        events.register("post_run_cell", self._end)

    def add(self, widget: TimelineWidget) -> None:
        """Note that the cell that runs shows ``widget``; nothing if it has no name."""
        if self._now is not None:
            self._cells.setdefault(self._now, []).append(widget)

    def _begin(self, info: Any) -> None:
        """Close what no cell shows but the one that begins to run."""
        # Code that a cell runs by the shell, as --here does, is no cell and has no name; some front
        # ends name none.
        name = getattr(info, "cell_id", None)
        if name is None:
            return
        self._now = name
        gone = self._cells.pop(name, ())
        kept = {widget.model_id for widgets in self._cells.values() for widget in widgets}
        for widget in gone:
            if widget.model_id not in kept:
                widget.close()

    def _end(self, result: Any) -> None:
        if getattr(result.info, "cell_id", None) == self._now:
            self._now = None
