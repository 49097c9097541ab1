"""What the program calls its locks: from where they were made."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

from gilscope.analysis.order.recorded import standard_folders
from gilscope.analysis.order.retries import parsed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.analysis.order.recorded import Frame, Lock, Recorded

WORDS = {
    "lock": "lock", "rlock": "lock", "mutex": "mutex", "rwlock": "read-write lock",
    "condition": "condition", "event": "event", "queue-put": "queue", "queue-get": "queue",
    "semaphore": "semaphore", "barrier": "barrier", "future": "future", "thread": "thread",
}  # fmt: skip
AWAITED = {
    "condition": "a notification of {}", "event": "{} to be set", "queue-put": "room in {}",
    "queue-get": "an item of {}", "semaphore": "{}", "barrier": "the others at {}",
    "future": "the result of {}", "thread": "the end of {}",
}  # fmt: skip

type Site = tuple[str, ...]


class Names:
    """The names of one run's locks."""

    def __init__(self, recorded: Recorded) -> None:
        """Number the locks of each place."""
        self._recorded = recorded
        self._outside = standard_folders()
        self._numbers: dict[int, tuple[int, int]] = {}
        places: dict[Site, list[int]] = {}
        for lock in recorded.locks.values():
            places.setdefault(self.site(lock), []).append(lock.id)
        for ids in places.values():
            for number, id_ in enumerate(sorted(ids), 1):
                self._numbers[id_] = (number, len(ids))

    def is_program(self, frame: Frame) -> bool:
        """Whether a frame is of the program's own Python code."""
        return not frame.native and not frame.file.startswith((*self._outside, "<"))

    def site(self, lock: Lock) -> Site:
        """Return where locks of one kind are made: all of these are one node of the graph."""
        if lock.kind in ("gil", "import", "mutex", "rwlock") or not lock.site:
            return (lock.kind, lock.name, str(lock.id))
        place = next((i for i, frame in enumerate(lock.site) if self.is_program(frame)), None)
        frames = lock.site if place is None else lock.site[: place + 1]
        return (lock.kind, *map(str, frames))

    def name(self, id_: int) -> str:
        """Return what a lock is called, with a number if others are made at the same place."""
        lock = self._recorded.locks[id_]
        name = self._name(lock)
        number, count = self._numbers[id_]
        is_one = lock.kind in ("gil", "import", "mutex", "rwlock") or count == 1
        return name if is_one else f"{name} #{number}"

    def awaited(self, id_: int) -> str:
        """Return what a thread waits for that asks for this."""
        kind = self._recorded.locks[id_].kind
        return AWAITED.get(kind, "{}").format(self.name(id_))

    def _name(self, lock: Lock) -> str:
        if lock.kind == "gil":
            return "the GIL" if self._recorded.has_gil else "a pause of all threads"
        if lock.kind == "import":
            return f"the import lock of {lock.name}"
        if lock.kind == "thread":
            return self._thread(lock)
        if lock.kind in ("mutex", "rwlock"):
            return lock.name or f"the {WORDS[lock.kind]} first used in {_first(lock.site)}"
        made = [frame for frame in lock.site if self.is_program(frame)]
        frames = made or [frame for frame in lock.site if not frame.native]
        for frame in frames[:1] if made else frames:
            if name := assigned(frame):
                return name
        word = WORDS.get(lock.kind, "lock")
        return f"the {word} made at {_short(frames[0])}" if frames else f"a {word}"

    def _thread(self, lock: Lock) -> str:
        for thread in self._recorded.threads.values():
            if lock.id in thread.provided:
                return f"thread {self._recorded.thread_name(thread.serial)}"
        return "a thread"


def _first(stack: Sequence[Frame]) -> str:
    return str(stack[0]) if stack else "native code"


def _short(frame: Frame) -> str:
    return f"{Path(frame.file).name}:{frame.line}"


def assigned(frame: Frame) -> str:
    """Return the variable that the value made at a place is assigned to; empty if unknown."""
    tree = parsed(frame.file)
    if tree is None or not frame.line:
        return ""
    found = _Finder(frame.line)
    found.visit(tree)
    return found.name


class _Finder(ast.NodeVisitor):
    """Finds the innermost assignment over a line."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.name = ""
        self.classes: list[str] = []
        self.is_in_function = False

    def generic_visit(self, node: ast.AST) -> None:
        """Visit what has the line in it."""
        end = getattr(node, "end_lineno", None)
        if end is not None and not node.lineno <= self.line <= end:  # type: ignore[attr-defined]
            return
        super().generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Know which class it is in."""
        if node.lineno <= self.line <= (node.end_lineno or 0):
            kept = self.is_in_function
            self.classes.append(node.name)
            self.is_in_function = False
            self.generic_visit(node)
            self.classes.pop()
            self.is_in_function = kept

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if node.lineno <= self.line <= (node.end_lineno or 0):
            kept, self.is_in_function = self.is_in_function, True
            self.generic_visit(node)
            self.is_in_function = kept

    visit_FunctionDef = _function  # noqa: N815 - what ast calls
    visit_AsyncFunctionDef = _function  # noqa: N815 - what ast calls

    def visit_Assign(self, node: ast.Assign) -> None:
        """Take the target of an assignment."""
        self._take(node, node.targets[0], node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Take the target of an assignment with a type."""
        self._take(node, node.target, node.value)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        """Take the target of an assignment within an expression."""
        self._take(node, node.target, node.value)

    def _take(self, node: ast.stmt | ast.expr, target: ast.expr, value: ast.expr | None) -> None:
        if not node.lineno <= self.line <= (node.end_lineno or 0) or value is None:
            return
        if isinstance(target, ast.Tuple):
            self.name = " or ".join(ast.unparse(one) for one in target.elts)
            return
        text = ast.unparse(target)
        owner = self.classes[-1] if self.classes else ""
        if text.startswith("self.") and owner:
            text = owner + text.removeprefix("self")
        elif owner and not self.is_in_function:
            text = f"{owner}.{text}"
        self.name = text
        self.generic_visit(node)
