"""The holder of the GIL, from a stack: a native function and its module, or Python code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gilscope.analysis.stacks import GLUE, python_function, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.trace.model import Frame

RUNTIME = re.compile(
    r"(ld-linux|libc|libdl|libpthread|librt|libm|libgcc_s|libstdc\+\+|libc\+\+|linux-vdso)[-.]"
)
"""Beginnings of the names of the system's own libraries."""

CALLERS = re.compile(r"(libffi|_ctypes|_cffi_backend)[-.]")
"""Libraries that call what the program names: never the cause themselves."""

INTERPRETER = re.compile(r"(libpython3|python3)[\d.]*")
"""The file name of the interpreter."""

CALLING = re.compile(
    r"method_vectorcall|cfunction_(vectorcall|call)|wrapper_call|wrapperdescr|slot_tp_|type_call"
    r"|vectorcall_|object_vacall|tp_new_wrapper|classmethod|builtin___build"
)
"""Beginnings of the interpreter's functions that only call what a line names."""

EVALUATION = "_PyEval_EvalFrameDefault"
"""The interpreter's loop, of which compilers put parts elsewhere."""


@dataclass(frozen=True, slots=True)
class HolderPlace:
    """A function that held the GIL.

    Attributes:
        function: its name for people; "" if nothing is known.
        module: of a native function the name of the loaded object, of Python code the source file.
        native: it is native code.
        interpreter: it is native code of the interpreter.
    """

    function: str
    module: str = ""
    native: bool = False
    interpreter: bool = False


def native_frames(frames: Sequence[Frame]) -> list[Frame]:
    """Return the native frames that no Python lies above, the innermost first."""
    natives = []
    for frame in frames:
        if not frame.native:
            break
        natives.append(frame)
    return natives


def native_holder(frames: Sequence[Frame]) -> HolderPlace:
    """Return the native function that Python called, or not native if there is none.

    Of the program's own functions it is the outermost one, so that all of its helpers count as it;
    else the function of the system that was called, else that of the interpreter.
    """
    natives = native_frames(frames)
    for chosen in (_own, _foreign, _runtime):
        found = [frame for frame in natives if chosen(frame)]
        if found:
            below = len(natives) < len(frames)
            # A native thread's outermost function is where it started.
            frame = found[-1] if below or chosen is _runtime else found[0]
            return HolderPlace(short(frame.name), base_name(frame.module), native=True)
    inner = next((frame for frame in natives if _interpreter(frame)), None)
    if inner is None or any(EVALUATION in frame.name for frame in natives):
        return HolderPlace("")
    called = [frame for frame in natives if not CALLING.match(frame.name)] or [inner]
    outer = [frame for frame in called if not _is_glue(frame.name)] or called[:1]
    name, module = short(outer[-1].name), base_name(outer[-1].module)
    return HolderPlace(name, module, native=True, interpreter=True)


def python_holder(frames: Sequence[Frame]) -> HolderPlace:
    """Return the Python function; without any name if there is none."""
    place = python_function(frames)
    return HolderPlace(place.name, place.file) if place.known else HolderPlace("")


def base_name(path: str) -> str:
    """Return the name of a file without its folder."""
    return path.rpartition("/")[2]


def _own(frame: Frame) -> bool:
    return _foreign(frame) and not _is_glue(frame.name)


def _foreign(frame: Frame) -> bool:
    name = base_name(frame.module)
    return not any(other.match(name) for other in (RUNTIME, CALLERS, INTERPRETER))


def _runtime(frame: Frame) -> bool:
    return RUNTIME.match(base_name(frame.module)) is not None


def _interpreter(frame: Frame) -> bool:
    return INTERPRETER.match(base_name(frame.module)) is not None


def _is_glue(name: str) -> bool:
    """Return whether a function, or what a template's instance returns, is a binding's own."""
    head = re.split(r"[(<]", name, maxsplit=1)[0]
    return head.rpartition(" ")[2].startswith(GLUE)
