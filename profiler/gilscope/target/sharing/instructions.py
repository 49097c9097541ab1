"""What an x86-64 instruction reads or writes in memory: enough of its encoding to tell the address.

Intel 64 Software Developer's Manual, volume 2, chapter 2 and appendix A. Vector instructions with a
VEX or EVEX prefix are not decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 15
"""Bytes of an instruction at most."""

_LOCK, _OPERAND_SIZE, _ADDRESS_SIZE, _FS, _GS = 0xF0, 0x66, 0x67, 0x64, 0x65
_PREFIXES = frozenset((_LOCK, _OPERAND_SIZE, _ADDRESS_SIZE, _FS, _GS, 0xF2, 0xF3, 0x2E, 0x36, 0x3E))
_ARITHMETIC = 0x40  # the first opcode after add, or, adc, sbb, and, sub, xor, cmp
_HAS_OPERAND = frozenset(
    (
        *(code for code in range(_ARITHMETIC) if code % 8 < 4),  # noqa: PLR2004 - the others: none
        *(0x63, 0x69, 0x6B, *range(0x80, 0x90), 0xC0, 0xC1, 0xC6, 0xC7),
        *(*range(0xD0, 0xD4), *range(0xD8, 0xE0), 0xF6, 0xF7, 0xFE, 0xFF),
    )
)
_TWO_BYTES_WITHOUT = frozenset(
    (
        *(*range(0x05, 0x0C), 0x0E, *range(0x30, 0x38), 0x77, *range(0x80, 0x90)),
        *(0xA0, 0xA1, 0xA2, 0xA8, 0xA9, 0xAA, *range(0xC8, 0xD0)),
    )
)
_BYTE_FOLLOWS = frozenset((0x6B, 0x80, 0x83, 0xC0, 0xC1, 0xC6))
_WORD_FOLLOWS = frozenset((0x69, 0x81, 0xC7))
_TWO_BYTES_BYTE_FOLLOWS = frozenset((*range(0x70, 0x74), 0xA4, 0xAC, 0xBA, 0xC2, 0xC4, 0xC5, 0xC6))
_NO_ACCESS = frozenset((0x8D, 0x0F0D, 0x0F18, 0x0F19, 0x0F1E, 0x0F1F))  # lea, prefetch, nop
_EXCHANGE = frozenset((0x86, 0x87))  # always locked
_STORES = frozenset(
    (
        *(code for code in range(0x38) if code % 8 < 2),  # noqa: PLR2004 - to memory; no cmp
        *(*_EXCHANGE, 0x88, 0x89, 0xC0, 0xC1, 0xC6, 0xC7, *range(0xD0, 0xD4)),
        *(0x0F11, 0x0F13, 0x0F17, 0x0F29, 0x0F2B, 0x0F7F, 0x0FB0, 0x0FB1, 0x0FC0, 0x0FC1, 0x0FC3),
        *(0x0FC7, 0x0FD6, 0x0FE7, *range(0x0F90, 0x0FA0)),
    )
)
_STORES_BUT_ONE = {0x80: 7, 0x81: 7, 0x83: 7}  # /7 is cmp
_STORES_SOME = {0xF6: (2, 3), 0xF7: (2, 3), 0xFE: (0, 1), 0xFF: (0, 1), 0x0FBA: (5, 6, 7)}
_RSP, _RBP, _NO_INDEX = 4, 5, 4


@dataclass(frozen=True, slots=True)
class Access:
    """The memory operand of an instruction.

    Attributes:
        writes: It is written to.
        locked: The instruction is atomic: it has the cache line for itself meanwhile.
        base: Number of a register as instructions number them; -1: none.
        index: The same.
        scale: Of the index.
        offset: To be added; of an operand relative to the instruction itself the address.
    """

    writes: bool
    locked: bool
    base: int
    index: int
    scale: int
    offset: int

    def address(self, registers: Sequence[int]) -> int:
        """Return the address, given the 16 registers as instructions number them."""
        base = registers[self.base] if self.base >= 0 else 0
        index = registers[self.index] * self.scale if self.index >= 0 else 0
        return (base + index + self.offset) & 0xFFFF_FFFF_FFFF_FFFF


def access_at(code: bytes, begin: int, at: int) -> Access | None:
    """Return what a thread that was interrupted there accesses, if it does and that is known.

    An atomic instruction is not interrupted: the thread stands behind it while it waits for the
    cache line. So one that ends there counts first.

    Args:
        code: Instructions around the address.
        begin: Address of the first byte.
        at: The address.
    """
    place = at - begin
    for length in range(3, LONGEST):
        start = place - length
        if start < 0:
            break
        if code[start] in (_LOCK, *_EXCHANGE) or 0x40 <= code[start] <= 0x4F:  # noqa: PLR2004 - REX
            found = _decoded(code, start, begin)
            if found is not None and found[1] == length and found[0].locked:
                return found[0]
    found = _decoded(code, place, begin)
    return found[0] if found is not None else None


def _decoded(code: bytes, start: int, begin: int) -> tuple[Access, int] | None:
    """Return the access of the instruction at a place in the code, and its length."""
    try:
        return _decode(code, start, begin)
    except IndexError:
        return None


def _decode(code: bytes, start: int, begin: int) -> tuple[Access, int] | None:
    at, prefixes = start, set()
    while code[at] in _PREFIXES:
        prefixes.add(code[at])
        at += 1
    rex = 0
    if code[at] & 0xF0 == 0x40:  # noqa: PLR2004 - the prefix that adds bits to registers
        rex = code[at]
        at += 1
    opcode, at, follow = _opcode(code, at, short=_OPERAND_SIZE in prefixes)
    if opcode < 0 or prefixes & {_ADDRESS_SIZE, _FS, _GS}:
        return None
    mode, middle = code[at] >> 6, code[at] >> 3 & 7
    if opcode in (0xF6, 0xF7) and middle < 2:  # noqa: PLR2004 - test has an immediate
        follow = 1 if opcode == 0xF6 else 2 if _OPERAND_SIZE in prefixes else 4  # noqa: PLR2004
    if mode == 3 or opcode in _NO_ACCESS:  # noqa: PLR2004 - a register
        return None
    base, index, scale, offset, at, relative = _operand(code, at, rex)
    at += follow
    if relative:
        offset += begin + at
    locked = _LOCK in prefixes or opcode in _EXCHANGE
    return Access(locked or _writes(opcode, middle), locked, base, index, scale, offset), at - start


def _opcode(code: bytes, at: int, *, short: bool) -> tuple[int, int, int]:
    """Return an opcode (-1 if it has no operand in memory), where it ends, bytes at the end."""
    opcode = code[at]
    if opcode != 0x0F:  # noqa: PLR2004 - the escape to two bytes
        if opcode not in _HAS_OPERAND:
            return -1, at, 0
        words = 2 if short else 4
        follow = 1 if opcode in _BYTE_FOLLOWS else words if opcode in _WORD_FOLLOWS else 0
        return opcode, at + 1, follow
    opcode = code[at + 1]
    if opcode in (0x38, 0x3A):  # three bytes: vectors, which only read memory
        return 0x0F38, at + 3, int(opcode == 0x3A)  # noqa: PLR2004
    if opcode in _TWO_BYTES_WITHOUT:
        return -1, at, 0
    return 0x0F00 | opcode, at + 2, int(opcode in _TWO_BYTES_BYTE_FOLLOWS)


def _operand(code: bytes, at: int, rex: int) -> tuple[int, int, int, int, int, bool]:
    """Return base, index, scale, offset, where the operand ends, whether it is relative to that."""
    mode, low = code[at] >> 6, code[at] & 7
    at += 1
    base, index, scale = low | (rex & 1) << 3, -1, 1
    if low == _RSP:
        packed = code[at]
        at += 1
        index = packed >> 3 & 7 | (rex & 2) << 2
        index, scale = (index if index != _NO_INDEX else -1), 1 << (packed >> 6)
        low = packed & 7
        base = low | (rex & 1) << 3
        if low == _RBP and mode == 0:
            return -1, index, scale, _signed(code, at, 4), at + 4, False
    elif low == _RBP and mode == 0:
        return -1, -1, 1, _signed(code, at, 4), at + 4, True
    size = (0, 1, 4)[mode]
    return base, index, scale, _signed(code, at, size) if size else 0, at + size, False


def _signed(code: bytes, at: int, size: int) -> int:
    if at + size > len(code):
        raise IndexError
    return int.from_bytes(code[at : at + size], "little", signed=True)


def _writes(opcode: int, middle: int) -> bool:
    if opcode in _STORES_BUT_ONE:
        return middle != _STORES_BUT_ONE[opcode]
    return opcode in _STORES or middle in _STORES_SOME.get(opcode, ())
