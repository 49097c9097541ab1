"""Where things happen: Python functions, native call sites, stacks, entries into Python.

A trace may hold many thousands of these, so each is made from its definition when it is first
asked for. What refers to a definition may be damaged or come without it: a table answers every id,
with an empty object where the trace defines none.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace

from gilscope.trace import format as fmt
from gilscope.trace.model.places import NAMELESS, Callable, Code, Entry, Frame, Module, Site, Table
from gilscope.trace.reading.symbols import is_of_library, resolve, resolve_member

MAX_STRING = 4096  # characters of a string that are kept; as long as a path can be


@dataclass(slots=True)
class Places:
    """Definitions of places as the file has them: numbers, by id.

    Attributes:
        strings: UTF-8.
        codes: (first line, file, name, module), the last three strings.
        stacks: pairs of u32, as in the file.
        modules: (path, base, build id).
        sites: (module, offset, function, file, line).
        entries: (site, binding, stack).
        callables: (code, name, module).
    """

    strings: dict[int, bytes] = field(default_factory=dict)
    codes: dict[int, tuple[int, int, int, int]] = field(default_factory=dict)
    stacks: dict[int, bytes] = field(default_factory=dict)
    modules: dict[int, tuple[int, int, bytes]] = field(default_factory=dict)
    sites: dict[int, tuple[int, int, int, int, int]] = field(default_factory=dict)
    entries: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    callables: dict[int, tuple[int, int, int]] = field(default_factory=dict)


class PlaceTables:
    """The tables of a trace; each refers to the others.

    Attributes:
        codes, modules, sites, stacks, entries, callables: by id.
    """

    def __init__(self, raw: Places) -> None:
        self._raw = raw
        self._strings = Table(raw.strings, self._string)
        self.codes = Table(raw.codes, self._code)
        self.modules = Table(raw.modules, self._module)
        self.sites = Table(raw.sites, self._site)
        self.stacks = Table(raw.stacks, self._stack)
        self.entries = Table(raw.entries, self._entry)
        self.callables = Table(raw.callables, self._callable)

    def string(self, number: int) -> str:
        """A string of the trace, made harmless; "" if there is none."""
        return self._strings[number]

    def lock_member(self, stack: int) -> tuple[str, str, int]:
        """The member of a class that is the lock which the innermost frame of a stack takes.

        Returns:
            Its name, and file and line of its declaration; "" and 0 where that is unknown.
        """
        what = int.from_bytes(self._raw.stacks.get(stack, b"")[:4], "little")
        site = self._raw.sites.get(what & ~fmt.SITE_FRAME) if what & fmt.SITE_FRAME else None
        module = self._raw.modules.get(site[0]) if site else None
        if site is None or module is None:
            return "", "", 0
        path, _, build_id = module
        found = resolve_member(self._raw.strings.get(path, b""), build_id, site[1])
        name, file = (text(part.encode(errors="replace"), MAX_STRING) for part in found[:2])
        return name, file, found.line

    def _string(self, number: int) -> str:
        return text(self._raw.strings.get(number, b""), MAX_STRING)

    def _code(self, number: int) -> Code:
        if number not in self._raw.codes:
            return Code(number)
        line, *texts = self._raw.codes[number]
        file, name, module = map(self.string, texts)
        return Code(number, file, name, module, line)

    def _module(self, number: int) -> Module:
        if number not in self._raw.modules:
            return Module(number)
        path, base, build_id = self._raw.modules[number]
        return Module(number, self.string(path), base, build_id.hex())

    def _site(self, number: int) -> Site:
        if number not in self._raw.sites:
            return Site(number)
        module, offset, function, file, line = self._raw.sites[number]
        path = self.modules[module].path if module else ""
        site = Site(number, path, offset, self.string(function), self.string(file), line)
        return site if site.function and site.file else self._looked_up(site, module)

    def _looked_up(self, site: Site, module: int) -> Site:
        """The site with what the object file says of it."""
        path, _, build_id = self._raw.modules.get(module, (0, 0, b""))
        found = resolve(self._raw.strings.get(path, b""), build_id, site.offset)
        own = text(found.function.encode(), MAX_STRING)
        known = site.function and not is_of_library(site.function)
        function = site.function if known else own or site.function
        if site.file or not found.file:
            return replace(site, function=function)
        file = text(found.file.encode(errors="replace"), MAX_STRING)
        return replace(site, function=function, file=file, line=found.line)

    def _stack(self, number: int) -> tuple[Frame, ...]:
        frames = self._raw.stacks.get(number, b"")
        return tuple(self._frame(what, line) for what, line in struct.iter_unpack("<II", frames))

    def _frame(self, what: int, line: int) -> Frame:
        if what & fmt.SITE_FRAME:
            site = self.sites[what & ~fmt.SITE_FRAME]
            return Frame(site.name, site.file, line or site.line, native=True, module=site.module)
        code = self.codes[what]
        name = code.name or NAMELESS
        return Frame(name, code.file, line, native=False, module=code.module)

    def _entry(self, number: int) -> Entry:
        if number not in self._raw.entries:
            return Entry(number, Site(0))
        site, binding, stack = self._raw.entries[number]
        kind = fmt.BINDINGS.get(binding, fmt.BINDINGS[0])
        return Entry(number, self.sites[site], kind, self.stacks[stack])

    def _callable(self, number: int) -> Callable:
        if number not in self._raw.callables:
            return Callable(number)
        code_id, name, module = self._raw.callables[number]
        code = self.codes[code_id] if code_id else Code(0)
        return Callable(
            number,
            self.string(name) or code.name,
            self.string(module) or code.module,
            code.file,
            code.first_line,
        )


def text(raw: bytes, limit: int) -> str:
    """UTF-8 from the file, made harmless: replaced where it is none, printable, not too long."""
    shown = raw.decode(errors="replace")
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else "\ufffd" for c in shown)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
