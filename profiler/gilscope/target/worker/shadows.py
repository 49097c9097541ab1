"""Modules of the program that have the names of the standard library's.

Python finds those beside the script first, unless the other one is loaded already; and gilscope has
loaded some that Python alone has not. Standard library only.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ALWAYS_LOADED = {
    "__main__", "_abc", "_codecs", "_collections_abc", "_io", "_signal", "_sitebuiltins", "_stat",
    "_thread", "_warnings", "_weakref", "abc", "codecs", "encodings", "genericpath", "io", "os",
    "posixpath", "site", "stat", "zipimport",
}  # fmt: skip
_hidden: dict[str, ModuleType] = {}


@contextlib.contextmanager
def own_path() -> Iterator[None]:
    """Let gilscope find its modules first in the block, before the program has begun."""
    if sys.flags.safe_path:
        yield
        return
    sys.path.append(sys.path.pop(0))
    try:
        yield
    finally:
        sys.path.insert(0, sys.path.pop())


def give_way(entry: str) -> None:
    """Let the program find its modules in ``entry``, the first of its paths, by any name."""
    for name in sys.modules.keys() - ALWAYS_LOADED - set(sys.builtin_module_names) - {"gilscope"}:
        if "." in name:
            continue
        spec = importlib.machinery.PathFinder.find_spec(name, [entry])
        # A folder without code in it comes after all modules.
        if spec is not None and spec.origin is not None:
            loaded = sys.modules[name]
            if getattr(loaded, "__file__", None) != spec.origin:
                _hidden[name] = sys.modules.pop(name)


def come_back() -> None:
    """Let gilscope find its modules when the program has ended."""
    sys.modules.update(_hidden)
    _hidden.clear()
