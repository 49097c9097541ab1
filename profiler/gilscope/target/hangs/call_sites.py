"""Which function a call in native code names, though another one may have taken its place.

Functions of stripped libraries that only their own library calls have no names. Often one with a
name has jumped there as its last act, as pthread_once() does before it waits; then the call in the
frame outside still names that one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gilscope.target.hangs.process import WORD, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gilscope.target.hangs.elf import Image
    from gilscope.target.hangs.process import Process

_CALL, _CALL_BY_SLOT, _JUMP_BY_SLOT = b"\xe8", b"\xff\x15", b"\xff\x25"
_ENDBR64, _BND = b"\xf3\x0f\x1e\xfa", b"\xf2"
_LONGEST = 6  # bytes of a call with an offset

type Find = Callable[[int], tuple[Image, int] | None]


def called(process: Process, find: Find, back: int) -> str:
    """Return the symbol that the call before a return address names; "" if that is not known.

    Args:
        process: The process.
        find: Returns the object that an address lies in, and what is added to addresses in it.
        back: The return address.
    """
    try:
        target = _target(process, back)
        if not target:
            return ""
        return _begins_at(find, target) or _begins_at(find, _through_stub(process, target))
    except UnreadableError:
        return ""


def _target(process: Process, back: int) -> int:
    code = process.read(back - _LONGEST, _LONGEST)
    offset = int.from_bytes(code[2:], "little", signed=True)
    if code[1:2] == _CALL:
        return back + offset
    return process.number(back + offset) if code[:2] == _CALL_BY_SLOT else 0


def _through_stub(process: Process, stub: int) -> int:
    """Return where an entry of a procedure linkage table jumps to; 0 if it is none."""
    code, at = process.read(stub, 16), 0
    for prefix in (_ENDBR64, _BND):
        at += len(prefix) if code[at:].startswith(prefix) else 0
    if not code[at:].startswith(_JUMP_BY_SLOT):
        return 0
    offset = int.from_bytes(code[at + 2 : at + 6], "little", signed=True)
    return process.number(stub + at + 6 + offset)


def _begins_at(find: Find, address: int) -> str:
    """Return the symbol of the function that begins at an address; "" if none does."""
    found = find(address) if address >= WORD else None
    if found is None:
        return ""
    image, bias = found
    return image.function_at(address - bias)
