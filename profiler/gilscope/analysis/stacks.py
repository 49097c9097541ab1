"""What stacks say about whole columns of intervals: the line of Python, the native function."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.text import short_function
from gilscope.trace.distinct import distinct

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from gilscope.trace.arrays import I64, U32
    from gilscope.trace.model import Frame, Trace

GLUE = (
    "pybind11::",
    "nanobind::",
    "boost::python::",
    "std::",
    "__gnu_cxx::",
    "__gthread",
    "Py",
    "_Py",
    "pthread_",
    "__pthread",
    "___pthread",
)
"""Beginnings of the names of functions between a program's own native code and Python."""

PACKAGE_FILES = ("__init__.py", "__main__.py")
"""Names that many files have."""

STANDARD = re.compile(r"<frozen |.*/lib(64)?/python3\.\d+t?/(?!(site|dist)-packages/)")
"""Beginnings of paths of the standard library."""

NO_STACK = "(no stack recorded)"
NO_PYTHON = "(native thread, no Python frame)"
NO_NATIVE = "(Python code)"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the program.

    Attributes:
        name: for people: "app.py:12 in work", or the name of a native function.
        file: source file, of a native function the loaded object; "" if unknown.
        line: in that file; 0 if unknown, and of a native function.
        known: it is a place, not a word for there being none.
    """

    name: str
    file: str = ""
    line: int = 0
    known: bool = True


short = short_function

type Locate = Callable[[Sequence[Frame]], Place]


def python_line(frames: Sequence[Frame]) -> Place:
    """Return the innermost line of Python in a stack."""
    frame = _innermost_python(frames)
    if isinstance(frame, Place):
        return frame
    return Place(f"{_file_name(frame.file)}:{frame.line} in {frame.name}", frame.file, frame.line)


def program_line(frames: Sequence[Frame]) -> Place:
    """Return the innermost line of the program's own Python, else the innermost line of Python."""
    python = [frame for frame in frames if not frame.native]
    own = next((frame for frame in python if _is_own(frame)), None)
    return python_line([own] if own else python)


def python_function(frames: Sequence[Frame]) -> Place:
    """Return the innermost function of Python in a stack, wherever in it the stack was taken."""
    frame = _innermost_python(frames)
    if isinstance(frame, Place):
        return frame
    return Place(f"{frame.name} ({_file_name(frame.file)})", frame.file)


def _innermost_python(frames: Sequence[Frame]) -> Frame | Place:
    """Return the innermost frame of Python, or the place that stands for none."""
    found = next((frame for frame in frames if not frame.native), None)
    return found or Place(NO_PYTHON if frames else NO_STACK, known=False)


def _file_name(path: str) -> str:
    """Return the last part of a path, of the file of a package with the package."""
    folder, _, name = path.rpartition("/")
    package = folder.rpartition("/")[2]
    return f"{package}/{name}" if package and name in PACKAGE_FILES else name or "?"


def native_function(frames: Sequence[Frame]) -> Place:
    """Return the innermost native function of the program's own that no Python lies above.

    A binding's own functions are passed over, unless there are no others.
    """
    if not frames:
        return Place(NO_STACK, known=False)
    natives = []
    for frame in frames:
        if not frame.native:
            break
        natives.append(frame)
    if not natives:
        return Place(NO_NATIVE, known=False)
    own = next((frame for frame in natives if not is_glue(frame.name)), natives[0])
    # Not its line: a function is one place, wherever in it a stack was taken.
    return Place(own.name, own.module)


def is_glue(function: str) -> bool:
    """Return whether a native function is a binding's; templates begin with their type."""
    return short(function).rpartition(" ")[2].startswith(GLUE)


def innermost(frames: Sequence[Frame]) -> Place:
    """Return the native function if there is one, else the line of Python."""
    place = native_function(frames)
    return place if place.known else python_line(frames)


def located[At: Hashable](
    trace: Trace, stacks: U32, locate: Callable[[Sequence[Frame]], At]
) -> tuple[I64, list[At]]:
    """Return the number of each stack's place, i64[n], and the places.

    Only stacks that differ are looked at, each once.
    """
    used, rows = distinct(stacks)
    numbers: dict[At, int] = {}
    table = np.array(
        [numbers.setdefault(locate(trace.stacks[s]), len(numbers)) for s in used.tolist()], np.int64
    )
    return table[rows] if len(table) else np.zeros(0, np.int64), list(numbers)


def called_from(frames: Sequence[Frame]) -> str:
    """Return where a stack was taken, and the innermost line of the program's own behind that."""
    inner = innermost(frames)
    words = inner.name if inner.line else short(inner.name)
    python = [frame for frame in frames if not frame.native]
    # A line is the first of these itself.
    behind = python[1:] if inner.line else python
    own = next((frame for frame in behind if _is_own(frame)), None)
    return f"{words}, called from {python_line([own]).name}" if own else words


def own_line(frames: Sequence[Frame]) -> Place:
    """Return the innermost line of Python that is the program's own, else the innermost one."""
    own = [frame for frame in frames if not frame.native and _is_own(frame)]
    return python_line(own or frames)


def _is_own(frame: Frame) -> bool:
    """Return whether a frame is neither of the standard library nor of what ran the program."""
    ours = frame.module.startswith("gilscope.") or frame.file.endswith("/gilscope/__main__.py")
    return not ours and not STANDARD.match(frame.file)
