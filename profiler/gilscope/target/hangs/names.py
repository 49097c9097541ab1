"""What objects are called where a thread stands, and which code is whose."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from gilscope.target.hangs.process import WORD, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.target.hangs.interpreter import Interpreter, PythonFrame

LOCKS = {"_thread.lock": "threading.Lock", "_thread.RLock": "threading.RLock"}
_STDLIB = re.compile(r"/python3\.\d+t?/(?!site-packages/|dist-packages/)|^<frozen ")
_SYSTEM = re.compile(
    r"/(libc|libstdc\+\+|libpthread|libm|libgcc_s|ld-linux[^/]*|libgomp|libffi|libdl|librt)[.-]"
    r"|/lib-dynload/|/gilscope/_(probe|order|races)\."
)
_BINDING = re.compile(r"(\S* )?(pybind11|nanobind|boost::python|Boost|pyo3|std)::|_FUN$|__pyx_pw_")
_OWN = str(Path(__file__).parents[2])
# Another environment's, too: `gilscope dump` need not be of that of the process.
_INSTALLED = re.compile(r"/(site|dist)-packages/gilscope/|/gilscope/_(probe|order|races)\.")
_NEAREST = 6  # frames whose variables are looked at
_NAMELESS = {"self", "cls", "_"}  # local variables whose names say nothing
_PLAIN = {"module", "type", "function", "str", "int", "dict", "list", "tuple", "NoneType"}


def is_library(file: str) -> bool:
    """Whether Python code is of the standard library, frozen, or gilscope's."""
    return bool(_STDLIB.search(file)) or is_own(file)


def is_system(path: str) -> bool:
    """Whether native code is of a system library or the interpreter."""
    name = Path(path).name
    return not path or name.startswith(("python", "libpython")) or bool(_SYSTEM.search(path))


def is_own(path: str) -> bool:
    """Whether code, Python's or native, is gilscope's: it says nothing of the program."""
    return path.startswith(_OWN) or bool(_INSTALLED.search(path))


def is_binding(function: str) -> bool:
    """Whether a function is one of a binding library, which says nothing of the program."""
    return bool(_BINDING.match(function))


def variables_near(interpreter: Interpreter, stack: list[PythonFrame]) -> Iterator[tuple[str, int]]:
    """Yield names and objects where a thread stands: locals and their attributes, then globals."""
    frames = _nearest(stack)
    for frame in frames:
        try:
            found = interpreter.variables(frame)
        except UnreadableError:
            continue
        yield from found
        for name, value in found:
            yield from _attributes(interpreter, name, value)
    seen = set()
    for frame in frames:
        try:
            module = interpreter.globals_of(frame)
            if module in seen:
                continue
            seen.add(module)
            found = list(interpreter.objects.globals(module))
        except UnreadableError:
            continue
        yield from found
        for name, value in found:
            if not name.startswith("__"):
                yield from _attributes(interpreter, name, value)


def _nearest(stack: list[PythonFrame]) -> list[PythonFrame]:
    return [f for f in stack if not is_library(f.file)][:_NEAREST] or stack[:_NEAREST]


def _attributes(interpreter: Interpreter, name: str, value: int) -> Iterator[tuple[str, int]]:
    objects = interpreter.objects
    try:
        if objects.type_name(value) in _PLAIN:
            return
        for attribute, found in objects.attributes(value):
            yield f"{name}.{attribute}", found
    except UnreadableError:
        return


def name_of(interpreter: Interpreter, stack: list[PythonFrame], address: int) -> str:
    """Return what holds an object where a thread stands; "" if nothing does.

    As traces name locks: a global variable is ``module.NAME``, an attribute ``Type.name``, and only
    if there is none of these it is a local variable. Of the script, whose file stands beside it, a
    global variable is ``NAME``.
    """
    frames = _nearest(stack)
    modules = _modules(interpreter, frames)
    local: list[tuple[str, int]] = []
    for frame in reversed(frames):  # the outermost one counts
        with contextlib.suppress(UnreadableError):
            local += interpreter.variables(frame)
    names = [name for name, value in local if value == address and name not in _NAMELESS]
    return (
        next((f"{module}{n}" for module, found in modules for n, v in found if v == address), "")
        or _attribute(interpreter, local, address)
        or next((n for _, found in modules if (n := _attribute(interpreter, found, address))), "")
        or (names[-1] if names else "")
    )


def _modules(
    interpreter: Interpreter, frames: list[PythonFrame]
) -> list[tuple[str, list[tuple[str, int]]]]:
    """Return prefix and global variables of the modules that frames are of, each module once."""
    found: dict[int, tuple[str, list[tuple[str, int]]]] = {}
    for frame in frames:
        with contextlib.suppress(UnreadableError):
            module = interpreter.globals_of(frame)
            if module not in found:
                variables = list(interpreter.objects.globals(module))
                name = interpreter.objects.text(dict(variables).get("__name__", 0))
                shown = [(n, value) for n, value in variables if not n.startswith("__")]
                found[module] = "" if name == "__main__" else f"{name}.", shown
    return list(found.values())


def _attribute(interpreter: Interpreter, variables: list[tuple[str, int]], address: int) -> str:
    """Return which attribute of an object in a variable holds another one: ``Type.name``."""
    for _, value in variables:
        with contextlib.suppress(UnreadableError):
            kind = interpreter.objects.type_name(value)
            if kind in _PLAIN:
                continue
            for attribute, found in interpreter.objects.attributes(value):
                if found == address:
                    return f"{kind}.{attribute}"
    return ""


def lock_with_semaphore(interpreter: Interpreter, stack: list[PythonFrame], semaphore: int) -> int:
    """Return the lock object near a thread whose lock is this semaphore; 0 if there is none."""
    candidates = [value for _, value in variables_near(interpreter, stack)]
    for frame in stack[:_NEAREST]:
        try:
            candidates += interpreter.stacked(frame)
            candidates += [value for _, value in interpreter.variables(frame)]
        except UnreadableError:
            continue
    for value in candidates:
        if is_lock(interpreter, value):
            first = interpreter.process.number(value + interpreter.offsets.head)
            if first == semaphore:
                return value
    return 0


def called_function(interpreter: Interpreter, frame: PythonFrame) -> str:
    """Return the function in C that a frame calls; "" unless there is only one on its stack."""
    names = set()
    for value in interpreter.stacked(frame):
        try:
            if value and interpreter.objects.type_name(value) == "builtin_function_or_method":
                names.add(_c_function(interpreter, value))
        except UnreadableError:
            continue
    return names.pop() if len(names) == 1 else ""


def _c_function(interpreter: Interpreter, address: int) -> str:
    """Return the name of a function in C: m_ml, m_self and m_module follow its head."""
    read, head = interpreter.process.number, address + interpreter.offsets.head
    name = interpreter.process.text(read(read(head)))
    module = read(head + 2 * WORD)
    return f"{interpreter.objects.text(module)}.{name}" if module else name


def is_lock(interpreter: Interpreter, address: int) -> bool:
    """Whether an object is a lock of the module _thread."""
    try:
        return bool(address) and interpreter.objects.type_name(address) in LOCKS
    except UnreadableError:
        return False


def rlock_owner(interpreter: Interpreter, address: int) -> int:
    """Return who has an RLock (a pthread id); 0 if nobody.

    Its owner follows the lock itself in all versions, and is 0 while nobody has it.
    """
    try:
        return interpreter.process.number(address + interpreter.offsets.head + WORD)
    except UnreadableError:
        return 0


def lock_name(interpreter: Interpreter, stack: list[PythonFrame], address: int) -> str:
    """Return kind and name of a lock object, such as ``threading.Lock `lock```."""
    try:
        kind = LOCKS.get(interpreter.objects.type_name(address), "a lock")
    except UnreadableError:
        return "a lock"
    name = name_of(interpreter, stack, address)
    return f"{kind} `{name}`" if name else f"a {kind}"
