"""Which with blocks a frame is in: what it has entered and has to leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gilscope.target.hangs.locations import handler_at
from gilscope.target.hangs.process import WORD

if TYPE_CHECKING:
    from gilscope.target.hangs.interpreter import Interpreter, PythonFrame

_UNIT = 2  # bytes of an instruction
_TAG = 3
_MONITORING = 5  # words from co_linetable to _co_monitoring (cpython/code.h)
_LINES_ENTRY = 1  # bytes before the entries of _PyCoLineInstrumentationData


def entered(interpreter: Interpreter, frame: PythonFrame) -> list[int]:
    """Return the objects whose with blocks a frame is in, innermost first.

    The handler of a with block says at which depth its ``__exit__`` stands on the stack; below
    that depth nothing is out of date.

    Raises:
        UnreadableError: It cannot be read.
    """
    read, offsets, objects = interpreter.process.number, interpreter.offsets, interpreter.objects
    locals_ = len(objects.items(read(frame.code + offsets["code.localsplusnames"])))
    begin = frame.address + offsets["frame.localsplus"] + WORD * locals_
    # The exception table follows co_consts and co_names (cpython/code.h).
    table = objects.data(read(frame.code + offsets.head + 3 * WORD))
    found, at = [], frame.at
    while entry := handler_at(table, at):
        target, depth = entry
        if depth and _is_with(interpreter, frame.code, target):
            found.append(_manager(interpreter, begin + WORD * (depth - 1)))
        if target <= at:
            break
        at = target
    return found


def _manager(interpreter: Interpreter, place: int) -> int:
    """Return what an ``__exit__`` on the stack belongs to."""
    top = interpreter.process.number(place) & ~_TAG
    if interpreter.objects.type_name(top) in ("builtin_function_or_method", "method"):
        # Both have what they are bound to after their first member.
        return interpreter.process.number(top + interpreter.offsets.head + WORD)
    return top  # from 3.14 on what it is bound to stands on the stack by itself


def _is_with(interpreter: Interpreter, code: int, target: int) -> bool:
    """Whether the handler at an offset is that of a with block."""
    found = (_opcode(interpreter, code, target), _opcode(interpreter, code, target + _UNIT))
    return found == interpreter.offsets.with_handler


def _opcode(interpreter: Interpreter, code: int, at: int) -> int:
    """Return the opcode at an offset, also where a tool watches lines or instructions.

    Then another opcode stands there, and the code's own is kept beside it.
    """
    read, offsets = interpreter.process.number, interpreter.offsets
    opcode = read(code + offsets["code.adaptive"] + at, 1)
    watched = offsets.watched
    if opcode not in (watched.line, watched.instruction):
        return opcode
    tables = read(code + offsets["code.linetable"] + _MONITORING * WORD) + watched.tables
    if opcode == watched.line:
        lines = read(tables)
        size = read(lines, 1)  # of an entry, which begins with the opcode
        opcode = read(lines + _LINES_ENTRY + size * (at // _UNIT), 1)
    if opcode == watched.instruction:
        opcode = read(read(tables + 2 * WORD) + at // _UNIT, 1)
    return opcode
