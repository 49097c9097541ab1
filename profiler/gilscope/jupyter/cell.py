"""The code of a cell, made ready to run as a program of its own."""

from __future__ import annotations

import ast
import builtins
import symtable
import traceback
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from gilscope.errors import GilscopeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SHELL = "get_ipython"


class CellError(GilscopeError):
    """The code of a cell failed; shows the program's own traceback and nothing of ours."""

    def __init__(self, message: str, traceback: str) -> None:
        """Say ``message`` where one line is wanted, show ``traceback`` in the notebook."""
        super().__init__(message)
        self.traceback = traceback

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows for this exception."""
        return self.traceback.rstrip().splitlines()


@dataclass(frozen=True)
class Source:
    """The text of a cell or of a statement.

    Attributes:
        text: As it was typed.
        filename: What stands for it in tracebacks.
        first_line: Number of its first line in the cell.
    """

    text: str
    filename: str
    first_line: int = 1

    def line(self, number: int) -> str:
        """Return a line by its number in the cell."""
        lines = self.text.splitlines()
        index = number - self.first_line
        return lines[index].strip() if 0 <= index < len(lines) else ""


def as_program(
    source: Source, transform: Callable[[str], str], namespace: Mapping[str, object]
) -> str:
    """Return ``source`` as plain Python that can run in another interpreter.

    Lines keep the numbers that they have in the cell.

    Args:
        source: What was typed.
        transform: IPython's own translation of cells to Python.
        namespace: The variables of the notebook.

    Raises:
        CellError: It is not valid Python.
        UsageError: It needs the notebook's shell or variables.
    """
    blank = len(list(takewhile(lambda line: not line.strip(), source.text.splitlines())))
    # The translation drops leading empty lines.
    code = "\n" * (source.first_line - 1 + blank) + transform(source.text)
    try:
        tree = ast.parse(code, source.filename)
        compile(code, source.filename, "exec", dont_inherit=True)
    except SyntaxError as error:
        lines = "".join(traceback.format_exception_only(error))
        raise CellError(f"SyntaxError: {error.msg}", lines) from None
    free = free_names(code)
    if SHELL in free:
        raise UsageError(_needs_shell(tree, source))
    if carried := sorted(free & namespace.keys()):
        raise UsageError(_needs_variables(carried))
    return code


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


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    """Yield ``table`` and all that is nested in it."""
    yield table
    for child in table.get_children():
        yield from _tables(child)


def _needs_shell(tree: ast.Module, source: Source) -> str:
    """Say which line needs the shell: the translation has kept the numbers of lines."""
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == SHELL)
    line = next((source.line(name.lineno) for name in names), "") or SHELL
    return (
        f"`{line}` needs the notebook's shell, but the code runs as a program of its own under "
        "each build: put that line into another cell"
    )


def _needs_variables(names: list[str]) -> str:
    """Say which names of the notebook are missing and what to do."""
    text = ", ".join(names)
    it = "it" if len(names) == 1 else "them"
    return (
        f"the code uses {text} of this notebook, but it runs as a program of its own under each "
        f"build: import or define {it} in the same cell"
    )
