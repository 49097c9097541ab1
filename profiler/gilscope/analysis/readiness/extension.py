"""Reads the file of one extension module; never loads it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from gilscope.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RELA = struct.Struct("<QQq")  # place, kind and symbol, addend
SYMBOL = struct.Struct("<IBBHQQ")  # name, kind, visibility, section, value, size
OBJECT = 1
RESERVED = 0xFF00  # sections from here on are none
SLOT = struct.Struct("<iiQ")  # an int, what aligns the next one, a pointer
GIL_SLOT, NOT_USED, USED = 4, 1, 0
HIGHEST_SLOT = 16  # later versions have more than today's; those of types have higher numbers
MOST_SLOTS = 64
WRITABLE, EXECUTABLE = 1, 4
RELATIVE = {"EM_X86_64": 8, "EM_AARCH64": 1027}
ABSOLUTE = {"EM_X86_64": 1, "EM_AARCH64": 257}


@dataclass(frozen=True)
class Variable:
    """A variable that can be changed, with its size in bytes."""

    name: str
    size: int
    section: str


@dataclass(frozen=True)
class Extension:
    """One file.

    Attributes:
        path: Of the file.
        modules: Names of the modules that it has.
        gil: ``not used``, ``used`` (both declared), ``not declared``, or ``set at run time``: it
            calls the function that declares it, with what cannot be known from the file.
        imports: Names of the functions and variables that it takes from others.
        variables: That can be changed; None if the file has no names of them.
    """

    path: Path
    modules: tuple[str, ...]
    gil: str
    imports: frozenset[str]
    variables: tuple[Variable, ...] | None


RELOCATABLE = "an object file, which is linked into modules"
WITHOUT_ELF = {
    b"\x7fELF": "",
    b"": "empty",
    b"!<ar": "a static library, which is linked into modules",
    b"PK\x03\x04": "a zip archive; a wheel has a name that ends with .whl",
}
"""What a file is, by the bytes that it begins with."""


def read(path: Path) -> Extension:
    """Read a file.

    Raises:
        UsageError: It is no ELF file for this kind of processor, or it is damaged.
    """
    try:
        with path.open("rb") as file:
            if what := WITHOUT_ELF.get(file.read(4), "no ELF file"):
                raise UsageError(f"{path} is no extension module: it is {what}")
            elf = ELFFile(file)
            if elf["e_type"] == "ET_REL":
                raise UsageError(f"{path} is no extension module: it is {RELOCATABLE}")
            if elf.elfclass != 64 or not elf.little_endian:  # noqa: PLR2004 - bits
                raise UsageError(f"{path}: only 64-bit little-endian files can be read")
            return _extension(path, elf)
    except (ELFError, struct.error, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is not a readable extension module: {error}") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def _extension(path: Path, elf: Any) -> Extension:
    imports, names = _dynamic_names(elf)
    modules = [one.removeprefix("PyInit_") for one in names if one.startswith("PyInit_")]
    if not modules:  # a library that a module is linked with: nothing here is about those
        return Extension(path, (), "no module", frozenset(), ())
    return Extension(
        path, tuple(sorted(modules)), _gil(elf, imports), frozenset(imports), _variables(elf)
    )


def _dynamic_names(elf: Any) -> tuple[set[str], set[str]]:
    """Return the symbols that a file imports, and those that it exports."""
    table = elf.get_section_by_name(".dynsym")
    if table is None:
        return set(), set()
    texts = elf.get_section(table["sh_link"]).data()
    imports, exports = set[str](), set[str]()
    for name, _, _, section, _, _ in SYMBOL.iter_unpack(table.data()):
        text = texts[name : texts.index(b"\0", name)].decode("utf-8", "replace")
        (exports if section else imports).add(text)
    return imports, exports


# --- What it declares -----------------------------------------------------------------------------


def _gil(elf: Any, imports: set[str]) -> str:
    arrays = [dict(slots) for slots in _arrays_of_slots(elf)]
    declared = {slots[GIL_SLOT] for slots in arrays if GIL_SLOT in slots}
    if USED in declared:
        return "used"
    if NOT_USED in declared:
        return "not used"
    # One that is initialised in phases has slots: those that are not in the file are filled later.
    is_filled_later = "PyModuleDef_Init" in imports and not arrays
    if is_filled_later or "PyUnstable_Module_SetGIL" in imports:
        return "set at run time"
    return "not declared"


def _arrays_of_slots(elf: Any) -> Iterator[list[tuple[int, int]]]:
    """Yield the arrays of a module's slots that something points to: numbers and values."""
    pointers, targets = _pointers(elf)
    for section in elf.iter_sections():
        flags = section["sh_flags"]
        if not section.name.startswith((".data", ".rodata")) or flags & EXECUTABLE:
            continue
        data, base = section.data(), section["sh_addr"]
        here = [target for target in targets if base <= target < base + len(data)]
        found = (_slots(data, target - base, target, pointers) for target in here)
        yield from (slots for slots in found if slots)


def _slots(
    data: bytes, offset: int, address: int, pointers: dict[int, int]
) -> list[tuple[int, int]]:
    """Return the array of slots at a place; empty if it is none."""
    found: list[tuple[int, int]] = []
    for _ in range(MOST_SLOTS):
        if offset + SLOT.size > len(data):
            return []
        slot, padding, value = SLOT.unpack_from(data, offset)
        value = pointers.get(address + 8, value)
        if slot == 0 and value == 0 and address + 8 not in pointers:
            return found
        if padding or not 0 < slot <= HIGHEST_SLOT:
            return []
        if slot == GIL_SLOT and (value not in (USED, NOT_USED) or address + 8 in pointers):
            return []
        found.append((slot, value))
        offset += SLOT.size
        address += SLOT.size
    return []


def _pointers(elf: Any) -> tuple[dict[int, int], set[int]]:
    """Return the relocations (place → address), and all addresses that the file refers to."""
    machine = elf["e_machine"]
    written: dict[int, int] = {}
    symbols = elf.get_section_by_name(".dynsym")
    for section in elf.iter_sections("SHT_RELA"):
        for offset, info, addend in RELA.iter_unpack(section.data()):
            kind = info & 0xFFFFFFFF
            if kind == RELATIVE.get(machine):
                written[offset] = addend
            elif kind == ABSOLUTE.get(machine) and symbols:
                written[offset] = symbols.get_symbol(info >> 32)["st_value"] + addend
    targets = set(written.values())
    if elf.get_section_by_name(".relr.dyn"):  # packed ones stand in the data itself
        for section in elf.iter_sections():
            if section["sh_type"] == "SHT_PROGBITS" and section["sh_flags"] & WRITABLE:
                data = section.data()
                targets.update(word for (word,) in struct.iter_unpack("<Q", data[: len(data) & ~7]))
    targets.discard(0)
    return written, targets


# --- What it keeps --------------------------------------------------------------------------------


def _variables(elf: Any) -> tuple[Variable, ...] | None:
    table = elf.get_section_by_name(".symtab")
    if table is None:
        return None
    texts = elf.get_section(table["sh_link"]).data()
    sections = [section.name for section in elf.iter_sections()]
    found = []
    for name, kind, _, index, _, size in SYMBOL.iter_unpack(table.data()):
        if kind & 0xF != OBJECT or not size or not 0 < index < min(RESERVED, len(sections)):
            continue
        section = sections[index]
        if section.startswith((".data", ".bss")) and not section.startswith(".data.rel.ro"):
            text = texts[name : texts.index(b"\0", name)].decode("utf-8", "replace")
            found.append(Variable(text, size, section))
    return tuple(sorted(found, key=lambda one: (one.name, one.size)))
