"""Time limits that are not honoured: who asks again until it has the lock waits for ever."""

from __future__ import annotations

import ast
import linecache
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gilscope.analysis.order.recorded import Frame

LEAVES = (ast.Break, ast.Return, ast.Raise)
GIVES_BACK = ("release", "__exit__", "unlock")


def is_for_ever(stack: tuple[Frame, ...]) -> bool:
    """Whether a lock that is asked for with a time limit or by a try is asked for until it is had."""
    frame = next((one for one in stack if not one.native and one.line), None)
    return frame is not None and _is_for_ever(frame.file, frame.line)


@lru_cache(maxsize=1024)
def _is_for_ever(file: str, line: int) -> bool:
    tree = parsed(file)
    if tree is None:
        return False
    return any(
        isinstance(node, ast.While)
        and node.test.lineno <= line <= (node.test.end_lineno or line)
        and _tests_acquire(node.test)
        and not _gives_way(node)
        for node in ast.walk(tree)
    )


@lru_cache(maxsize=64)
def parsed(file: str) -> ast.Module | None:
    """Return a source file's syntax; None if it cannot be had."""
    text = "".join(linecache.getlines(file))
    if not text:
        return None
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _tests_acquire(test: ast.expr) -> bool:
    """Whether the loop goes on while acquire() says no."""
    return (
        isinstance(test, ast.UnaryOp)
        and isinstance(test.op, ast.Not)
        and isinstance(test.operand, ast.Call)
        and isinstance(test.operand.func, ast.Attribute)
        and test.operand.func.attr == "acquire"
    )


def _gives_way(loop: ast.While) -> bool:
    """Whether the loop can be left, or gives something back, before the lock is had."""
    for statement in loop.body:
        for node in ast.walk(statement):
            if isinstance(node, LEAVES):
                return True
            if isinstance(node, ast.Attribute) and node.attr in GIVES_BACK:
                return True
    return False
