"""What a Python object is that an address lies in, and which variable holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gilscope.target.hangs.names import variables_near
from gilscope.target.hangs.process import WORD, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.target.hangs.interpreter import Interpreter, PythonFrame

_NEAR = 8  # words before the address in which an object may begin


class ObjectName(NamedTuple):
    """An object.

    Attributes:
        kind: Its type.
        variable: That holds it; "" if none is known.
        counted: The address is that of its reference counts.
    """

    kind: str
    variable: str
    counted: bool


def name_at(
    interpreter: Interpreter, address: int, stacks: list[list[PythonFrame]]
) -> ObjectName | None:
    """Return what the object is that an address lies in; None if it is in none."""
    for base in _candidates(address):
        kind = _kind(interpreter, base)
        if kind:
            counted = _is_count(interpreter, address - base)
            return ObjectName(kind, _variable(interpreter, base, stacks), counted)
    return None


def _is_count(interpreter: Interpreter, offset: int) -> bool:
    """Whether the reference counts of an object are at an offset: they end before its type."""
    offsets = interpreter.offsets
    end = offsets["object.type"]
    return (end - (12 if offsets.free_threaded else end)) <= offset < end


def _candidates(address: int) -> Iterator[int]:
    first = address & -WORD
    return (first - WORD * back for back in range(_NEAR))


def _kind(interpreter: Interpreter, base: int) -> str:
    """Return the type of an object; "" if there is none: its type has to be a type itself."""
    objects, at = interpreter.objects, interpreter.offsets["object.type"]
    try:
        kind = interpreter.process.number(base + at)
        if not kind or kind % WORD or objects.type_name(kind) != "type":
            return ""
        return objects.type_name(base)
    except UnreadableError:
        return ""


def _variable(interpreter: Interpreter, base: int, stacks: list[list[PythonFrame]]) -> str:
    """Return the variable that holds an object where threads stand: a global one comes first."""
    names: list[str] = []
    for stack in stacks:
        for frame in stack[:4]:
            try:
                found = interpreter.objects.globals(interpreter.globals_of(frame))
                names += [name for name, value in found if value == base]
            except UnreadableError:
                continue
        names += [name for name, value in variables_near(interpreter, stack) if value == base]
    return next(iter(names), "")
