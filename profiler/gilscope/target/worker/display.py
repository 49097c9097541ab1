"""What a notebook's cell displays: its last expression, figures, what it gives to ``display``.

A cell runs here without IPython's shell. In a run that the notebook shows, each display becomes a
file in a private directory of the runner, and a mark on standard output says where it belongs. All
other runs print its plain text, as Python's prompt does.

Standard library only: what is displayed knows itself how it looks.
"""

from __future__ import annotations

import base64
import builtins
import contextlib
import itertools
import json
import os
import re
import sys
import traceback
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope.target.worker import figures, imports

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_BYTES = 8 << 20
"""Of one display; what is larger is shown as plain text."""

MOST_BYTES_OF_ALL = 64 << 20
"""Of all displays of a run; what comes later is shown as plain text."""

PLAIN, PNG = "text/plain", "image/png"
BUNDLE = "_repr_mimebundle_"
METHODS = {
    "text/html": "_repr_html_",
    "text/markdown": "_repr_markdown_",
    "text/latex": "_repr_latex_",
    "image/svg+xml": "_repr_svg_",
    PNG: "_repr_png_",
    "image/jpeg": "_repr_jpeg_",
    "application/json": "_repr_json_",
}
"""How an object says what it looks like, by kind of data."""

MADE_BY_LIBRARIES = re.compile(r"application/vnd\.[\w.+-]+\+json")
WIDGET = "application/vnd.jupyter.widget-view+json"
"""A view of what lives in this process, which the notebook cannot reach."""

ANY_NAME = "_ipython_canary_method_should_not_exist_"
"""Objects that have this attribute have all: they mean nothing by it."""

DISPLAY_FUNCTIONS = "IPython.core.display_functions"


class _Way:
    """Where displays go: to the runner, or as text to standard output."""

    def __init__(self) -> None:
        self.directory: Path | None = None
        self.token = ""
        self.numbers = itertools.count()
        self.left = MOST_BYTES_OF_ALL

    def send(self, message: dict[str, Any]) -> None:
        """Send a display, or print its text."""
        words = str(message["data"].get(PLAIN, ""))
        if self.directory is None:
            print(words)  # noqa: T201 - as Python's prompt does
            return
        text = json.dumps(message)
        if len(text) > min(MOST_BYTES, self.left):
            note = f"{words}\n[gilscope: a display of {len(text) / 1e6:.0f} MB was left out]"
            text = json.dumps({**message, "data": {PLAIN: note}})
        self.left -= len(text)
        # Programs fork: each process counts by itself.
        name = f"{os.getpid()}-{next(self.numbers)}"
        (self.directory / f"{name}.json").write_text(text, encoding="utf-8")
        for stream in (sys.stdout, sys.__stdout__):  # what was printed before comes before
            with contextlib.suppress(AttributeError, OSError, ValueError):
                stream.flush()  # type: ignore[union-attr]
        os.write(1, mark(self.token, name).encode())


_WAY = _Way()


def mark(token: str, name: str) -> str:
    """Return what stands on standard output for a display: no terminal shows it."""
    return f"\x1b_{token} {name};"


def install(place: Mapping[str, str] | None) -> None:
    """Let what the cell displays be seen.

    Args:
        place: The ``directory`` that displays are written to, and the ``token`` of their marks;
            None to print their text only.
    """
    if place is not None:
        _WAY.directory, _WAY.token = Path(place["directory"]), place["token"]
        sys.displayhook = _show_expression
    builtins.display = display  # type: ignore[attr-defined] # as IPython's shell does
    figures.choose_backend()
    imports.after(
        {
            DISPLAY_FUNCTIONS: _replace_functions,
            figures.PYPLOT: lambda pyplot: figures.replace_show(pyplot, display),
        }
    )


def finish() -> None:
    """Display the figures that the cell has left open."""
    _tried(figures.show_open, display)


def _show_expression(value: object) -> None:
    """Stand in for ``sys.displayhook``."""
    if value is None:
        return
    builtins._ = None  # type: ignore[attr-defined] # as Python's own does
    display(value)
    builtins._ = value  # type: ignore[attr-defined]


def _replace_functions(module: Any) -> None:
    """Let IPython's functions display here: without a shell they print, or start one."""
    module.display = display
    module.publish_display_data = _publish
    module.clear_output = lambda wait=False: None  # noqa: ARG005 - called with its name


class Handle:
    """A display that can be shown again with another value."""

    def __init__(self, display_id: str | None = None) -> None:
        """Name it."""
        self.display_id = display_id or uuid.uuid4().hex

    def display(self, value: object, **options: Any) -> None:
        """Display another value at another place."""
        display(value, display_id=self.display_id, **options)

    def update(self, value: object, **options: Any) -> None:
        """Let another value take the place of what is displayed."""
        display(value, display_id=self.display_id, update=True, **options)


def display(
    *values: object,
    metadata: Mapping[str, Any] | None = None,
    display_id: str | bool | None = None,
    raw: bool = False,
    update: bool = False,
    **_: Any,
) -> Handle | None:
    """Display values as IPython's function of this name does.

    Args:
        *values: What is displayed; with ``raw`` data by its kind.
        metadata: Of the data, by its kind.
        display_id: A name, to update it by; True for a new one.
        raw: Whether the values are data.
        update: Whether they take the place of what has this name.
        **_: IPython's other options.

    Returns:
        What it can be updated with, if it has a name.
    """
    handle = None
    if display_id:
        handle = Handle(None if display_id is True else display_id)
        if not values:  # a place for what comes later
            values, raw = ({},), True
    for value in values:
        found: tuple[dict[str, Any], dict[str, Any]] | None
        found = (_checked(dict(value)), {}) if raw else _looks(value)  # type: ignore[call-overload]
        if found is not None:
            _WAY.send(
                {
                    "data": found[0],
                    "metadata": _plain({**found[1], **(metadata or {})}),
                    "display_id": handle.display_id if handle else None,
                    "update": update,
                }
            )
    return handle


def _publish(data: Mapping[str, Any], metadata: Mapping[str, Any] | None = None, **_: Any) -> None:
    """Stand in for IPython's ``publish_display_data``."""
    display(data, metadata=metadata, raw=True)


def _looks(value: object) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return how a value looks, by kind of data, and metadata; None if it displays itself."""
    others = any(_method(value, name) for name in (BUNDLE, *METHODS.values()))
    if not others and _method(value, "_ipython_display_"):
        _asked(value, "_ipython_display_")
        return None
    data: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    if _WAY.directory is not None:
        data, metadata = _tried(_bundle, value) or ({}, {})
    # The same text in all runs, whose outputs are compared.
    return {**_checked(data), PLAIN: repr(value)}, metadata


def _bundle(value: object) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return all that a value says of how it looks, by kind of data, and metadata."""
    said = _asked(value, BUNDLE, include=None, exclude=None) or {}
    data, metadata = map(dict, said if isinstance(said, tuple) else (said, {}))
    for kind, name in METHODS.items():
        found = None if kind in data else _asked(value, name)
        if isinstance(found, tuple):
            found, metadata[kind] = found
        if found is not None:
            data[kind] = found
    if PNG not in data and figures.is_figure(value) and (picture := figures.png(value)):
        data[PNG] = picture
    return data, metadata


def _method(value: object, name: str) -> Any:
    """Return a method by which an object displays itself, if it has one."""
    if isinstance(value, type):
        return None  # it is a method of its objects
    try:
        found = getattr(value, name, None)
        return found if callable(found) and not hasattr(value, ANY_NAME) else None
    except Exception:  # noqa: BLE001 - objects raise what they like
        return None


def _asked(value: object, name: str, **options: Any) -> Any:
    """Return what a method of an object says; None if it has none, says nothing, or raises."""
    method = _method(value, name)
    if method is None:
        return None
    return _tried(method, **options)


def _tried(function: Callable[..., Any], *args: object, **options: object) -> Any:
    """Return what a function returns; where it raises, the error is seen, and it is None."""
    try:
        return function(*args, **options)
    except Exception:  # noqa: BLE001 - objects raise what they like
        traceback.print_exc()
        return None


def _checked(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data that can be sent; bytes are base64."""
    found: dict[str, Any] = {}
    for kind, value in data.items():
        known = kind in METHODS or kind == PLAIN or MADE_BY_LIBRARIES.fullmatch(kind)
        if not known or kind == WIDGET:
            continue
        if isinstance(value, bytes):
            is_text = kind.startswith("text/") or kind == "image/svg+xml"
            value = value.decode(errors="replace") if is_text else base64.b64encode(value).decode()  # noqa: PLW2901 - the same as text
        with contextlib.suppress(TypeError, ValueError):  # no JSON
            json.dumps(value)
            found[kind] = value
    return found


def _plain(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return metadata if it can be sent, else none."""
    try:
        json.dumps(metadata)
    except (TypeError, ValueError):
        return {}
    return metadata
