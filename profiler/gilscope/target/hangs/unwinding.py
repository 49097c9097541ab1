"""From a return address to its caller, by .eh_frame (System V ABI for x86-64; DWARF 5, 6.4).

Only what compilers emit for ordinary functions. Where the tables do not say how to go on, or need a
register that is not known, the stack ends: nothing is guessed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gilscope.target.hangs.elf import Image

_RBP, _RSP, _RETURN = 6, 7, 16
_MOST_STATES = 8
_ABSOLUTE, _RELATIVE = 0x00, 0x10
_FORMATS = {0x00: "<Q", 0x02: "<H", 0x03: "<I", 0x04: "<Q", 0x0A: "<h", 0x0B: "<i", 0x0C: "<q"}
# Instructions, DW_CFA_*.
_NOTHING, _REMEMBER, _RESTORE, _ARGUMENTS = 0x00, 0x0A, 0x0B, 0x2E
_FRAME_CODES = (0x0C, 0x0D, 0x0E, 0x0F, 0x12, 0x13)
_REGISTER_CODES = (0x05, 0x06, 0x07, 0x08, 0x09, 0x10, 0x11, 0x14, 0x15, 0x16)
_TABLE = 0x3B  # signed 4 bytes, relative to .eh_frame_hdr


class NoRuleError(Exception):
    """The tables do not say how to unwind here."""


@dataclass(frozen=True)
class Rule:
    """How to unwind one frame.

    Attributes:
        begin: Where the function begins: what it is told by.
        base: Register that the frame's address is reckoned from (6 is rbp, 7 is rsp).
        offset: What is added to it.
        deref: Whether the frame's address stands in memory there, as in realigned stacks.
        rbp: Where the caller's rbp stands, from the frame's address on; None if still in rbp.
        rbp_known: Whether the tables say where the caller's rbp is.
        ra: Where the return address stands; None at a thread's first frame.
    """

    begin: int = 0
    base: int = 0
    offset: int = 0
    deref: bool = False
    rbp: int | None = None
    rbp_known: bool = True
    ra: int | None = None


class _Reader:
    def __init__(self, image: Image, address: int, size: int = 1 << 30) -> None:
        self.data, self.at, self.address = image.data, image.offset(address), address
        self._first = self.at
        self.end = min(self.at + size, len(self.data))

    def fixed(self, form: str) -> int:
        size = struct.calcsize(form)
        if self.at + size > self.end:
            raise NoRuleError
        value: int = struct.unpack_from(form, self.data, self.at)[0]
        self.at += size
        return value

    def byte(self) -> int:
        return self.fixed("<B")

    def uleb(self) -> int:
        value = shift = 0
        while shift < 64:  # noqa: PLR2004 - bits
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value
        raise NoRuleError

    def sleb(self) -> int:
        begin, value = self.at, self.uleb()
        bits = 7 * (self.at - begin)
        return value - (1 << bits) if value >> (bits - 1) & 1 else value

    def here(self) -> int:
        return self.address + self.at - self._first

    def encoded(self, encoding: int) -> int:
        place = self.here()
        if encoding & 0x0F not in _FORMATS or encoding & 0x70 not in (_ABSOLUTE, _RELATIVE):
            raise NoRuleError
        value = self.fixed(_FORMATS[encoding & 0x0F])
        return value + (place if encoding & 0x70 else 0)


def find_rule(image: Image, address: int) -> Rule:
    """Return how to unwind the frame that executes at an address of an object.

    Raises:
        NoRuleError: That is not known.
    """
    try:
        return _find_rule(image, address)
    except (LookupError, struct.error, ValueError):
        raise NoRuleError from None


def _find_rule(image: Image, address: int) -> Rule:
    reader = _Reader(image, _description(image, address))
    reader.end = min(reader.fixed("<I") + reader.at, reader.end)
    place = reader.here()
    common = _Common(_Reader(image, place - reader.fixed("<I")))
    begin = reader.encoded(common.pointers)
    size = reader.fixed(_FORMATS[common.pointers & 0x0F])
    if not begin <= address < begin + size:
        raise NoRuleError
    if common.augmented:
        reader.at += reader.uleb()
    machine = _Machine(common, begin, address)
    machine.run(common.instructions)
    machine.initial = machine.rule
    machine.run(reader)
    return replace(machine.rule, begin=begin)


def _description(image: Image, target: int) -> int:
    """Return the address of the last description that begins at or before an address."""
    header = image.unwinding
    if not header:
        raise NoRuleError
    reader = _Reader(image, header)
    version, pointer, counted, table = (reader.byte() for _ in range(4))
    if version != 1 or counted != 3 or table != _TABLE:  # noqa: PLR2004 - unsigned 4 bytes
        raise NoRuleError
    reader.encoded(pointer)
    count, first = reader.fixed("<I"), reader.at
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        begin = struct.unpack_from("<i", image.data, first + 8 * middle)[0]
        low, high = (middle + 1, high) if header + begin <= target else (low, middle)
    if not low:
        raise NoRuleError
    offset: int = struct.unpack_from("<i", image.data, first + 8 * (low - 1) + 4)[0]
    return header + offset


class _Common:
    """What the descriptions of several functions have in common (CIE)."""

    def __init__(self, reader: _Reader) -> None:
        reader.end = min(reader.fixed("<I") + reader.at, reader.end)
        if reader.fixed("<I") != 0 or (version := reader.byte()) not in (1, 3):
            raise NoRuleError
        end = reader.data.find(b"\0", reader.at, reader.end)
        letters = reader.data[reader.at : end].decode("latin-1")
        reader.at = end + 1
        self.code, self.factor = reader.uleb(), reader.sleb()
        if (reader.byte() if version == 1 else reader.uleb()) != _RETURN:
            raise NoRuleError
        self.pointers, self.augmented = _ABSOLUTE, letters.startswith("z")
        if self.augmented:
            size = reader.uleb()
            after = reader.at + size
            self._augmentation(reader, letters[1:])
            reader.at = after
        elif letters:
            raise NoRuleError
        self.instructions = reader

    def _augmentation(self, reader: _Reader, letters: str) -> None:
        for letter in letters:
            if letter == "R":
                self.pointers = reader.byte()
            elif letter == "L":
                reader.byte()
            elif letter == "P":
                reader.encoded(reader.byte() & 0x7F)
            else:
                raise NoRuleError  # S, a signal's frame, among them


class _Machine:
    """Executes the instructions of a table up to the row of one address."""

    def __init__(self, common: _Common, location: int, target: int) -> None:
        self._common, self._location, self._target = common, location, target
        self.rule = self.initial = Rule()
        self._states: list[Rule] = []

    def run(self, reader: _Reader) -> None:
        while reader.at < reader.end:
            if self._step(reader, reader.byte()):
                return

    def _step(self, reader: _Reader, code: int) -> bool:
        """Execute one; return whether the row of the address is complete."""
        form = {0x02: "<B", 0x03: "<H", 0x04: "<I"}.get(code, "")
        if code & 0xC0 == 0x40 or form:  # noqa: PLR2004 - DW_CFA_advance_loc
            delta = reader.fixed(form) if form else code & 0x3F
            self._location += delta * self._common.code
            return self._location > self._target
        high, low = code & 0xC0, code & 0x3F
        if high == 0x80:  # noqa: PLR2004 - DW_CFA_offset
            self._saved(low, reader.uleb() * self._common.factor)
        elif high == 0xC0:  # noqa: PLR2004 - DW_CFA_restore
            self._restore(low)
        else:
            self._extended(reader, code)
        return False

    def _extended(self, reader: _Reader, code: int) -> None:
        if code in _FRAME_CODES:
            self._frame(reader, code)
        elif code in _REGISTER_CODES:
            self._register(reader, code)
        elif code == _REMEMBER and len(self._states) < _MOST_STATES:
            self._states.append(self.rule)
        elif code == _RESTORE and self._states:
            self.rule = self._states.pop()
        elif code == _ARGUMENTS:
            reader.uleb()
        elif code != _NOTHING:
            raise NoRuleError

    def _frame(self, reader: _Reader, code: int) -> None:
        """DW_CFA_def_cfa, its parts, their signed forms, and DW_CFA_def_cfa_expression."""
        factor = self._common.factor
        match code:
            case 0x0C | 0x12:
                base = reader.uleb()
                offset = reader.uleb() if code == 0x0C else reader.sleb() * factor  # noqa: PLR2004
                self.rule = replace(self.rule, base=base, offset=offset, deref=False)
            case 0x0D:
                self.rule = replace(self.rule, base=reader.uleb(), deref=False)
            case 0x0E | 0x13:
                offset = reader.uleb() if code == 0x0E else reader.sleb() * factor  # noqa: PLR2004
                self.rule = replace(self.rule, offset=offset)
            case _:
                self._expression(reader)

    def _register(self, reader: _Reader, code: int) -> None:
        """Where the caller's value of one register is."""
        register = reader.uleb()
        match code:
            case 0x05 | 0x11:  # DW_CFA_offset_extended
                value = reader.uleb() if code == 0x05 else reader.sleb()  # noqa: PLR2004
                self._saved(register, value * self._common.factor)
            case 0x06:  # DW_CFA_restore_extended
                self._restore(register)
            case 0x08:  # DW_CFA_same_value
                if register == _RBP:
                    self.rule = replace(self.rule, rbp=None, rbp_known=True)
            case _:  # undefined, in another register, or an expression
                self._lose(register)
                if code != 0x07:  # noqa: PLR2004 - DW_CFA_undefined
                    size = reader.uleb()
                    reader.at += size if code in (0x10, 0x16) else 0

    def _expression(self, reader: _Reader) -> None:
        """Realigned stacks keep the frame's address in memory: DW_OP_breg6 n, DW_OP_deref."""
        end = reader.uleb() + reader.at
        self.rule = replace(self.rule, base=0)
        if reader.byte() == 0x76:  # noqa: PLR2004 - DW_OP_breg6
            offset = reader.sleb()
            if reader.byte() == 0x06 and reader.at == end:  # noqa: PLR2004 - DW_OP_deref
                self.rule = replace(self.rule, base=_RBP, offset=offset, deref=True)
        reader.at = end

    def _saved(self, register: int, offset: int) -> None:
        if register == _RETURN:
            self.rule = replace(self.rule, ra=offset)
        elif register == _RBP:
            self.rule = replace(self.rule, rbp=offset, rbp_known=True)

    def _restore(self, register: int) -> None:
        first = self.initial
        if register == _RETURN:
            self.rule = replace(self.rule, ra=first.ra)
        elif register == _RBP:
            self.rule = replace(self.rule, rbp=first.rbp, rbp_known=first.rbp_known)

    def _lose(self, register: int) -> None:
        if register == _RETURN:
            self.rule = replace(self.rule, ra=None)
        elif register == _RBP:
            self.rule = replace(self.rule, rbp=None, rbp_known=False)
