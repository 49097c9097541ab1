"""Object files: their functions, and the tables by which stacks are unwound."""

from __future__ import annotations

import mmap
import struct
from bisect import bisect_left, bisect_right
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEADER = struct.Struct("<4sBB10xHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_LOAD, _NOTE, _UNWINDING = 1, 4, 0x6474E550
_SYMTAB, _DYNSYM = 2, 11
_FUNCTIONS = (2, 10)  # STT_FUNC, STT_GNU_IFUNC
_PAGE = 4096
_MOST = 4096  # headers of a kind


class NoObjectFileError(ValueError):
    """A file that is no object file of this kind of machine."""


class Segment(NamedTuple):
    """A program header that loads something."""

    offset: int
    address: int
    size: int


class Symbol(NamedTuple):
    """A name in an object file, with its address there and its size."""

    address: int
    size: int
    name: str


class Image:
    """One object file, mapped.

    Attributes:
        data: The bytes of the file.
        segments: What it loads.
        unwinding: Address of its .eh_frame_hdr; 0 if it has none.
        note: Where its first note lies (address, offset in the file, size), to tell it by.
    """

    def __init__(self, path: str) -> None:
        """Map the file.

        Raises:
            OSError: It cannot be read.
            NoObjectFileError: It is no 64-bit little-endian object file.
        """
        with Path(path).open("rb") as file:
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            self._read_headers()
        except struct.error:
            raise NoObjectFileError(path) from None

    def _read_headers(self) -> None:
        magic, bits, order, *rest = _HEADER.unpack_from(self.data)
        if magic != b"\x7fELF" or bits != 2 or order != 1:  # noqa: PLR2004 - ELFCLASS64
            raise NoObjectFileError
        _, _, _, _, segments, self._sections, _, _, size, count, step, number, _ = rest
        self.segments: list[Segment] = []
        self.unwinding, self.note = 0, (0, 0, 0)
        for i in range(min(count, _MOST)):
            kind, _, offset, address, _, in_file, _, _ = _SEGMENT.unpack_from(
                self.data, segments + i * size
            )
            if kind == _LOAD:
                self.segments.append(Segment(offset, address, in_file))
            elif kind == _UNWINDING:
                self.unwinding = address
            elif kind == _NOTE and not self.note[2]:
                self.note = (address, offset, in_file)
        self._section_step, self._section_count = step, min(number, 10 * _MOST)

    def bias(self, begin: int, offset: int) -> int:
        """Return what is to be added to addresses here, by where a part of the file is mapped."""
        for segment in self.segments:
            first = segment.offset & -_PAGE
            if first <= offset < segment.offset + max(segment.size, 1):
                return begin - (segment.address & -_PAGE) - (offset - first)
        raise NoObjectFileError

    def offset(self, address: int) -> int:
        """Return where in the file an address stands.

        Raises:
            LookupError: Nowhere.
        """
        for segment in self.segments:
            if segment.address <= address < segment.address + segment.size:
                return address - segment.address + segment.offset
        raise LookupError(address)

    @cached_property
    def _symbols(self) -> list[Symbol]:
        """All symbols with a size, those of .symtab and .dynsym, by address."""
        found: set[Symbol] = set()
        for i in range(self._section_count):
            place = self._sections + i * self._section_step
            _, kind, _, _, offset, size, link, _, _, step = _SECTION.unpack_from(self.data, place)
            if kind in (_SYMTAB, _DYNSYM) and step == _SYMBOL.size:
                names = _SECTION.unpack_from(self.data, self._sections + link * self._section_step)
                found.update(self._read_symbols(offset, size, names[4]))
        return sorted(found)

    def _read_symbols(self, offset: int, size: int, names: int) -> list[Symbol]:
        found = []
        table = self.data[offset : offset + size - size % _SYMBOL.size]
        for name, info, _, section, address, length in _SYMBOL.iter_unpack(table):
            if section and address and info & 15 in (1, *_FUNCTIONS):
                begin = names + name
                end = self.data.find(b"\0", begin)
                text = self.data[begin:end].decode("utf-8", "replace")
                found.append(Symbol(address, length, text.partition("@")[0]))
        return found

    @cached_property
    def symbols(self) -> list[Symbol]:
        """The symbols; none where the file is damaged."""
        try:
            return self._symbols
        except (struct.error, ValueError):
            return []

    @cached_property
    def _addresses(self) -> list[int]:
        return [symbol.address for symbol in self.symbols]

    def function(self, address: int) -> str:
        """Return the symbol that reaches over an address; "" if none does."""
        place = bisect_right(self._addresses, address)
        near = reversed(self.symbols[max(place - 8, 0) : place])
        return _public(s.name for s in near if s.address <= address < s.address + s.size)

    def function_at(self, address: int) -> str:
        """Return the symbol of the function that begins at an address; "" if none does."""
        place = bisect_left(self._addresses, address)
        names = []
        while place < len(self.symbols) and self.symbols[place].address == address:
            names.append(self.symbols[place].name)
            place += 1
        return _public(names)

    def address_of(self, name: str) -> int:
        """Return the address of a symbol; 0 if it is not there."""
        return next((s.address for s in self.symbols if s.name == name), 0)


def _public(names: Iterable[str]) -> str:
    """Return the public name of a function: its names differ by underscores in front."""
    return min(
        names, key=lambda name: (name.startswith("_") and name[:2] != "_Z", name), default=""
    )
