"""Finds out how the names of a notebook that a cell needs can travel to other interpreters.

Modules are imported there, and so is what stands in them; functions and classes of the notebook
travel as source, with the names that they need themselves; all else is pickled.
"""

from __future__ import annotations

import ast
import inspect
import io
import linecache
import pickle
import sys
import textwrap
from operator import attrgetter
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from gilscope.errors import UsageError
from gilscope.jupyter.names import free_names
from gilscope.target.worker.carried import Carried, Definition, Import

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_BYTES = 64 << 20
"""The most that the values of a cell may take together when pickled, in bytes."""

MAIN = "__main__"
DISPLAYS = ("IPython.core.display_functions", "display")
"""A function that needs the notebook's shell; there is one that does not."""
ENTRY = 4
"""Fields of an entry of linecache: size, time, lines, name. Text that is in no file has no time."""


class _CannotTravelError(Exception):
    """The reason, and the way out."""


def carry(names: Iterable[str], namespace: Mapping[str, object], *, large: bool = False) -> Carried:
    """Return the definitions and values that code with these ``names`` needs.

    Args:
        names: Those that the code does not define; what is not in ``namespace`` is left alone.
        namespace: The variables of the notebook.
        large: Values may be larger than `MAX_BYTES`.

    Raises:
        UsageError: Some of them cannot travel: each with the reason and the way out.
    """
    luggage = _Luggage(namespace)
    for name in sorted(names):
        luggage.add(name)
    return luggage.packed(large=large)


class _Luggage:
    """What has been found so far."""

    def __init__(self, namespace: Mapping[str, object]) -> None:
        self._namespace = namespace
        self._seen: set[str] = set()
        self._imports: list[Import] = []
        self._definitions: list[Definition] = []
        self._values: dict[str, object] = {}
        self._instances: dict[str, object] = {}
        self._refused: dict[str, str] = {}

    def add(self, name: str) -> None:
        """Add a name, after the names that it needs."""
        if name in self._seen or name not in self._namespace:
            return
        self._seen.add(name)
        value = self._namespace[name]
        try:
            if found := _import(name, value):
                self._imports.append(found)
            elif isinstance(value, (FunctionType, type)):
                self._define(name, value)
            else:
                self._pickle(name, value)
        except _CannotTravelError as error:
            self._refused[name] = str(error)

    def packed(self, *, large: bool) -> Carried:
        """Return all of it.

        Raises:
            UsageError: A name cannot be copied.
        """
        values, instances = (
            pickle.dumps(some, 5) if some else b"" for some in (self._values, self._instances)
        )
        size = len(values) + len(instances)
        if size > MAX_BYTES and not large:
            names = ", ".join(sorted({*self._values, *self._instances}))
            self._refused[names] = (
                f"{size / 1e6:.0f} MB when pickled, and {MAX_BYTES / 1e6:.0f} MB travel: make or "
                "load it in the cell or in a file for --setup, or name it with --inputs"
            )
        if self._refused:
            raise UsageError(
                "the code runs in processes of other interpreters, and these names cannot be "
                "copied there: "
                + "; ".join(f"{name}: {why}" for name, why in self._refused.items())
            )
        return Carried(tuple(self._imports), values, tuple(self._definitions), instances)

    def _define(self, name: str, value: FunctionType | type) -> None:
        definition = _source(value)
        for needed in sorted(free_names(definition.text) - {value.__name__}):
            self.add(needed)
        text = definition.text
        if name != value.__name__:
            text += f"\n{name} = {value.__name__}\n"
        self._definitions.append(Definition(text, definition.filename, definition.first_line))

    def _pickle(self, name: str, value: object) -> None:
        pickler = _Pickler()
        try:
            pickler.dump(value)
        except Exception as error:  # noqa: BLE001 - objects raise what they like
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise _CannotTravelError(
                f"a {type(value).__qualname__}, which cannot be pickled ({reason}): make it in "
                "the cell, or in a file for --setup"
            ) from None
        for needed in sorted(pickler.of_the_notebook):
            self.add(needed)
        (self._instances if pickler.of_the_notebook else self._values)[name] = value


class _Pickler(pickle.Pickler):
    """Notes which functions and classes of the notebook are needed to read it again."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), 5)
        self.of_the_notebook: set[str] = set()

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, (FunctionType, type)) and obj.__module__ == MAIN:
            self.of_the_notebook.add(obj.__qualname__.partition(".")[0])
        return NotImplemented


def _import(name: str, value: Any) -> Import | None:
    """Return how ``value`` is imported; None if it cannot be."""
    if isinstance(value, ModuleType):
        if sys.modules.get(value.__name__) is value and value.__name__ != MAIN:
            return Import(name, value.__name__)
        raise _CannotTravelError(
            "a module that cannot be imported by its name: import it in the cell"
        )
    module, path = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(path, str) or module == MAIN:
        return None
    if (module, path) == DISPLAYS:
        return Import(name, "gilscope.target.worker.display", path)
    try:
        found = attrgetter(path)(sys.modules[module])
    except (AttributeError, KeyError):
        return None
    return Import(name, module, path) if found is value else None


def _source(value: FunctionType | type) -> Definition:
    """Return the text of a function or a class of the notebook."""
    what = "class" if isinstance(value, type) else "function"
    if value.__name__ == "<lambda>":
        raise _CannotTravelError("a lambda: use def, or write it in the cell")
    if getattr(value, "__closure__", None) or "<locals>" in value.__qualname__:
        raise _CannotTravelError(
            f"a {what} that is defined inside a function: define it at the top level of a cell"
        )
    found = _class_text(value) if isinstance(value, type) else _function_text(value)
    if found is None:
        raise _CannotTravelError(
            f"a {what} without source text: define it in the cell or in a module"
        )
    return found


def _function_text(value: FunctionType) -> Definition | None:
    try:
        lines, first = inspect.getsourcelines(value)
    except (OSError, TypeError):
        return None
    text = textwrap.dedent("".join(lines))
    return Definition(text, value.__code__.co_filename, max(first, 1))


def _class_text(value: type) -> Definition | None:
    """Find a class in the cells that have run, the latest first: classes know no file."""
    first = getattr(value, "__firstlineno__", 0)
    known: list[tuple[str, Any]] = list(linecache.cache.items())
    for filename, entry in reversed(known):
        if len(entry) < ENTRY or entry[1] is not None:
            continue  # a file, not a cell
        lines = entry[2]
        try:
            body = ast.parse("".join(lines)).body
        except SyntaxError:
            continue
        for node in body:
            if isinstance(node, ast.ClassDef) and node.name == value.__name__:
                begin = min([node.lineno, *(d.lineno for d in node.decorator_list)])
                if begin == first:
                    return Definition("".join(lines[begin - 1 : node.end_lineno]), filename, begin)
    return None
