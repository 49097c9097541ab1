"""Work on its way to workers that share no Python objects with the program, and back: pickled.

Standard library only: this is imported by the program under test.
"""

from __future__ import annotations

import io
import pickle
import sys
import time
from types import FunctionType
from typing import TYPE_CHECKING, Any

from gilscope.target.spans import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

PROTOCOL = 5


MAIN_COPY = "__mp_main__"
"""Name of ``__main__`` where it is loaded again, as multiprocessing has it."""


class Loading:
    """Whether this worker is loading the main module: ``module`` is that one then."""

    module: object = None


loading = Loading()


def run_pickled(data: bytes, *buffers: memoryview) -> tuple[bytes, int, int]:
    """Do the work, in a worker; return the pickled result and the ns for pickle and unpickle."""
    begin = time.perf_counter_ns()
    with Span("unpickle", len(data)):
        function, args, kwargs = _Unpickler(data, buffers).load()
    loaded = time.perf_counter_ns()
    result = function(*args, **kwargs)
    done = time.perf_counter_ns()
    with Span("pickle") as span:
        text = pickle.dumps(result, PROTOCOL)
        span.bytes = len(text)
    return text, time.perf_counter_ns() - done, loaded - begin


class _Pickler(pickle.Pickler):
    """Takes memoryviews, too."""

    def __init__(self, file: io.BytesIO, shared: list[memoryview] | None) -> None:
        super().__init__(file, PROTOCOL)
        self._shared = shared

    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, (FunctionType, type)) and obj.__module__ == "__main__":
            self._check_main(obj.__qualname__)
        if not isinstance(obj, memoryview):
            return None
        if self._shared is None:
            return bytes(obj), obj.format, obj.shape
        self._shared.append(obj)
        return len(self._shared) - 1

    def _check_main(self, name: str) -> None:
        """Make sure that workers find what the main module defines.

        Raises:
            PicklingError: They would not: it has no file, as a cell of a notebook has none.
        """
        forked = self._shared is None and _start_method() == "fork"
        if not forked and main_module()[1:] == (None, None):
            raise pickle.PicklingError(f"{name} is defined in code that is not in a file")


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, shared: Sequence[memoryview]) -> None:
        super().__init__(io.BytesIO(data))
        self._shared = shared

    def persistent_load(self, pid: Any) -> memoryview:
        if isinstance(pid, int):
            return self._shared[pid]
        data, form, shape = pid
        return memoryview(data).cast("B").cast(form, shape)


def dumps(work: object, *, share: bool) -> tuple[bytes, list[memoryview]]:
    """Return the pickled work, and the memory that goes along without being copied."""
    file, buffers = io.BytesIO(), list[memoryview]()
    _Pickler(file, buffers if share else None).dump(work)
    return file.getvalue(), buffers


def main_module() -> tuple[list[str], str | None, str | None]:
    """Return ``sys.path``, and path and name by which a worker can load the main module."""
    main = sys.modules["__main__"]
    name = getattr(getattr(main, "__spec__", None), "name", None)
    return sys.path, getattr(main, "__file__", None), name


def load_main(path: list[str], file: str | None, name: str | None) -> None:
    """Make the functions of the program's main module known, in a subinterpreter."""
    import runpy  # noqa: PLC0415 - workers only
    from types import ModuleType  # noqa: PLC0415 - workers only

    sys.path[:] = path
    if file is None and name is None:
        return
    module = loading.module = ModuleType(MAIN_COPY)
    sys.modules[MAIN_COPY] = module
    if name is not None:
        names = runpy.run_module(name, run_name=MAIN_COPY, alter_sys=True)
    else:
        names = runpy.run_path(str(file), run_name=MAIN_COPY)
    vars(module).update(names)
    sys.modules["__main__"] = sys.modules[MAIN_COPY] = module
    loading.module = None


def _start_method() -> str:
    import multiprocessing  # noqa: PLC0415 - it is loaded where this is asked

    return multiprocessing.get_start_method()
