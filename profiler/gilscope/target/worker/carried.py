"""Names of a notebook that the code of a cell needs, made known to it in another interpreter.

Values come through a pipe of the process that started this one, never from a file. Standard library
only: this runs inside the program under test.
"""

from __future__ import annotations

import importlib
import linecache
import marshal
import os
import pickle
import sys
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import CodeType


@dataclass(frozen=True)
class Import:
    """A name that stands for a module, or for something in it.

    Attributes:
        name: As the code calls it.
        module: What to import.
        attribute: What of it; "" for the module itself.
    """

    name: str
    module: str
    attribute: str = ""


@dataclass(frozen=True)
class Definition:
    """A function or a class by its source text.

    Attributes:
        text: The source.
        filename: Its file name in tracebacks.
        first_line: Its number there.
    """

    text: str
    filename: str
    first_line: int = 1


@dataclass(frozen=True)
class Carried:
    """What is carried over, in the order in which it is made known.

    Attributes:
        imports: Modules and what is in them.
        values: Pickled dict of values by name, which need no definitions; empty for none.
        definitions: Functions and classes.
        instances: As `values`, but these need the definitions.
    """

    imports: tuple[Import, ...] = ()
    values: bytes = b""
    definitions: tuple[Definition, ...] = ()
    instances: bytes = b""

    def provide(self, names: dict[str, Any]) -> None:
        """Make everything known in ``names``, which are those of ``__main__``.

        Raises:
            Exception: What importing, defining or unpickling raises here.
        """
        for item in self.imports:
            names[item.name] = _imported(item)
        names.update(_unpickled(self.values))
        for definition in self.definitions:
            exec(_compiled(definition), names)  # noqa: S102 - running the program is the purpose
        names.update(_unpickled(self.instances))


def _imported(item: Import) -> Any:
    try:
        module = importlib.import_module(item.module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{item.name} of the notebook needs {item.module}, which {sys.executable} cannot "
            f"import: {error}",
            name=error.name,
        ) from None
    return attrgetter(item.attribute)(module) if item.attribute else module


def _unpickled(data: bytes) -> dict[str, Any]:
    # Not from a file: the notebook's own process made it, and sent it through a pipe.
    values: dict[str, Any] = pickle.loads(data) if data else {}  # noqa: S301
    return values


def _compiled(definition: Definition) -> CodeType:
    lines = definition.text.splitlines(keepends=True)
    known = linecache.cache.get(definition.filename)
    before = [*known[2]] if known and len(known) > 2 else []  # noqa: PLR2004 - lines come third
    begin, end = definition.first_line - 1, definition.first_line - 1 + len(lines)
    before += ["\n"] * (end - len(before))
    before[begin:end] = lines
    linecache.cache[definition.filename] = (len(before), None, before, definition.filename)
    text = "\n" * begin + definition.text
    code = compile(text, definition.filename, "exec", dont_inherit=True)
    # As loaded from a file: see gilscope.target.worker.program.
    loaded: CodeType = marshal.loads(marshal.dumps(code))  # noqa: S302 - made in the same line
    return loaded


def receive(job: dict[str, Any] | None) -> Carried | None:
    """Take what a job carries: texts from the job, values from standard input, then at its end.

    Args:
        job: imports, definitions and the sizes of both pickles; None if nothing is carried.
    """
    if job is None:
        return None
    first, second = job["sizes"]
    with os.fdopen(os.dup(0), "rb") as stream:
        values, instances = stream.read(first), stream.read(second)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return Carried(
        tuple(Import(*words) for words in job["imports"]),
        values,
        tuple(Definition(*words) for words in job["definitions"]),
        instances,
    )


def describe(carried: Carried) -> dict[str, Any]:
    """Return the part of a job that `receive` takes."""
    return {
        "imports": [[i.name, i.module, i.attribute] for i in carried.imports],
        "definitions": [[d.text, d.filename, d.first_line] for d in carried.definitions],
        "sizes": [len(carried.values), len(carried.instances)],
    }
