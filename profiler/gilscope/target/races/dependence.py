"""How a write of a thread depends on what it read before: by its value, or by a decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gilscope.target.races import flow
from gilscope.target.races.seen import REMOVE, STORE

if TYPE_CHECKING:
    from types import CodeType

    from gilscope.target.races.seen import Seen


def depends(read: Seen, write: Seen, *, by_name: bool = True) -> str | None:
    """Return how a write depends on a read of the same thread: ``value``, ``guard`` or None.

    They meet in the innermost function that was running at both. There the read is an instruction,
    or a call that led to it; and so is the write. ``by_name``: what another instruction of the
    function reads by the same name will do as well. It does not when the lock was given back after
    the read: the other instruction may have read under the lock of the write.
    """
    meeting = meeting_of(read, write)
    if meeting is None:
        return _depends_in_one(read, write)
    reader, writer = meeting
    code, source = read.frames[reader]
    _, target = write.frames[writer]
    known = flow.of(code)
    sources = [source, *(same_path(code, source) if reader == 0 and by_name else [])]
    if not _is_given_back(read, reader):
        return None
    for each in sources:
        if known.flows(each, target) and _is_passed_on(write, writer):
            return "value"
    for each in sources:
        if known.guards_it(each, target) or (known.flows(each, target) and write.op == REMOVE):
            return "guard"
    return None


def _depends_in_one(read: Seen, write: Seen) -> str | None:
    """Return how they depend if one instruction, or what it called, did both."""
    code, offset = read.frames[0]
    name = next((one.opname for one in flow.instructions(code) if one.offset == offset), "")
    finds = name in ("BINARY_SUBSCR", "BINARY_OP", "LOAD_ATTR")
    # What is missing is stored: by a defaultdict, `__missing__`, `__getattr__`.
    if finds and write.op == STORE and write.frames[-len(read.frames) :] == read.frames:
        return "guard"
    return "value" if read.frames == write.frames else None  # native code did both in one call


def guards(read: Seen, write: Seen) -> bool:
    """Return whether a read of the same thread decides whether the write is made."""
    meeting = meeting_of(read, write)
    if meeting is None or not _is_given_back(read, meeting[0]):
        return False
    (code, source), (_, target) = read.frames[meeting[0]], write.frames[meeting[1]]
    return flow.of(code).guards_it(source, target)


def meeting_of(read: Seen, write: Seen) -> tuple[int, int] | None:
    """Return the places of the function where both meet, counted from the innermost."""
    i, j = len(read.frames) - 1, len(write.frames) - 1
    while i >= 0 and j >= 0:
        (one, at), (other, there) = read.frames[i], write.frames[j]
        if one is not other:
            return None
        if at != there:
            return i, j
        i, j = i - 1, j - 1
    return None


def _is_given_back(read: Seen, reader: int) -> bool:
    """Whether what was read comes back through all calls in between."""
    return all(flow.of(code).is_returned(offset) for code, offset in read.frames[:reader])


def _is_passed_on(write: Seen, writer: int) -> bool:
    """Whether what is written comes in through all calls in between."""
    return all(flow.of(code).from_caller(offset) for code, offset in write.frames[:writer])


def same_path(code: CodeType, offset: int) -> list[int]:
    """Return other places of the function that read what this one reads, by the same name."""
    instructions = flow.instructions(code)
    paths = {one.offset: _path(instructions, i) for i, one in enumerate(instructions)}
    own = paths.get(offset)
    return [place for place, path in paths.items() if own and path == own and place != offset]


def _path(instructions: list[Any], i: int) -> tuple[str, ...] | None:
    """Return the name that an instruction reads, as ("self", "data"); None if it is no name."""
    ins = instructions[i]
    if ins.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF"):
        return (str(ins.argval),)
    if ins.opname == "LOAD_ATTR" and i > 0:
        before = instructions[i - 1]
        if before.opname == "COPY" and i > 1:  # self.n += 1 keeps self for the store
            before = instructions[i - 2]
        if before.opname.startswith("LOAD_FAST") and isinstance(before.argval, str):
            return (before.argval, str(ins.argval))
        base = _path(instructions, i - 1)
        return (*base, str(ins.argval)) if base else None
    return None
