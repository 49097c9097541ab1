"""Tasks of a Dask worker as spans, on the lanes of the threads that run them.

The worker's executor calls one function of `distributed.worker` for each task, in the thread that
runs it. Coroutines run in turns in the thread of the event loop: they are no spans.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import distributed.worker

from gilscope.target.patch import Patch, Switch
from gilscope.target.spans import Span

if TYPE_CHECKING:
    from collections.abc import Callable

FUNCTIONS = ("_run_task", "_run_actor", "apply_function", "apply_function_actor")
"""What runs a task, or calls an actor, now and in earlier releases."""

KEY = "key"
"""The argument that names the task."""


def _marking(switch: Switch, original: Callable[..., Any]) -> Callable[..., Any]:
    parameters = list(inspect.signature(original).parameters)
    place = parameters.index(KEY) if KEY in parameters else None

    def run(*args: Any, **kwargs: Any) -> Any:
        if not switch.on or place is None:
            return original(*args, **kwargs)
        key = kwargs[KEY] if KEY in kwargs else args[place]
        with Span(key if isinstance(key, str) else str(key)):
            return original(*args, **kwargs)

    return run


_patches = [Patch(distributed.worker, name, _marking) for name in FUNCTIONS]


def mark() -> str:
    """Begin to mark tasks; return why that cannot be done, or ""."""
    if not any(hasattr(distributed.worker, name) for name in FUNCTIONS[::2]):
        return f"distributed {distributed.__version__} is not known: tasks are not named"
    for patch in _patches:
        patch.install()
    return ""


def unmark() -> None:
    """Put everything back."""
    for patch in _patches:
        patch.remove()
