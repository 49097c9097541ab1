"""The code of a cell, made ready to run as a program of its own."""

from __future__ import annotations

import ast
import traceback
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from gilscope.errors import GilscopeError, UsageError
from gilscope.jupyter.carry import carry
from gilscope.jupyter.names import SHELL, free_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gilscope.run.carried import Carried


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
) -> tuple[str, Carried]:
    """Return ``source`` as plain Python that can run in another interpreter, and what it needs.

    Lines keep the numbers that they have in the cell.

    Args:
        source: What was typed.
        transform: IPython's own translation of cells to Python.
        namespace: The variables of the notebook.

    Raises:
        CellError: It is not valid Python.
        UsageError: It needs the notebook's shell, or variables that cannot travel.
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
    return code, carry(free, namespace)


def _needs_shell(tree: ast.Module, source: Source) -> str:
    """Say which line needs the shell: the translation has kept the numbers of lines."""
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == SHELL)
    line = next((source.line(name.lineno) for name in names), "") or SHELL
    return (
        f"`{line}` needs the notebook's shell, but the code runs as a program of its own under "
        "each build: put that line into another cell"
    )
