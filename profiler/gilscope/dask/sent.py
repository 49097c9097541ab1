"""Files of functions that a client sends to workers by value: those of its script.

cloudpickle takes the name of the file from such a function. What is left, its module, qualified
name and first line, tells which one of the script it is.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING

import cloudpickle

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = "<dynamic-code>"
"""What the file of such a function is called on a worker."""


def files_of_functions() -> dict[tuple[str, str, int], str]:
    """Return the file by (module, qualified name, first line) of functions that are sent so.

    They are those of modules that have a source file: of a script, but not of a notebook.
    """
    names = {"__main__", *cloudpickle.list_registry_pickle_by_value()}
    found: dict[tuple[str, str, int], str] = {}
    for name in names:
        module = sys.modules.get(name)
        file = getattr(module, "__file__", None)
        if isinstance(module, ModuleType) and isinstance(file, str):
            found |= {(name, *key): file for key in _functions_in(Path(file))}
    return found


def _functions_in(file: Path) -> set[tuple[str, int]]:
    """Return qualified name and first line of the functions in a source file."""
    try:
        whole = compile(file.read_bytes(), file, "exec", dont_inherit=True)
    except (OSError, SyntaxError, ValueError):
        return set()
    return {(code.co_qualname, code.co_firstlineno) for code in _inner(whole)}


def _inner(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _inner(constant)
