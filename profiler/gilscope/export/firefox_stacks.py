"""Stacks for the Firefox profiler: tables of stacks, frames and functions that share parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.trace.model import Frame

NO_STACK = -1
NO_RESOURCE = NO_ADDRESS = -1


class Strings:
    """Strings of a profile, each of them once.

    Attributes:
        all: by number.
    """

    def __init__(self) -> None:
        self.all: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, string: str) -> int:
        """The number of this string."""
        if string not in self._numbers:
            self._numbers[string] = len(self.all)
            self.all.append(string)
        return self._numbers[string]


class Stacks:
    """The stacks of one thread.

    Args:
        strings: of the profile.
        category: number of what Python's frames are, and of what native ones are.
    """

    def __init__(self, strings: Strings, category: tuple[int, int]) -> None:
        self._strings = strings
        self._category = category
        # A row may be asked for again; the order is that in which they were met.
        self._functions: dict[tuple[int, int | None], int] = {}
        self._frames: dict[tuple[int, int | None, bool], int] = {}
        self._stacks: dict[tuple[int, int], int] = {}

    def number(self, frames: Sequence[Frame]) -> int:
        """The number of a stack (the innermost frame first); `NO_STACK` for an empty one."""
        prefix = NO_STACK
        for frame in reversed(frames):
            row = (prefix, self._frame(frame))
            prefix = self._stacks.setdefault(row, len(self._stacks))
        return prefix

    def tables(self) -> dict[str, Any]:
        """All tables that belong to stacks, for a thread of version 57."""
        kinds = [self._category[native] for _, _, native in self._frames]
        prefixes = [None if prefix == NO_STACK else prefix for prefix, _ in self._stacks]
        frames = [frame for _, frame in self._stacks]
        return {
            "stackTable": _table(
                len(frames),
                frame=frames,
                category=[kinds[frame] for frame in frames],
                subcategory=0,
                prefix=prefixes,
            ),
            "frameTable": _table(
                len(kinds),
                address=NO_ADDRESS,
                category=kinds,
                subcategory=0,
                func=[function for function, _, _ in self._frames],
                innerWindowID=None,
                implementation=None,
                optimizations=None,
                line=[line for _, line, _ in self._frames],
                column=None,
                inlineDepth=0,
                nativeSymbol=None,
            ),
            "funcTable": _table(
                len(self._functions),
                name=[name for name, _ in self._functions],
                isJS=False,
                relevantForJS=False,
                resource=NO_RESOURCE,
                fileName=[file for _, file in self._functions],
                lineNumber=None,
                columnNumber=None,
            ),
            "resourceTable": _table(0, lib=None, name=None, host=None, type=None),
            "nativeSymbols": _table(0, libIndex=None, address=None, name=None, functionSize=None),
        }

    def _frame(self, frame: Frame) -> int:
        file = frame.file or frame.module
        function = (
            self._strings.number(frame.name),
            self._strings.number(file) if file else None,
        )
        known = self._functions.setdefault(function, len(self._functions))
        row = (known, frame.line or None, frame.native)
        return self._frames.setdefault(row, len(self._frames))


def _table(length: int, **columns: Any) -> dict[str, Any]:
    """A table; a column that is no list has the same in all rows."""
    rows = {
        name: values if isinstance(values, list) else [values] * length
        for name, values in columns.items()
    }
    return {**rows, "length": length}
