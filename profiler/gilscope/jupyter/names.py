"""The names that a piece of code uses and does not define."""

from __future__ import annotations

import builtins
import symtable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SHELL = "get_ipython"


def free_names(code: str) -> set[str]:
    """Return the global names that ``code`` uses, does not define, and that are no builtins."""
    top = symtable.symtable(code, "<cell>", "exec")
    used: set[str] = set()
    defined: set[str] = set()
    for table in _tables(top):
        for symbol in table.get_symbols():
            if table is not top and not symbol.is_global():
                continue
            if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace():
                defined.add(symbol.get_name())
            if symbol.is_referenced():
                used.add(symbol.get_name())
    # The notebook's shell adds to the builtins, and replaces some.
    plain = (set(vars(builtins)) | {"exit", "quit", "__file__"}) - {SHELL, "display"}
    return used - defined - plain


def defined_names(code: str) -> set[str]:
    """Return the global names that ``code`` assigns, imports or defines at its top."""
    symbols = symtable.symtable(code, "<setup>", "exec").get_symbols()
    found = (s for s in symbols if s.is_assigned() or s.is_imported() or s.is_namespace())
    return {symbol.get_name() for symbol in found}


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    """Yield ``table`` and all that is nested in it."""
    yield table
    for child in table.get_children():
        yield from _tables(child)
