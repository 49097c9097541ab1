"""``gilscope.executor``: runs work in threads, subinterpreters or processes, as the arm wants it.

The same program can so be compared under the alternatives that there are for parallel Python. What
goes to a subinterpreter or to another process is pickled here and not by the pool below, so that
it is known how long that took and how much it was. A memoryview is shared with subinterpreters, not
copied; to another process its bytes are sent.

Standard library only: this is imported by the program under test.
"""

from __future__ import annotations

import io
import os
import pickle
import sys
import threading
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any

from gilscope.config import EXECUTOR_VARIABLE, THREADS_VARIABLE
from gilscope.errors import UsageError
from gilscope.spans import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PROTOCOL = 5
NUMBERS = ("tasks", "sent_bytes", "returned_bytes", "shared_bytes", "pickle_ns", "unpickle_ns")
MAIN_COPY = "__mp_main__"
"""Name of ``__main__`` where it is loaded again, as multiprocessing has it."""


def executor(workers: int | None = None) -> Executor:
    """Return an executor of as many workers: threads, unless a comparison wants something else.

    Under ``gilscope compare --builds …,subinterpreters,processes`` these run the work instead.
    Functions and arguments must then be such that pickle takes them; the main module is loaded
    again by subinterpreters and needs ``if __name__ == "__main__"``.

    Args:
        workers: How many; by default one a processor. ``--threads`` overrides it.

    Raises:
        UsageError: The environment asks for an executor that there is not.
        RuntimeError: The main module makes one while it is loaded by another worker.
    """
    if _loading.module is not None:
        raise RuntimeError(
            "gilscope.executor() is called while a worker loads the main module: put the call "
            'below `if __name__ == "__main__":`'
        )
    count = int(os.environ.get(THREADS_VARIABLE) or workers or os.process_cpu_count() or 1)
    kind = os.environ.get(EXECUTOR_VARIABLE) or "threads"
    if kind == "threads":
        return ThreadPoolExecutor(count, thread_name_prefix="executor")
    if kind not in POOLS:
        kinds = ", ".join(("threads", *POOLS))
        raise UsageError(f"{EXECUTOR_VARIABLE} is {kind!r}: there are {kinds}")
    return SerialisingExecutor(kind, count)


class _Facts:
    """What was sent, and how long that took; times in ns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.totals: dict[str, Any] | None = None

    def begin(self, kind: str, workers: int) -> None:
        with self._lock:
            if self.totals is None:
                self.totals = {"kind": kind, "workers": 0, **dict.fromkeys(NUMBERS, 0)}
            self.totals["workers"] = max(workers, self.totals["workers"])

    def add(self, **numbers: int) -> None:
        with self._lock:
            if self.totals is not None:
                for name, number in numbers.items():
                    self.totals[name] += number


class _Loading:
    module: object = None


_facts = _Facts()
_loading = _Loading()


def facts() -> dict[str, Any] | None:
    """Return what was sent to workers that are no threads; None if there were none."""
    return _facts.totals


class SerialisingExecutor(Executor):
    """An executor whose workers share no Python objects with the program."""

    def __init__(self, kind: str, workers: int) -> None:
        """Make a pool of ``kind``; its workers start with the first work."""
        self._kind = kind
        self._shares = kind == "subinterpreters"
        self._pool = POOLS[kind](workers)
        _facts.begin(kind, workers)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Send the work off.

        Raises:
            TypeError: It cannot be sent; nothing of it has run.
        """
        begin = time.perf_counter_ns()
        try:
            with Span("pickle") as span:
                data, buffers = _dumps((fn, args, kwargs), share=self._shares)
                span.bytes = len(data)
        except Exception as error:
            raise TypeError(
                f"work for {self._kind} is pickled, and this cannot be: {error}; give functions "
                "of a module and arguments that pickle takes"
            ) from error
        _facts.add(
            tasks=1,
            sent_bytes=len(data),
            shared_bytes=sum(buffer.nbytes for buffer in buffers),
            pickle_ns=time.perf_counter_ns() - begin,
        )
        inner = self._pool.submit(run_pickled, data, *buffers)
        outer = _Outer(inner)
        inner.add_done_callback(partial(_finish, outer))
        return outer

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as the base class has it
        """End the workers when their work is done."""
        self._pool.shutdown(wait, cancel_futures=cancel_futures)


class _Outer(Future[Any]):
    """The future of work whose result arrives pickled."""

    def __init__(self, inner: Future[Any]) -> None:
        super().__init__()
        self._inner = inner

    def cancel(self) -> bool:
        return self._inner.cancel() and super().cancel()

    def running(self) -> bool:
        return self._inner.running()


def _finish(outer: _Outer, inner: Future[Any]) -> None:
    if inner.cancelled():
        Future.cancel(outer)
        outer.set_running_or_notify_cancel()
        return
    outer.set_running_or_notify_cancel()
    try:
        data, pickle_ns, unpickle_ns = inner.result()
        begin = time.perf_counter_ns()
        with Span("unpickle", len(data)):
            result = pickle.loads(data)  # noqa: S301 - a worker of this very program made it
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the result
        outer.set_exception(error)
        return
    unpickle_ns += time.perf_counter_ns() - begin
    _facts.add(returned_bytes=len(data), pickle_ns=pickle_ns, unpickle_ns=unpickle_ns)
    outer.set_result(result)


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
            raise pickle.PicklingError(f"{name} is defined in code that is in no file")


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, shared: Sequence[memoryview]) -> None:
        super().__init__(io.BytesIO(data))
        self._shared = shared

    def persistent_load(self, pid: Any) -> memoryview:
        if isinstance(pid, int):
            return self._shared[pid]
        data, form, shape = pid
        return memoryview(data).cast("B").cast(form, shape)


def _dumps(work: object, *, share: bool) -> tuple[bytes, list[memoryview]]:
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
    module = _loading.module = ModuleType(MAIN_COPY)
    sys.modules[MAIN_COPY] = module
    if name is not None:
        names = runpy.run_module(name, run_name=MAIN_COPY, alter_sys=True)
    else:
        names = runpy.run_path(str(file), run_name=MAIN_COPY)
    vars(module).update(names)
    sys.modules["__main__"] = sys.modules[MAIN_COPY] = module
    _loading.module = None


def _start_method() -> str:
    import multiprocessing  # noqa: PLC0415 - it is loaded where this is asked

    return multiprocessing.get_start_method()


def _processes(workers: int) -> Executor:
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415 - slow to load

    return ProcessPoolExecutor(workers)


def _subinterpreters(workers: int) -> Executor:
    from gilscope.subinterpreters import make_pool  # noqa: PLC0415 - private modules of CPython

    return make_pool(workers)


POOLS: dict[str, Callable[[int], Executor]] = {
    "subinterpreters": _subinterpreters,
    "processes": _processes,
}
