"""Native stacks of threads that sleep, read from their memory alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from gilscope.demangling import demangle
from gilscope.target.hangs.call_sites import called
from gilscope.target.hangs.elf import Image, NoObjectFileError
from gilscope.target.hangs.process import UnreadableError
from gilscope.target.hangs.unwinding import NoRuleError, find_rule

if TYPE_CHECKING:
    from gilscope.target.hangs.process import Mapping, Process

MOST_FRAMES = 200
_RBP, _RSP = 6, 7


@dataclass(frozen=True)
class NativeFrame:
    """A frame of native code, innermost first in a stack.

    Attributes:
        pc: Where it goes on.
        path: The object that it lies in; "" if that is no file.
        symbol: As the object has it, else of the function that was called and jumped there; ""
            if unknown.
        begin: Where the function begins, in the process: tells functions without a name.
        offset: Of the call in the object.
        sp: Where the frame begins on the stack.
    """

    pc: int
    path: str
    symbol: str
    begin: int
    offset: int
    sp: int

    @property
    def module(self) -> str:
        """The object's short name."""
        return Path(self.path).name if self.path else "?"

    @property
    def function(self) -> str:
        """The name as its source has it; "" if unknown."""
        return demangle(self.symbol)


class NativeStacks:
    """Unwinds the threads of one process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._images: dict[str, tuple[Image, int] | None] = {}

    def stack(self, pc: int, sp: int) -> list[NativeFrame]:
        """Return the stack of a thread that sleeps with these registers, as far as it is known."""
        frames = self._unwound(pc, sp)
        for i, outer in enumerate(frames[1:]):
            if not frames[i].symbol and frames[i].path != outer.path:
                symbol = called(self._process, self.image, outer.pc)
                frames[i] = replace(frames[i], symbol=symbol)
        return frames

    def _unwound(self, pc: int, sp: int) -> list[NativeFrame]:
        frames: list[NativeFrame] = []
        rbp: int | None = None
        innermost = True
        while len(frames) < MOST_FRAMES:
            found = self.image(pc)
            if found is None:
                break
            image, bias = found
            # A return address may be the first one after a function that does not return.
            place = pc - bias - (not innermost)
            mapping = self._process.mapping(pc)
            path = mapping.path if mapping else ""
            try:
                rule = find_rule(image, place)
            except NoRuleError:
                frames.append(NativeFrame(pc, path, image.function(place), 0, place, sp))
                break
            begin = rule.begin + bias
            frames.append(NativeFrame(pc, path, image.function(place), begin, place, sp))
            try:
                cfa = self._frame_address(rule.base, rule.offset, sp, rbp, deref=rule.deref)
                if cfa is None or rule.ra is None or cfa <= sp:
                    break
                pc = self._process.number(cfa + rule.ra)
                if not rule.rbp_known:
                    rbp = None
                elif rule.rbp is not None:
                    rbp = self._process.number(cfa + rule.rbp)
            except UnreadableError:
                break
            sp, innermost = cfa, False
        return frames

    def _frame_address(
        self, base: int, offset: int, sp: int, rbp: int | None, *, deref: bool
    ) -> int | None:
        if base == _RSP:
            return sp + offset
        if base != _RBP or rbp is None:
            return None
        return self._process.number(rbp + offset) if deref else rbp + offset

    def image(self, address: int) -> tuple[Image, int] | None:
        """Return the object that an address lies in, and what is added to addresses in it."""
        mapping = self._process.mapping(address)
        if mapping is None or not mapping.path.startswith("/"):
            return None
        if mapping.path not in self._images:
            self._images[mapping.path] = self._open(mapping)
        return self._images[mapping.path]

    def _open(self, mapping: Mapping) -> tuple[Image, int] | None:
        try:
            image = _image(self._process.file(mapping.path))
            bias = image.bias(mapping.begin, mapping.offset)
            address, offset, size = image.note
            # The file may have been replaced since: what is mapped counts.
            note = image.data[offset : offset + size]
            if size and self._process.read(bias + address, size) != note:
                return None
        except (OSError, ValueError, NoObjectFileError, UnreadableError):
            return None
        return image, bias

    def objects(self) -> dict[str, tuple[Image, int]]:
        """Return the mapped objects that may be the interpreter, by their names."""
        found = {}
        for mapping in self._process.maps:
            if "python" in Path(mapping.path).name and mapping.path not in found:
                image = self.image(mapping.begin)
                if image:
                    found[mapping.path] = image
        return found


def _image(path: str) -> Image:
    status = Path(path).stat()
    return _image_of(path, status.st_ino, status.st_mtime_ns)


def is_c_library(module: str) -> bool:
    """Whether a short name of an object is the C library's or the dynamic loader's."""
    return module.startswith(("libc.", "libpthread", "ld-"))


@lru_cache(256)
def _image_of(path: str, _inode: int, _changed: int) -> Image:
    return Image(path)
