"""Runs a program in this interpreter as ``python PROGRAM`` would.

Standard library only: this is the part that shares a process with the program under test.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import importlib.machinery
import importlib.util
import linecache
import marshal
import os
import shlex
import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope.errors import TargetError
from gilscope.target.worker import shadows
from gilscope.target.worker.ending import Outcome, failure, leave, wait_for_threads

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from importlib.machinery import ModuleSpec
    from types import CodeType

    from gilscope.target.worker.carried import Carried

WAITS = 0x80  # inspect.CO_COROUTINE, of code with an `await` at its top


@dataclass(frozen=True)
class Target:
    """A program.

    Attributes:
        kind: ``script`` (a path), ``module`` (a name) or ``code`` (source text).
        value: The path, the name or the text.
        args: What the program finds in ``sys.argv[1:]``.
        filename: For ``code``: the name that stands in tracebacks.
        carried: For ``code``: names that are made known to it before it is measured. Code that has
            them is a notebook's cell: its last expression is shown, and it may wait at its top.
    """

    kind: str
    value: str
    args: tuple[str, ...] = ()
    filename: str = "<string>"
    carried: Carried | None = None

    @property
    def stem(self) -> str:
        """A short name for files that belong to the program."""
        if self.kind == "code":
            return "code"
        return self.value if self.kind == "module" else Path(self.value).resolve().stem

    @property
    def title(self) -> str:
        """The program on one line for people; code is too long for that."""
        return "code" if self.kind == "code" else shlex.join(self.command)

    @property
    def command(self) -> tuple[str, ...]:
        """The program as it is given to ``python``."""
        option = {"script": (), "module": ("-m",), "code": ("-c",)}[self.kind]
        return (*option, self.value, *self.args)

    @property
    def packages(self) -> list[str]:
        """The package that a module belongs to: it is the program's own, wherever it lies."""
        return [self.value.partition(".")[0]] if self.kind == "module" else []

    def check(self) -> None:
        """Find out early whether there is such a script; a pipe can be opened only once.

        Raises:
            TargetError: There is none, or it cannot be read.
        """
        if self.kind != "script":
            return
        path = Path(self.value)
        if path.is_dir():
            if not importlib.machinery.PathFinder.find_spec("__main__", [self.value]):
                raise TargetError(f"can't find '__main__' module in {str(path.absolute())!r}")
            return
        try:
            if not path.is_fifo():
                path.open("rb").close()
        except OSError as error:
            raise TargetError(f"can't open file {str(path)!r}: {error.strerror}") from None


def run_as_main(
    target: Target,
    session: AbstractContextManager[object],
    *,
    is_of_package: bool = False,
    at_end: Callable[[], None] = lambda: None,
) -> Outcome:
    """Run ``target`` as ``__main__``, with ``session`` around all that its threads do.

    The session ends when the main module has ended and so have all threads that are no daemons,
    as the interpreter itself would wait for them. What goes wrong is printed as Python prints it.
    The caller then exits with the status of the outcome, which runs the program's exit handlers.
    ``sys.path[0]``, which is the launcher's, becomes the program's.

    Args:
        target: The program.
        session: What is around it.
        is_of_package: Whether the session has in it what the packages of a module do when they are
            imported to find the module.
        at_end: Called in the session when the program's threads have ended.

    Raises:
        TargetError: There is no such script.
        GilscopeError: The session could not begin or end.
    """
    target.check()
    prepared = None if is_of_package and _has_package(target) else _prepared(target)
    if isinstance(prepared, Outcome):
        return prepared
    process = os.getpid()
    with contextlib.ExitStack() as stack:
        with shadows.own_path():
            stack.enter_context(session)
        if not sys.flags.safe_path:
            shadows.give_way(sys.path[0] or os.curdir)
        prepared = prepared or _prepared(target)
        outcome = prepared if isinstance(prepared, Outcome) else _execute(*prepared)
        if target.kind == "script":
            _forget_file()
        wait_for_threads()
        shadows.come_back()
        if os.getpid() == process:
            at_end()
        if os.getpid() != process:
            stack.pop_all()  # a child that the program forked: the session is its parent's
            raise SystemExit(leave(outcome))
    return outcome


def _forget_file() -> None:
    """Take from ``__main__`` what Python takes from it when a script has ended."""
    names = vars(sys.modules["__main__"]) if "__main__" in sys.modules else {}
    if names.get("__spec__") is None:  # no directory and no zip file
        for name in ("__file__", "__cached__"):
            names.pop(name, None)


def _has_package(target: Target) -> bool:
    """Whether there is a package that is imported to find the module; nothing is imported yet."""
    if target.kind != "module":
        return False
    _set_path(str(Path.cwd()))
    try:
        spec = importlib.util.find_spec(target.packages[0])
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.submodule_search_locations is not None


def _prepared(target: Target) -> tuple[tuple[CodeType, ...], types.ModuleType] | Outcome:
    """Return the program, or how it ended before it began."""
    try:
        return _prepare(target)
    except BaseException as error:  # noqa: BLE001 - a program may raise anything while it is found
        failed = error
    return failure(failed)


def _prepare(target: Target) -> tuple[tuple[CodeType, ...], types.ModuleType]:
    """Set up ``sys.argv``, ``sys.path[0]`` and ``__main__``, and compile the program."""
    main = types.ModuleType("__main__")
    names: dict[str, Any] = {}
    after: list[CodeType] = []
    if target.kind == "module":
        code, names = _find_module(target)
    elif target.kind == "code":
        code, *after = _compile_text(target)
    elif importlib.machinery.PathFinder.find_spec("__main__", [target.value]):
        code, names = _find_directory(target)
    elif _is_compiled(target.value):
        code, names = _load_compiled(target)
    else:
        code, names = _compile_script(target)
    vars(main).update({"__builtins__": builtins, **names})
    if sys.version_info < (3, 14):
        vars(main)["__annotations__"] = {}  # later ones make it when it is asked for
    sys.modules["__main__"] = main
    if target.carried:
        target.carried.provide(vars(main))
    return tuple(map(_as_loaded, (code, *after))), main


def _as_loaded(code: CodeType) -> CodeType:
    """Return the code as it is when Python itself loads it from a file.

    Free-threaded builds make a program's constants immortal, so that threads do not contend for
    their reference counts, but not those of code that came from ``compile()``, which may be
    thrown away soon (Python/bltinmodule.c, suppress_co_const_immortalization). A program run from
    such code took twice as long there as when it was run by ``python``.
    """
    loaded: CodeType = marshal.loads(marshal.dumps(code))  # noqa: S302 - made in the same line
    return loaded


def _set_path(entry: str) -> None:
    if not sys.flags.safe_path:
        sys.path[0] = entry


def _find_module(target: Target) -> tuple[CodeType, dict[str, Any]]:
    _set_path(str(Path.cwd()))
    sys.argv = ["-m", *target.args]
    try:
        spec = importlib.util.find_spec(target.value)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(target.value + ".__main__")
        code, names = _from_spec(spec, target.value)
    except Exception:
        _say_as_python(target.value)
        raise
    sys.argv[0] = str(names["__file__"])
    return code, {**names, "__spec__": spec, "__package__": spec.parent if spec else ""}


def _say_as_python(name: str) -> None:
    """End as `python -m` does where it has words for what is wrong with a module.

    Raises:
        SystemExit: With these words.
    """
    import runpy  # noqa: PLC0415 - programs that are found have not loaded it

    try:
        runpy._get_module_details(name, runpy._Error)  # type: ignore[attr-defined] # noqa: SLF001
    except runpy._Error as error:  # type: ignore[attr-defined] # noqa: SLF001
        raise SystemExit(f"{sys.executable}: {error}") from None


def _find_directory(target: Target) -> tuple[CodeType, dict[str, Any]]:
    """Find ``__main__`` in a directory or a zip file."""
    path = str(Path(target.value).absolute())
    _set_path(path)
    sys.argv = [target.value, *target.args]
    spec = importlib.machinery.PathFinder.find_spec("__main__", [path])
    code, names = _from_spec(spec, target.value)
    return code, {**names, "__spec__": spec, "__package__": ""}


def _from_spec(spec: ModuleSpec | None, name: str) -> tuple[CodeType, dict[str, Any]]:
    get_code = getattr(spec and spec.loader, "get_code", None)
    code = get_code(spec.name) if spec and get_code else None
    if spec is None or code is None:
        raise ImportError(
            f"No module named {name}" if spec is None else f"{name} is not Python code"
        )
    return code, {"__file__": spec.origin, "__cached__": spec.cached, "__loader__": spec.loader}


def _compile_text(target: Target) -> tuple[CodeType, ...]:
    _set_path("")
    sys.argv = ["-c", *target.args]
    lines = target.value.splitlines(keepends=True)
    # No time stamp: tracebacks then take the lines from here and do not look for a file.
    linecache.cache[target.filename] = (len(target.value), None, lines, target.filename)
    if target.carried is not None:
        from gilscope.target.worker.cell import compile_cell  # noqa: PLC0415 - other programs: no ast

        return compile_cell(target.value, target.filename)
    return (compile(target.value, target.filename, "exec", dont_inherit=True),)


def _is_compiled(path: str) -> bool:
    """Return whether Python takes a script for compiled code."""
    if path.endswith(".pyc"):
        return True
    if not Path(path).is_file():
        return False
    with Path(path).open("rb") as file:
        return file.read(4) == importlib.util.MAGIC_NUMBER


def _load_compiled(target: Target) -> tuple[CodeType, dict[str, Any]]:
    _set_path(str(Path(target.value).resolve().parent))
    sys.argv = [target.value, *target.args]
    path = str(Path(target.value).absolute())
    loader = importlib.machinery.SourcelessFileLoader("__main__", path)
    code = loader.get_code("__main__")
    if code is None:
        raise ImportError(f"{path} is not Python code")
    return code, {"__file__": path, "__cached__": None, "__loader__": loader}


def _compile_script(target: Target) -> tuple[CodeType, dict[str, Any]]:
    _set_path(str(Path(target.value).resolve().parent))
    sys.argv = [target.value, *target.args]
    source = Path(target.value).read_bytes()
    path = str(Path(target.value).absolute())
    loader = importlib.machinery.SourceFileLoader("__main__", path)
    names = {"__file__": path, "__cached__": None, "__loader__": loader}
    return compile(source, path, "exec", dont_inherit=True), names


def _execute(codes: tuple[CodeType, ...], main: types.ModuleType) -> Outcome:
    failed: BaseException | None = None
    before = sys.gettrace(), sys.getprofile()
    try:
        if any(code.co_flags & WAITS for code in codes):
            from gilscope.target.worker.cell import run_waiting  # noqa: PLC0415 - few programs wait

            failed = run_waiting(codes, vars(main))
        else:
            for code in codes:
                exec(code, vars(main))  # noqa: S102 - running the program is the purpose
    except BaseException as error:  # noqa: BLE001 - as the interpreter does
        failed = error
    # What the program traces with sees its exit handlers, and not us. It would see a function that
    # does that.
    after: tuple[Any, Any] = sys.gettrace(), sys.getprofile()
    if after != before:
        sys.settrace(before[0])
        sys.setprofile(before[1])
        atexit.register(sys.settrace, after[0])
        atexit.register(sys.setprofile, after[1])
    # Not in the handler: what a hook of the program raises has nothing to do with it.
    return failure(failed) if failed else Outcome(0)
