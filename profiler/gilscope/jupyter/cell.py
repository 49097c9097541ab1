"""The code of a cell, made ready to run as a program of its own."""

from __future__ import annotations

import ast
import traceback
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from gilscope.errors import GilscopeError, UsageError
from gilscope.jupyter.carry import carry
from gilscope.jupyter.names import SHELL, defined_names, free_names
from gilscope.target.worker.carried import Definition
from gilscope.target.worker.cell import compile_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gilscope.target.worker.carried import Carried


ASK = "input"
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class CellError(GilscopeError):
    """The code of a cell failed; shows the program's own traceback and nothing of ours."""

    def __init__(self, message: str, traceback: str) -> None:
        """Say ``message`` where one line is wanted, show ``traceback`` in the notebook."""
        super().__init__(message)
        self.traceback = traceback

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows for this exception."""
        return self.traceback.rstrip().splitlines()


class CellInterrupted(KeyboardInterrupt):
    """The notebook's interrupt came while a magic worked; shows one line and nothing of ours."""

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows for this exception."""
        return [str(self)]


@dataclass(frozen=True)
class Source:
    """The text of a cell or of a statement.

    Attributes:
        text: As it was typed.
        filename: Its file name in tracebacks.
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
    source: Source,
    transform: Callable[[str], str],
    namespace: Mapping[str, object],
    *,
    setup: Definition | None = None,
    inputs: Sequence[str] = (),
) -> tuple[str, Carried]:
    """Return ``source`` as plain Python that can run in another interpreter, and what it needs.

    Lines keep the numbers that they have in the cell.

    Args:
        source: What was typed.
        transform: IPython's own translation of cells to Python.
        namespace: The variables of the notebook.
        setup: What runs before it, and needs nothing of the notebook.
        inputs: Variables that it needs besides those that it names.

    Raises:
        CellError: It is not valid Python.
        UsageError: It needs the notebook's shell, or variables that cannot travel.
    """
    blank = len(list(takewhile(lambda line: not line.strip(), source.text.splitlines())))
    # The translation drops leading empty lines.
    code = "\n" * (source.first_line - 1 + blank) + transform(source.text)
    try:
        tree = ast.parse(code, source.filename)
        compile_cell(code, source.filename)
    except SyntaxError as error:
        lines = "".join(traceback.format_exception_only(error))
        raise CellError(f"SyntaxError: {error.msg}", lines) from None
    free = free_names(code)
    if SHELL in free:
        raise UsageError(_needs_shell(tree, source))
    if line := _asks(tree, source):
        raise UsageError(
            f"`{line}` asks for input, which a program of its own has not: assign the answer in "
            "another cell, and use its name here"
        )
    if unknown := [name for name in inputs if name not in namespace]:
        raise UsageError(f"--inputs: the notebook has no variable {', '.join(unknown)}")
    if setup:
        free -= defined_names(setup.text)
    carried = carry(free | set(inputs), namespace, large=bool(inputs))
    if setup:
        carried = replace(carried, definitions=(*carried.definitions, setup))
    return code, carried


def read_setup(name: str) -> Definition:
    """Return the file of the option ``--setup``.

    Raises:
        CellError: It is not valid Python.
        UsageError: It cannot be read.
    """
    path = Path(name).expanduser().absolute()
    try:
        text = path.read_text(encoding="utf-8")
        compile(text, str(path), "exec", dont_inherit=True)
    except OSError as error:
        raise UsageError(f"--setup {name}: {error.strerror}") from None
    except SyntaxError as error:
        lines = "".join(traceback.format_exception_only(error))
        raise CellError(f"SyntaxError: {error.msg}", lines) from None
    except ValueError as error:
        raise UsageError(f"--setup {name}: not Python source: {error}") from None
    return Definition(text, str(path))


def _asks(tree: ast.Module, source: Source) -> str:
    """Return the first line that calls the built-in ``input``; empty if none does."""
    nodes = list(ast.walk(tree))
    names = [node for node in nodes if isinstance(node, ast.Name) and node.id == ASK]
    if any(not isinstance(name.ctx, ast.Load) for name in names) or any(
        (isinstance(node, ast.arg) and node.arg == ASK)
        or (isinstance(node, FUNCTIONS) and node.name == ASK)
        for node in nodes
    ):
        return ""  # one of the program's own
    calls = (node for node in nodes if isinstance(node, ast.Call) and node.func in names)
    return next((source.line(call.lineno) for call in calls), "")


def _needs_shell(tree: ast.Module, source: Source) -> str:
    """Say which line needs the shell: the translation has kept the numbers of lines."""
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == SHELL)
    line = next((source.line(name.lineno) for name in names), "") or SHELL
    return (
        f"`{line}` needs the notebook's shell, but the code runs as a program of its own under "
        "each build: put that line into another cell"
    )
