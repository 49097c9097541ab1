"""A pool of subinterpreters, each with a GIL of its own: CPython's own from 3.14 on, ours before.

CPython 3.13 has all that it takes, but only in private modules; what is used of them here is
what its own test suite uses. Standard library only.
"""

from __future__ import annotations

import pickle
import sys
import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from gilscope.target.executors import pickling

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = __file__.removesuffix("/gilscope/target/executors/subinterpreters.py")

# A subinterpreter begins with the paths of the installation, not with those of the program.
BEGIN = """
import sys
sys.path.append({root!r})
from gilscope.target.executors.pickling import load_main
load_main(*{main!r})
"""
WORK = """
from gilscope.target.executors.subinterpreters import serve
serve(queue, task)
del serve, task
"""
FORMAT: Final = 0  # shareable data
UNBOUND: Final = 2  # what outlives its interpreter is an error when it is taken


def make_pool(workers: int) -> Executor:
    """Return an executor whose threads run their work in a subinterpreter each."""
    code = BEGIN.format(root=ROOT, main=pickling.main_module())
    if sys.version_info >= (3, 14):
        from concurrent.futures import InterpreterPoolExecutor  # noqa: PLC0415 - new in 3.14

        pool: Executor = InterpreterPoolExecutor(workers, initializer=exec, initargs=(code, {}))
        return pool
    return InterpreterThreads(workers, code)


class InterpreterThreads(ThreadPoolExecutor):
    """What InterpreterPoolExecutor is in CPython 3.14."""

    def __init__(self, workers: int, code: str) -> None:
        """Let each worker's interpreter run ``code`` first."""
        super().__init__(workers, thread_name_prefix="interpreter", initializer=self._begin)
        self._code = code
        self._own = threading.local()
        self._all: list[int] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:
        """Run `pickling.run_pickled` with ``args``, which are shareable, in a subinterpreter."""
        if fn is not pickling.run_pickled:
            raise TypeError(f"not made for {fn}")
        return super().submit(self._run, args)

    def _begin(self) -> None:
        import _interpqueues  # noqa: PLC0415 - private
        import _interpreters  # noqa: PLC0415 - private

        number = _interpreters.create("isolated")
        self._all.append(number)
        self._own.number, self._own.queue = number, _interpqueues.create(0, FORMAT, UNBOUND)
        # Takes what is shared with it only after that import.
        for code in ("import _interpreters", self._code):
            if failed := _interpreters.exec(number, code):
                raise RuntimeError(f"a subinterpreter could not start: {failed.errdisplay}")

    def _run(self, task: tuple[Any, ...]) -> Any:
        import _interpqueues  # noqa: PLC0415 - private
        import _interpreters  # noqa: PLC0415 - private

        shared = {"queue": self._own.queue, "task": task}
        if failed := _interpreters.exec(self._own.number, WORK, shared):
            raise RuntimeError(f"a subinterpreter failed: {failed.errdisplay}")
        result, error = _interpqueues.get(self._own.queue)[0]
        if error is not None:
            raise pickle.loads(error)  # noqa: S301 - a worker of this very program made it
        return result

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as the base class has it
        """End the threads, and the interpreters with them if they are waited for."""
        import _interpreters  # noqa: PLC0415 - private

        super().shutdown(wait, cancel_futures=cancel_futures)
        while wait and self._all:
            _interpreters.destroy(self._all.pop())


def serve(queue: int, task: tuple[Any, ...]) -> None:
    """Do the work, in a subinterpreter, and put (result, None) or (None, exception)."""
    import _interpqueues  # noqa: PLC0415 - private

    try:
        answer: tuple[Any, Any] = pickling.run_pickled(*task), None
    except BaseException as error:  # noqa: BLE001 - it goes on in the program
        answer = None, _pickled(error)
    _interpqueues.put(queue, answer, FORMAT, UNBOUND)


def _pickled(error: BaseException) -> bytes:
    """Return the exception with its traceback as a note: frames cannot leave an interpreter."""
    import traceback  # noqa: PLC0415 - seldom

    text = "".join(traceback.format_exception(error))
    try:
        error.add_note(f"in a subinterpreter:\n{text}")
        return pickle.dumps(error)
    except Exception:  # noqa: BLE001 - exceptions may hold anything
        return pickle.dumps(RuntimeError(f"in a subinterpreter:\n{text}"))
