"""Figures of matplotlib, if the cell uses it, as pictures. Standard library only."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PYPLOT = "matplotlib.pyplot"
BACKEND = "MPLBACKEND"
"""Environment variable of matplotlib."""

DRAWS = "agg"
"""The backend that opens no windows."""


def choose_backend() -> None:
    """Let matplotlib open no windows; the kernel's own backend needs the kernel."""
    if "inline" in os.environ.get(BACKEND, "inline"):
        os.environ[BACKEND] = DRAWS


def is_figure(value: object) -> bool:
    """Return whether a value is a figure."""
    module = sys.modules.get("matplotlib.figure")
    return module is not None and isinstance(value, module.Figure)


def png(figure: Any) -> bytes | None:
    """Return a figure as notebooks show it; None if nothing is in it."""
    if not (figure.axes or figure.lines):
        return None
    file = io.BytesIO()
    colors = {"facecolor": figure.get_facecolor(), "edgecolor": figure.get_edgecolor()}
    figure.savefig(file, format="png", dpi=figure.dpi, bbox_inches="tight", **colors)
    return file.getvalue()


def replace_show(pyplot: Any, display: Callable[[object], object]) -> None:
    """Let ``pyplot.show()`` display the open figures; a backend with windows keeps its own."""
    show = pyplot.show

    def show_open_figures(*args: object, **options: object) -> object:
        if pyplot.get_backend().lower() != DRAWS:
            return show(*args, **options)
        show_open(display)
        return None

    pyplot.show = show_open_figures


def show_open(display: Callable[[object], object]) -> None:
    """Display the figures that are open, and close them."""
    pyplot = sys.modules.get(PYPLOT)
    if pyplot is None:
        return
    try:
        for number in pyplot.get_fignums():
            display(pyplot.figure(number))
    finally:
        pyplot.close("all")
