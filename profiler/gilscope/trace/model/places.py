"""Where things happen: Python functions, native call sites, stacks, entries into Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gilscope.trace import format as fmt

if TYPE_CHECKING:
    from collections.abc import Callable as Function
    from collections.abc import Collection, Iterator

NAMELESS = "?"


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
        return f"{self.offset:#x}" if self.offset else NAMELESS


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
    """The Python function that a callback called.

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
        """Return the definition of the id, or the default."""
        return self[key] if key in self else default  # noqa: SIM401 - this is `get` itself

    def __contains__(self, key: object) -> bool:
        return key in self._ids

    def __iter__(self) -> Iterator[int]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)
