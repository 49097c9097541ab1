"""Native code by its name: functions and lines from object files that are still there.

Nothing is guessed: a file counts only if it has the build id that the trace names, a function only
if its symbol says that it reaches over the place.
"""

from __future__ import annotations

import os
import stat
from bisect import bisect_right
from functools import cached_property, lru_cache
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gilscope.demangling import demangle
from gilscope.text import short_function
from gilscope.trace.reading.inlined import Unit
from gilscope.trace.reading.lock_members import Calls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.trace.arrays import U64

DEBUG_FILES = Path("/usr/lib/debug/.build-id")
MAX_DEBUG = 1 << 29  # bytes of debug information that are read; beyond it there are no lines
_SYMBOL = np.dtype(
    [
        ("name", "<u4"),
        ("info", "u1"),
        ("other", "u1"),
        ("section", "<u2"),
        ("value", "<u8"),
        ("size", "<u8"),
    ]
)
_EXECUTABLE = 4  # SHF_EXECINSTR
_FUNCTION, _INDIRECT = 2, 10  # STT_FUNC, STT_GNU_IFUNC


LIBRARY = (
    "std::",
    "__gnu_cxx::",
    "__gthread",
    "Py_",
    "_Py_",
    "pybind11::",
    "nanobind::",
    "boost::python::",
)
"""How names of functions begin that a compiler makes of a header: a program's own code may have
been put into them, and is what they are known by."""


class Found(NamedTuple):
    """A place in native code; unknown parts are "" and 0."""

    function: str = ""
    file: str = ""
    line: int = 0


def resolve(path: bytes, build_id: bytes, offset: int) -> Found:
    """Look a return address up.

    Args:
        path: of the object that it lies in.
        build_id: that the object had.
        offset: of the return address in the object.

    Returns:
        Function, file and line of the call before it: that function's own line, not one of what
        the compiler has put into it, where the debug information tells them apart. If it is of a
        library's header, the innermost function in it that is not.
    """
    if not path or not build_id or not offset:
        return Found()
    found = Found()
    for name in (os.fsdecode(path), str(_debug_file(build_id))):
        image = _image(name, build_id)
        if image is None:
            continue
        function = found.function or demangle(image.function(offset - 1))
        file, line = (found.file, found.line) if found.file else image.line(offset - 1)
        found = Found(function, file, line)
        if is_of_library(function):
            found = image.own(offset - 1) or found
        if function and file:
            break
    return found


def resolve_member(path: bytes, build_id: bytes, offset: int) -> Found:
    """Look up which member of which class is the lock that a call takes.

    Args:
        path: of the object that the call lies in.
        build_id: that the object had.
        offset: of the call's return address in the object.

    Returns:
        The member in place of a function, and where it is declared.
    """
    for name in (os.fsdecode(path), str(_debug_file(build_id))) if path and build_id else ():
        image = _image(name, build_id)
        found = image.member(offset) if image else None
        if found:
            return found
    return Found()


def is_of_library(function: str) -> bool:
    """Return whether a function is made of a library's header; templates begin with their type."""
    return short_function(function).rpartition(" ")[2].startswith(LIBRARY)


def _debug_file(build_id: bytes) -> Path:
    """Where distributions put the debug information of an object."""
    text = build_id.hex()
    return DEBUG_FILES / text[:2] / f"{text[2:]}.debug"


@lru_cache(64)
def _image(path: str, build_id: bytes) -> _Image | None:
    """The object file, if it is there and the same."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - any text may be a path here
            return None
        image = _Image(path)
    except Exception:  # noqa: BLE001 - what is no sound object file says nothing, whatever it has
        return None
    return image if image.build_id == build_id else None


class _Image:
    """An object file.

    Attributes:
        build_id: as it says; empty if it does not.
    """

    def __init__(self, path: str) -> None:
        from elftools.elf.elffile import ELFFile  # noqa: PLC0415 - loaded on demand

        self._path = path
        with Path(path).open("rb") as file:
            elf = ELFFile(file)
            self.build_id = _build_id(elf)
            self._starts, self._ends, self._names, self._texts = _functions(elf)

    def function(self, address: int) -> str:
        """Symbol of the function that an address lies in, as it stands in the file; "" if none."""
        row = int(np.searchsorted(self._starts, np.uint64(address), side="right")) - 1
        if row < 0 or address >= int(self._ends[row]):
            return ""
        begin = int(self._names[row])
        return self._texts[begin : self._texts.find(b"\0", begin)].decode(errors="replace")

    def line(self, address: int) -> tuple[str, int]:
        """Source file and line of an address; ("", 0) if unknown."""
        try:
            return self._lines.find(address) if self._lines else ("", 0)
        except Exception:  # noqa: BLE001 - damaged debug information says nothing
            return "", 0

    def own(self, address: int) -> Found | None:
        """The innermost function inlined at an address that is of no library's header."""
        try:
            chain = self._lines.chain(address) if self._lines else []
        except Exception:  # noqa: BLE001 - damaged debug information says nothing
            return None
        named = [Found(demangle(name), file, line) for name, file, line in reversed(chain)]
        own = (one for one in named if one.function and not is_of_library(one.function))
        return next(own, None)

    def member(self, address: int) -> Found | None:
        """The member that is the lock which a call takes, by the address behind the call."""
        try:
            return self._lines.member(address) if self._lines else None
        except Exception:  # noqa: BLE001 - damaged debug information says nothing
            return None

    @cached_property
    def _lines(self) -> _Lines | None:
        from elftools.elf.elffile import ELFFile  # noqa: PLC0415 - loaded on demand

        with Path(self._path).open("rb") as file:
            elf = ELFFile(file)
            sizes = (s["sh_size"] for s in elf.iter_sections() if s.name.startswith(".debug"))
            if not elf.has_dwarf_info(strict=True) or sum(sizes) > MAX_DEBUG:
                return None
            # All of it is in memory from here on.
            code = [
                (section["sh_addr"], section.data())
                for section in elf.iter_sections()
                if section["sh_flags"] & _EXECUTABLE and section["sh_type"] == "SHT_PROGBITS"
            ]
            return _Lines(elf.get_dwarf_info(follow_links=False), code)


class _Lines:
    """Lines of the compilation units that were asked for."""

    def __init__(self, dwarf: Any, code: list[tuple[int, bytes]]) -> None:
        self._dwarf, self._code = dwarf, code
        # Program and (begin, end, number of the file, line), sorted, by offset of the unit.
        self._tables: dict[int, tuple[Any, list[tuple[int, int, int, int]]]] = {}
        self._inlined: dict[int, Unit] = {}

    def find(self, address: int) -> tuple[str, int]:
        """Source file and line of an address; ("", 0) if unknown."""
        unit = self._unit(address)
        if unit is None:
            return "", 0
        program, row = self._row(unit, address)
        if row is None:
            return "", 0
        file, line = self._inlined_in(unit).call(address) or row
        return _file(unit, program, file), line

    def chain(self, address: int) -> list[tuple[str, str, int]]:
        """Functions inlined at an address, the outermost first: name, source file and line."""
        unit = self._unit(address)
        if unit is None:
            return []
        program, row = self._row(unit, address)
        chain = self._inlined_in(unit).chain(address)
        places = [((file, line) if line else row) for _, file, line in chain]
        return [
            (name, *((_file(unit, program, place[0]), place[1]) if place else ("", 0)))
            for (name, _, _), place in zip(chain, places, strict=True)
        ]

    def member(self, address: int) -> Found | None:
        """The member that is the lock which a call takes, by the address behind the call."""
        unit = self._unit(address - 1)
        if unit is None:
            return None
        scopes = self._inlined_in(unit).scopes(address - 1)
        found = Calls(self._dwarf, unit, self._before).member(scopes, address)
        if found is None:
            return None
        program, _ = self._row(unit, address - 1)
        file = _file(unit, program, found.file) if program and found.file else ""
        return Found(found.name, file, found.line)

    def _before(self, address: int, size: int) -> bytes:
        """Return up to so many bytes of code before an address."""
        for begin, data in self._code:
            if begin <= address <= begin + len(data):
                return data[max(address - begin - size, 0) : address - begin]
        return b""

    def _row(self, unit: Any, address: int) -> tuple[Any, tuple[int, int] | None]:
        """The unit's line program, and number of the file and line of an address in it."""
        if unit.cu_offset not in self._tables:
            program = self._dwarf.line_program_for_CU(unit)
            self._tables[unit.cu_offset] = program, sorted(_rows(program) if program else ())
        program, table = self._tables[unit.cu_offset]
        row = bisect_right(table, address, key=itemgetter(0)) - 1
        if row < 0 or address >= table[row][1]:
            return program, None
        return program, table[row][2:]

    def _inlined_in(self, unit: Any) -> Unit:
        if unit.cu_offset not in self._inlined:
            self._inlined[unit.cu_offset] = Unit(self._dwarf, unit)
        return self._inlined[unit.cu_offset]

    @cached_property
    def _aranges(self) -> Any:
        return self._dwarf.get_aranges()

    def _unit(self, address: int) -> Any:
        offset = self._aranges.cu_offset_at_addr(address) if self._aranges else None
        return None if offset is None else self._dwarf.get_CU_at(offset)


def _rows(program: Any) -> Iterator[tuple[int, int, int, int]]:
    """(begin, end, number of the file, line) of the code of a line program."""
    before = None
    for entry in program.get_entries():
        state = entry.state
        if state is None:
            continue
        if before and before.address < state.address and before.line:
            yield before.address, state.address, before.file, before.line
        before = None if state.end_sequence else state


def _file(unit: Any, program: Any, number: int) -> str:
    header = program.header
    modern = header.version >= 5  # noqa: PLR2004 - from DWARF 5 on, files count from 0
    entry = header.file_entry[number if modern else number - 1]
    folders = [folder.decode(errors="replace") for folder in header.include_directory]
    top = unit.get_top_DIE().attributes.get("DW_AT_comp_dir")
    home = top.value.decode(errors="replace") if top else ""
    folder = [*([] if modern else [home]), *folders][entry.dir_index]
    return str(Path(home, folder, entry.name.decode(errors="replace")))


def _build_id(elf: Any) -> bytes:
    from elftools.elf.sections import NoteSection  # noqa: PLC0415 - loaded on demand

    for section in elf.iter_sections():
        for note in section.iter_notes() if isinstance(section, NoteSection) else ():
            if note["n_type"] == "NT_GNU_BUILD_ID":
                return bytes.fromhex(note["n_desc"])
    return b""


def _functions(elf: Any) -> tuple[U64, U64, U64, bytes]:
    """Starts, ends and offsets of names of all functions, sorted by start, and the names."""
    section = elf.get_section_by_name(".symtab") or elf.get_section_by_name(".dynsym")
    if section is None or elf.elfclass != 64 or not elf.little_endian:  # noqa: PLR2004 - bits
        none = np.zeros(0, np.uint64)
        return none, none, none, b""
    data = section.data()
    symbols = np.frombuffer(data[: len(data) // _SYMBOL.itemsize * _SYMBOL.itemsize], _SYMBOL)
    kind = symbols["info"] & 15
    functions = ((kind == _FUNCTION) | (kind == _INDIRECT)) & (symbols["section"] != 0)
    symbols = symbols[functions & (symbols["size"] > 0)]
    # Of several names for one place, the last global one is found.
    binding = symbols["info"] >> 4
    symbols = symbols[np.lexsort((binding, symbols["value"]))]
    texts: bytes = elf.get_section(section["sh_link"]).data()
    starts = symbols["value"].astype(np.uint64)
    return starts, starts + symbols["size"], symbols["name"].astype(np.uint64), texts
