"""``gilscope.executor``: runs work in threads, subinterpreters or processes, as the arm wants it.

The same program can so be compared under the alternatives that there are for parallel Python. What
goes to a subinterpreter or to another process is pickled here and not by the pool below, so that
it is known how long that took and how much it was. A memoryview is shared with subinterpreters, not
copied; to another process its bytes are sent.

Standard library only: this is imported by the program under test.
"""

from __future__ import annotations

import os
import pickle
import threading
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from gilscope.config import EXECUTOR_VARIABLE, THREADS_VARIABLE
from gilscope.errors import UsageError
from gilscope.target.executors.pickling import dumps, loading, run_pickled
from gilscope.target.spans import Span

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS = ("tasks", "sent_bytes", "returned_bytes", "shared_bytes", "pickle_ns", "unpickle_ns")


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
    if loading.module is not None:
        raise RuntimeError(
            "gilscope.executor() was called while a worker loads the main module: put the call "
            'under `if __name__ == "__main__":`'
        )
    count = int(os.environ.get(THREADS_VARIABLE) or workers or os.process_cpu_count() or 1)
    kind = os.environ.get(EXECUTOR_VARIABLE) or "threads"
    if kind == "threads":
        return ThreadPoolExecutor(count, thread_name_prefix="executor")
    if kind not in POOLS:
        kinds = ", ".join(("threads", *POOLS))
        raise UsageError(f"{EXECUTOR_VARIABLE} is {kind!r}: choose from {kinds}")
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


_facts = _Facts()


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
                data, buffers = dumps((fn, args, kwargs), share=self._shares)
                span.bytes = len(data)
        except Exception as error:
            raise TypeError(
                f"cannot pickle this work for {self._kind}: {error}; use functions that are "
                "defined in a module, and arguments that can be pickled"
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


def _processes(workers: int) -> Executor:
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415 - slow to load

    return ProcessPoolExecutor(workers)


def _subinterpreters(workers: int) -> Executor:
    from gilscope.target.executors.subinterpreters import make_pool  # noqa: PLC0415 - private modules of CPython

    return make_pool(workers)


POOLS: dict[str, Callable[[int], Executor]] = {
    "subinterpreters": _subinterpreters,
    "processes": _processes,
}
