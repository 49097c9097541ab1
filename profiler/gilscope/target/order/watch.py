"""One watch for the order of locks, from begin to end."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from gilscope.errors import ProbeError
from gilscope.target.one_watch import Claim, name_of
from gilscope.target.order import primitives, threads
from gilscope.target.order.patches import Patches
from gilscope.target.order.symbols import Symbols
from gilscope.target.races import scope

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

CLAIM = Claim("the order of locks is being watched already")
INSTALLED = (
    threads.locks,
    primitives.conditions,
    primitives.predicates,
    primitives.events,
    primitives.awaited_events,
    primitives.new_semaphores,
    primitives.semaphores,
    primitives.signals,
    primitives.barriers,
    primitives.queues,
    primitives.items,
    primitives.tasks,
    threads.threads,
    threads.ends,
    threads.imports,
    threads.futures,
)


LOOK_S = 1.0
"""How long native threads are looked at when all exit handlers have run, in seconds."""


class Watch:
    """Begins and ends a watch; one at a time in a process."""

    def begin(self) -> None:
        """Begin to watch.

        Raises:
            ProbeError: The watch cannot begin, and why.
        """
        from gilscope import _order  # noqa: PLC0415 - loaded by those who use it

        self.native = _order
        recording = sys.modules.get("gilscope.target.recording.session")
        if recording is not None and recording.running():
            raise ProbeError(
                "this process is being recorded (gilscope run, gilscope.profile): end that first"
            )
        CLAIM.take()
        with contextlib.ExitStack() as undo:
            undo.callback(CLAIM.give)
            self._begin(undo)
            undo.pop_all()

    def _begin(self, undo: contextlib.ExitStack) -> None:
        """Begin step by step; ``undo`` puts back what was done when a step fails."""
        self.patches = Patches(self.native)
        self.outside = scope.outside()  # now: it loads what cannot be loaded in a jail
        try:
            self.native.begin(threading.Condition.wait.__code__)
        except RuntimeError as error:
            raise ProbeError(str(error)) from None
        undo.callback(self.native.drop)
        undo.callback(self.native.end)
        undo.callback(self.patches.remove)
        self.native.name_thread(name_of(threading.current_thread()))
        for install in INSTALLED:
            install(self.patches)

    def see_exit(self) -> None:
        """See whether native threads still call Python when all exit handlers have run.

        Runs these handlers, which the interpreter then does not do again, and waits up to `LOOK_S`;
        neither of them in a program without such threads.
        """
        if not CLAIM.ours or not self.native.native_callers():
            return
        atexit._run_exitfuncs()  # noqa: SLF001 - what the interpreter would call next
        self.native.set_is_ending()
        until = time.monotonic() + LOOK_S
        while (
            self.native.native_callers()
            and not self.native.late_requests()
            and time.monotonic() < until
        ):
            time.sleep(0.01)

    def end(self) -> dict[str, Any]:
        """Put everything back and return what was recorded.

        Returns:
            ``threads``, ``locks``, ``known``, ``places``, ``stacks``, ``has_gil``, ``missing``,
            ``own`` and ``outside``, as `gilscope.analysis.order.recorded` describes them. A place
            is a file, a function and a line; native code has the path of its object and its offset
            there. Nothing in a forked child, which is left as it is.
        """
        if not CLAIM.ours:
            return {}
        try:
            return self._end()
        finally:
            CLAIM.give()

    def _end(self) -> dict[str, Any]:
        self.patches.remove()
        self.native.end()
        recorded: dict[str, Any] = self.native.result()
        symbols = Symbols(self.native)
        recorded["places"] = [_place(place, symbols) for place in recorded["places"]]
        recorded["locks"] = {id_: symbols.named(*lock) for id_, lock in recorded["locks"].items()}
        recorded["missing"] = self.patches.missing
        recorded |= {"own": scope.OWN, "outside": self.outside}
        self.native.drop()
        return recorded


def _place(place: Any, symbols: Symbols) -> dict[str, Any]:
    if isinstance(place, int):
        path, offset, function = symbols.find(place - 1)  # a return address lies behind its call
        return {"file": path, "function": function, "offset": offset, "native": True}
    if len(place) == len(("code", "unit")):
        return _python_place(*place)
    file, function, line = place
    return {"file": file, "function": function, "line": line, "native": False}


def _python_place(code: CodeType, unit: int) -> dict[str, Any]:
    positions = next(itertools.islice(code.co_positions(), max(unit, 0), None), None)
    line, column = (positions[0], positions[2]) if positions and unit >= 0 else (None, None)
    return {
        "file": code.co_filename,
        "function": code.co_qualname,
        "line": line or code.co_firstlineno,
        "column": -1 if column is None else column,
        "first_line": code.co_firstlineno,
        "instruction": max(unit, -1),
        "native": False,
    }


@contextlib.contextmanager
def watching() -> Iterator[dict[str, Any]]:
    """Watch while the block runs; what it gives is filled when the block ends."""
    watch = Watch()
    watch.begin()
    recorded: dict[str, Any] = {}
    try:
        yield recorded
    finally:
        recorded.update(watch.end())
