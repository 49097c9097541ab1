"""The settings of a view as ipywidgets: what a notebook shows, and what cells may use elsewhere.

The page ties each of them to the trait of its name (app/widget.js), so that they act at once, and
go on to act when the kernel is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gilscope.view.data.settings import Setting

LETTER = 8  # pixels
ROOM = 26  # pixels of a field beside its text: edges and the arrow of its proposals


def controls(settings: Iterable[Setting], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a widget for each setting, by its name.

    Args:
        settings: What there is to set.
        values: What is set now, by name.
    """
    return {setting.name: _control(setting, values[setting.name]) for setting in settings}


def end(widget: Any) -> None:
    """Close ``widget`` and what belongs to it alone: its layout and its style."""
    for name in ("layout", "style"):
        if part := getattr(widget, name, None):
            part.close()
    widget.close()


def _control(setting: Setting, value: Any) -> Any:
    if setting.kind == "check":
        layout = ipywidgets.Layout(width="auto", margin="0")
        return ipywidgets.Checkbox(value, description=setting.label, indent=False, layout=layout)
    if setting.kind == "choice":
        options = [(words, name) for name, words in setting.options]
        return ipywidgets.Dropdown(options=options, value=value, **_look(setting.label, 12))
    look = {
        "value": value,
        "placeholder": setting.placeholder,
        "continuous_update": setting.live,
        **_look(setting.label, setting.width),
    }
    if setting.names:
        return ipywidgets.Combobox(options=setting.names, **look)
    return ipywidgets.Text(**look)


def _look(label: str, letters: int) -> dict[str, Any]:
    """Return what makes a widget as wide as its label and so many letters."""
    width = LETTER * (len(label) + letters) + ROOM
    return {
        "description": label,
        "layout": ipywidgets.Layout(width=f"{width}px", margin="0"),
        "style": {"description_width": "initial"},
    }
