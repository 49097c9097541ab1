"""Changes modules of others as soon as a program has imported them. Standard library only."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from importlib.machinery import ModuleSpec
    from types import ModuleType


def after(changes: Mapping[str, Callable[[Any], None]]) -> None:
    """Call each function with the module of its name once that has been imported."""
    sys.meta_path.insert(0, _Finder(changes))


class _Finder:
    """Has the other finders find the modules, and adds to what their loaders do."""

    def __init__(self, changes: Mapping[str, Callable[[Any], None]]) -> None:
        self._changes = changes

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return the spec of one of the modules, as another finder finds it; else None."""
        change = self._changes.get(name)
        if change is None:
            return None
        others = (finder for finder in list(sys.meta_path) if finder is not self)
        found = (finder.find_spec(name, path, target) for finder in others)
        spec = next((one for one in found if one is not None), None)
        if spec is not None and spec.loader is not None:
            _extend(spec.loader, change)
        return spec


def _extend(loader: Any, change: Callable[[Any], None]) -> None:
    """Let a loader, which is of one module only, change it at the end."""
    load = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        load(module)
        change(module)

    loader.exec_module = exec_module
