"""Where things happen: Python functions, native call sites, stacks, entries into Python.

A trace may hold many thousands of these, so each is made from its definition when it is first
asked for. What refers to a definition may be damaged or come without it: a table answers every id,
with an empty object where the trace defines none.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gilscope.trace import format as fmt
from gilscope.trace.symbols import resolve

if TYPE_CHECKING:
    from collections.abc import Callable as Function
    from collections.abc import Collection, Iterator

MAX_STRING = 4096  # characters of a string that are kept; as long as a path can be
_NAMELESS = "?"


@dataclass(frozen=True, slots=True)
class Code:
    """A Python function.

    Attributes:
        id: number in the trace.
        file: as `co_filename` has it; "" if unknown.
        name: qualified name; "" if unknown.
        module: `__name__` of the globals it ran with; "" if unknown.
        first_line: where it begins; 0 if unknown.
    """

    id: int
    file: str = ""
    name: str = ""
    module: str = ""
    first_line: int = 0


@dataclass(frozen=True, slots=True)
class Module:
    """A loaded object: an extension module or a shared library.

    Attributes:
        id: number in the trace.
        path: of its file; "" if unknown.
        base: address that offsets count from.
        build_id: of the file, in hexadecimal; "" if unknown.
    """

    id: int
    path: str = ""
    base: int = 0
    build_id: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """A place in native code: a return address.

    Attributes:
        id: number in the trace.
        module: path of the object that it lies in; "" if unknown.
        offset: of the return address in that object; without an object the address itself.
        function: demangled; "" if not resolved. What the trace does not say is looked up in the
            object's file, if that is still there with the same build id.
        file: source file; "" if unknown.
        line: in that file; 0 if unknown.
    """

    id: int
    module: str = ""
    offset: int = 0
    function: str = ""
    file: str = ""
    line: int = 0

    @property
    def name(self) -> str:
        """The function, else the place in its object, such as "libfoo.so+0x1a2b"."""
        if self.function:
            return self.function
        if self.module:
            return f"{self.module.rpartition('/')[2]}+{self.offset:#x}"
        return f"{self.offset:#x}" if self.offset else _NAMELESS


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of a stack.

    Attributes:
        name: of the function; of native code without a symbol such as "libfoo.so+0x1a2b".
        file: source file; "" if unknown.
        line: in that file; 0 if unknown.
        native: native code, not Python.
        module: name of the Python module, or path of the loaded object; "" if unknown.
    """

    name: str
    file: str
    line: int
    native: bool
    module: str


@dataclass(frozen=True, slots=True)
class Entry:
    """Native code that entered Python.

    Attributes:
        id: number in the trace.
        site: the native function that did it.
        binding: one of `format.BINDINGS`: "pybind11", "C API", … or "unknown".
        stack: native frames, the innermost first; empty if unknown.
    """

    id: int
    site: Site
    binding: str = fmt.BINDINGS[0]
    stack: tuple[Frame, ...] = ()

    @property
    def function(self) -> str:
        """Name of the native function, or of its place."""
        return self.site.name

    @property
    def module(self) -> str:
        """Path of the object that the native function lies in; "" if unknown."""
        return self.site.module


@dataclass(frozen=True, slots=True)
class Callable:
    """What a callback called in Python.

    Attributes:
        id: number in the trace.
        name: qualified name; "" if unknown.
        module: "" if unknown.
        file: source file; "" of what is not written in Python, and if unknown.
        line: first line of the function; 0 if unknown.
    """

    id: int
    name: str = ""
    module: str = ""
    file: str = ""
    line: int = 0

    @property
    def label(self) -> str:
        """Module and name, such as "app.on_event"; "" if neither is known."""
        return ".".join(part for part in (self.module, self.name) if part)


class Table[T](Mapping[int, T]):
    """Definitions of one kind by id, each made when it is first asked for.

    Iteration and length are those of the defined ones; `table[id]` answers for any other id with an
    empty object.
    """

    def __init__(self, ids: Collection[int], make: Function[[int], T]) -> None:
        self._ids = ids
        self._make = make
        self._made: dict[int, T] = {}

    def __getitem__(self, key: int) -> T:
        found = self._made.get(key)
        if found is None:
            found = self._make(key)
            if key in self._ids:
                self._made[key] = found
        return found

    def get[D](self, key: int, default: D | None = None) -> T | D | None:  # type: ignore[override]
        """What is defined for the id, else the default."""
        return self[key] if key in self else default  # noqa: SIM401 - this is `get` itself

    def __contains__(self, key: object) -> bool:
        return key in self._ids

    def __iter__(self) -> Iterator[int]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)


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
        function = site.function or text(found.function.encode(), MAX_STRING)
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
        name = code.name or _NAMELESS
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


NOWHERE = PlaceTables(Places())
"""The tables of a trace that defines none."""


def text(raw: bytes, limit: int) -> str:
    """UTF-8 from the file, made harmless: replaced where it is none, printable, not too long."""
    shown = raw.decode(errors="replace")
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else "\ufffd" for c in shown)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
