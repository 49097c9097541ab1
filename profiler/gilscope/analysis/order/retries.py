"""Time limits without effect: a thread that retries until it has the lock waits for ever."""

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
    """Whether the code retries until it has the lock, in spite of a time limit."""
    frame = next((one for one in stack if not one.native and one.line), None)
    return frame is not None and _is_for_ever(frame.file, frame.line)


@lru_cache(maxsize=1024)
def _is_for_ever(file: str, line: int) -> bool:
    tree = parsed(file)
    if tree is None:
        return False
    return any(
        isinstance(node, ast.While)
        and node.lineno <= line <= (node.end_lineno or line)
        and _has_line(node, line)
        for node in ast.walk(tree)
    )


def _has_line(loop: ast.While, line: int) -> bool:
    """Whether the loop asks at this line, and is left only when it has the lock."""
    if loop.test.lineno <= line <= (loop.test.end_lineno or line):
        return _says_no(loop.test) and not any(map(_gives_way, loop.body))
    if not (isinstance(loop.test, ast.Constant) and loop.test.value):
        return False
    # while True: if lock.acquire(timeout=1): break
    asking = [one for one in loop.body if isinstance(one, ast.If) and _is_acquire(one.test)]
    others = [one for one in loop.body if one not in asking]
    return any(
        one.test.lineno <= line <= (one.test.end_lineno or line)
        and not any(map(_gives_way, [*one.orelse, *others]))
        for one in asking
    )


@lru_cache(maxsize=64)
def parsed(file: str) -> ast.Module | None:
    """Return the syntax tree of a source file; None if it cannot be read."""
    text = "".join(linecache.getlines(file))
    if not text:
        return None
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _says_no(test: ast.expr) -> bool:
    """Whether the loop goes on while acquire() says no."""
    return (
        isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) and _is_acquire(test.operand)
    )


def _is_acquire(expression: ast.expr) -> bool:
    return (
        isinstance(expression, ast.Call)
        and isinstance(expression.func, ast.Attribute)
        and expression.func.attr == "acquire"
    )


def _gives_way(statement: ast.stmt) -> bool:
    """Whether a statement leaves the loop, or gives something back."""
    return any(
        isinstance(node, LEAVES) or (isinstance(node, ast.Attribute) and node.attr in GIVES_BACK)
        for node in ast.walk(statement)
    )
