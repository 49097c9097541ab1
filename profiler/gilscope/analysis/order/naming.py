"""Names of the program's locks, from the places where they were made."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope.analysis.order.recorded import has_source
from gilscope.analysis.order.retries import parsed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.analysis.order.recorded import Frame, Lock, Recorded

WORDS = {
    "lock": "lock", "rlock": "lock", "mutex": "mutex", "rwlock": "read-write lock",
    "condition": "condition", "event": "event", "queue-put": "queue", "queue-get": "queue",
    "queue-join": "queue", "guard": "initialisation of the static", "once": "once flag",
    "semaphore": "semaphore", "barrier": "barrier", "future": "future", "thread": "thread",
}  # fmt: skip
AWAITED = {
    "condition": "a notification of {}", "event": "{} to be set", "queue-put": "room in {}",
    "queue-get": "an item of {}", "queue-join": "all tasks of {}", "semaphore": "{}",
    "barrier": "the others at {}",
    "future": "the result of {}", "thread": "the end of {}",
}  # fmt: skip

NATIVE = ("mutex", "rwlock", "guard", "once")
"""Named by the symbol at their address, else by where they were first used."""
SINGLE = ("gil", "import", "loader", "section", "named", *NATIVE)
"""Each of them is a node of its own."""

SECTION = "the critical section of "
"""Beginning of the name of one."""

type Site = tuple[str, ...]


class Names:
    """The names of one run's locks."""

    def __init__(self, recorded: Recorded) -> None:
        """Number the locks of each place."""
        self._recorded = recorded
        self._numbers: dict[int, tuple[int, int]] = {}
        places: dict[Site, list[int]] = {}
        for lock in recorded.locks.values():
            places.setdefault(self.site(lock), []).append(lock.id)
        for ids in places.values():
            for number, id_ in enumerate(sorted(ids), 1):
                self._numbers[id_] = (number, len(ids))

    def site(self, lock: Lock) -> Site:
        """Return where locks of one kind are made: all of these are one node of the graph."""
        if lock.kind in SINGLE or not lock.site:
            return (lock.kind, lock.name, str(lock.id))
        place = next(
            (i for i, frame in enumerate(lock.site) if self._recorded.is_program(frame)), None
        )
        frames = lock.site if place is None else lock.site[: place + 1]
        return (lock.kind, *(f"{frame}:{frame.column}" for frame in frames))

    def name(self, id_: int) -> str:
        """Return the name of a lock, with a number if others are made at the same place."""
        lock = self._recorded.locks[id_]
        name = self._name(lock)
        number, count = self._numbers[id_]
        is_one = lock.kind in SINGLE or count == 1
        return name if is_one else f"{name} #{number}"

    def awaited(self, id_: int) -> str:
        """Return the name of what a thread waits for when it asks for this."""
        kind = self._recorded.locks[id_].kind
        return AWAITED.get(kind, "{}").format(self.name(id_))

    def _name(self, lock: Lock) -> str:
        if lock.kind == "gil":
            return "the GIL" if self._recorded.has_gil else "a pause of all threads"
        if lock.kind == "import":
            return f"the import lock of {lock.name}"
        if lock.kind == "thread":
            return self._thread(lock)
        if lock.kind in ("loader", "section", "named") or lock.kind in NATIVE:
            return _native(lock)
        made = [frame for frame in lock.site if self._recorded.is_program(frame)]
        frames = made or [frame for frame in lock.site if not frame.native]
        word = WORDS.get(lock.kind, "lock")
        for frame in frames[:1] if made else frames:
            if name := assigned(frame):
                # Made by code that has no file, such as the __init__ of a dataclass.
                return name if has_source(lock.site[0]) else f"a {word} of {name}"
        return f"the {word} made at {_short(frames[0])}" if frames else f"a {word}"

    def _thread(self, lock: Lock) -> str:
        for thread in self._recorded.threads.values():
            if lock.id in thread.provided:
                return f"thread {self._recorded.thread_name(thread.serial)}"
        return "a thread"


def _native(lock: Lock) -> str:
    word = WORDS.get(lock.kind, "")
    if lock.kind == "section":
        return f"{SECTION}a {lock.name} first used in {_first(lock.site)}"
    if not word:
        return lock.name
    if not lock.name:
        return f"the {word} first used in {_first(lock.site)}"
    return f"the {word} {lock.name.removeprefix('guard variable for ')}"


def _first(stack: Sequence[Frame]) -> str:
    return str(stack[0]) if stack else "native code"


def _short(frame: Frame) -> str:
    return f"{Path(frame.file).name}:{frame.line}"


def assigned(frame: Frame) -> str:
    """Return the variable that the value made at a place is assigned to; empty if unknown."""
    tree = parsed(frame.file)
    if tree is None or not frame.line:
        return ""
    finder = _Finder(frame.line, frame.column)
    finder.visit(tree)
    return finder.name


class _Finder(ast.NodeVisitor):
    """Finds the innermost assignment of what is made at a place."""

    def __init__(self, line: int, column: int) -> None:
        self.line = line
        self.column = column
        self.name = ""
        self.scopes: list[ast.AST] = []

    def generic_visit(self, node: ast.AST) -> None:
        """Visit the nodes that contain the place."""
        if not hasattr(node, "lineno") or self._is_in(node):
            super().generic_visit(node)

    def _is_in(self, node: Any) -> bool:
        if not node.lineno <= self.line <= (node.end_lineno or node.lineno):
            return False
        if self.column < 0:
            return True
        begins = (node.lineno, node.col_offset) <= (self.line, self.column)
        return begins and (self.line, self.column) < (node.end_lineno, node.end_col_offset)

    def _scope(self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if self._is_in(node):
            self.scopes.append(node)
            self.generic_visit(node)
            self.scopes.pop()

    visit_ClassDef = _scope  # noqa: N815 - what ast calls
    visit_FunctionDef = _scope  # noqa: N815 - what ast calls
    visit_AsyncFunctionDef = _scope  # noqa: N815 - what ast calls

    def visit_Assign(self, node: ast.Assign) -> None:
        """Take the target of an assignment."""
        self._take(node.targets[0], node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Take the target of an assignment with a type."""
        self._take(node.target, node.value)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        """Take the target of an assignment within an expression."""
        self._take(node.target, node.value)

    def _take(self, target: ast.expr, value: ast.expr | None) -> None:
        if value is None or not self._is_in(value):
            return
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for one, made in zip(target.elts, value.elts, strict=False):
                self._take(one, made)
            return
        self.name = self._text(target)
        self.generic_visit(value)

    def _text(self, target: ast.expr) -> str:
        """Return a target as text, ``self.lock`` with the name of the class."""
        if isinstance(target, ast.Tuple):
            return " or ".join(map(ast.unparse, target.elts))
        text = ast.unparse(target)
        classes = [one for one in self.scopes if isinstance(one, ast.ClassDef)]
        inner = self.scopes[-1] if self.scopes else None
        if isinstance(inner, ast.ClassDef):
            return f"{inner.name}.{text}"
        if isinstance(inner, ast.FunctionDef) and classes and inner.args.args:
            first = inner.args.args[0].arg + "."
            if text.startswith(first):
                return f"{classes[-1].name}.{text.removeprefix(first)}"
        return text
