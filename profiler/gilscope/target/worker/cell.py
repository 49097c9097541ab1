"""The code of a notebook's cell: its last expression is shown, and it may wait at its top.

Standard library only, as all that shares a process with the program under test.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType

FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


def compile_cell(text: str, filename: str) -> tuple[CodeType, ...]:
    """Return what runs one after the other: the statements, and a last expression that is shown.

    Raises:
        SyntaxError: It is not valid Python.
    """
    tree = ast.parse(text, filename)
    last: ast.Interactive | None = None
    if tree.body and isinstance(tree.body[-1], ast.Expr) and not _silent(text, tree.body[-1]):
        last = ast.Interactive([tree.body.pop()])
    # What is compiled as typed in is given to sys.displayhook.
    codes = [compile(tree, filename, "exec", FLAGS, dont_inherit=True)]
    if last:
        codes.append(compile(last, filename, "single", FLAGS, dont_inherit=True))
    return tuple(codes)


def _silent(text: str, last: ast.Expr) -> bool:
    """Whether a semicolon follows."""
    rest = text.encode().splitlines()[(last.end_lineno or 1) - 1][last.end_col_offset or 0 :]
    return rest.lstrip().startswith(b";")


def run_waiting(codes: Sequence[CodeType], names: dict[str, Any]) -> BaseException | None:
    """Run them in an event loop; returns what they raised, without the loop's own frames."""
    import asyncio  # noqa: PLC0415 - programs that do not wait have not loaded it

    async def main() -> BaseException | None:
        try:
            for code in codes:
                result = eval(code, names)  # noqa: S307 - running the program is the purpose
                if asyncio.iscoroutine(result):
                    await result
        except asyncio.CancelledError:
            raise  # which the loop turns into what it was
        except BaseException as error:  # noqa: BLE001 - a program may raise anything
            return error
        return None

    return asyncio.run(main())
