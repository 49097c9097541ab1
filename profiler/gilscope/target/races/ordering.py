"""What orders threads besides their start, which the native half sees by itself.

Methods of built-in types are replaced in their definitions, those of ``threading`` in their
classes; all are put back at the end.
"""

from __future__ import annotations

import _queue
import _thread
import collections
import functools
import os
import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any

from gilscope.target.one_watch import name_of
from gilscope.target.races import pools

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, ModuleType

LOCK_METHODS = {
    "acquire": "acquire",
    "acquire_lock": "acquire",
    "__enter__": "acquire",
    "release": "release",
    "release_lock": "release",
    "__exit__": "release",
    "_release_save": "release_all",
    "_acquire_restore": "acquire_again",
}
QUEUE_METHODS = {
    **dict.fromkeys(("put", "put_nowait"), "give_item"),
    **dict.fromkeys(("get", "get_nowait"), "take_item"),
}
DEQUE_METHODS = {
    **dict.fromkeys(("append", "appendleft"), "give_item"),
    **dict.fromkeys(("extend", "extendleft", "insert"), "give"),
    **dict.fromkeys(("pop", "popleft"), "take_item"),
}
# No lock of any: several threads may be between acquire and release, and another one may release.
SEMAPHORE_METHODS = {
    **dict.fromkeys(("acquire", "__enter__"), "take"),
    **dict.fromkeys(("release", "__exit__"), "give"),
}
POOLS = os.path.join("concurrent", "futures", "thread.py")  # noqa: PTH118 - no path, but its end
BOOKKEEPING = ("_active_limbo_lock", "_shutdown_locks_lock")


def _semaphores_of_processes() -> list[type]:
    """Return the class behind the locks of multiprocessing, which threads use as well."""
    try:
        found: type = import_module("_multiprocessing").SemLock
    except ImportError:  # some builds have none
        return []
    return [found]


def _is_pool(frame: FrameType) -> bool:
    """Whether the frame is one of a pool of threads."""
    return frame.f_code.co_filename.endswith(POOLS)


class Ordering:
    """The replacements of one watch."""

    def __init__(self, native: ModuleType) -> None:
        """Replace nothing yet."""
        self.native = native
        self.originals: list[tuple[type, str, Any, Any]] = []
        self.missing: list[str] = []
        self.shares = pools.Shares()

    def install(self) -> None:
        """Replace the methods."""
        lock, rlock = type(_thread.allocate_lock()), type(_thread.RLock())
        replacements: list[tuple[type, dict[str, str]]] = [
            (lock, LOCK_METHODS),
            (rlock, LOCK_METHODS),
            (_queue.SimpleQueue, QUEUE_METHODS),
            (collections.deque, DEQUE_METHODS),
            *((cls, {"pop": "own"}) for cls in (list, dict, set)),
            *((cls, SEMAPHORE_METHODS) for cls in _semaphores_of_processes()),
        ]
        for cls, methods in replacements:
            for name, role in methods.items():
                if name in vars(cls):
                    self._replace(cls, name, role)
        for name in BOOKKEEPING:
            if hasattr(threading, name):
                self.native.ignore(getattr(threading, name))
        self._threads()
        self._events()
        self._semaphores()
        self._barriers()
        self._futures()
        self._queues()

    def remove(self) -> None:
        """Put the methods of ``threading`` back; the native half does so with the others."""
        for cls, name, original, ours in reversed(self.originals):
            if vars(cls).get(name) is ours:  # else the program has replaced it since
                setattr(cls, name, original)
        self.originals.clear()

    def _replace(self, cls: type, name: str, role: str) -> None:
        try:
            self.native.replace(cls, name, role)
        except LookupError as error:
            self.missing.append(str(error))

    def _patch(self, cls: type, name: str, make: Callable[[Any], Callable[..., Any]]) -> None:
        original = vars(cls)[name]
        ours = functools.wraps(original)(make(original))
        self.originals.append((cls, name, original, ours))
        setattr(cls, name, ours)

    def _threads(self) -> None:
        give, take, joined = self.native.give, self.native.take, self.native.joined
        name_thread = self.native.name_thread

        def bootstrap(original: Any) -> Callable[..., Any]:
            def _bootstrap_inner(self: threading.Thread) -> None:
                name_thread(name_of(self))
                try:
                    original(self)
                finally:
                    name_thread(name_of(self))
                    give(self)

            return _bootstrap_inner

        def join(original: Any) -> Callable[..., Any]:
            def join(self: threading.Thread, timeout: float | None = None) -> None:
                original(self, timeout)
                if not original_is_alive(self):
                    joined(self)

            return join

        def is_alive(original: Any) -> Callable[..., Any]:
            def is_alive(self: threading.Thread) -> bool:
                alive = bool(original(self))
                if not alive:
                    take(self)
                return alive

            return is_alive

        original_is_alive = threading.Thread.is_alive
        self._patch(threading.Thread, "_bootstrap_inner", bootstrap)
        self._patch(threading.Thread, "join", join)
        self._patch(threading.Thread, "is_alive", is_alive)

    def _events(self) -> None:
        give, take = self.native.give, self.native.take

        def set_(original: Any) -> Callable[..., Any]:
            def set(self: threading.Event) -> None:  # noqa: A001 - the method's own name
                give(self)
                original(self)

            return set

        def asked(original: Any) -> Callable[..., Any]:
            def ask(self: threading.Event, *rest: Any, **more: Any) -> bool:
                is_set = bool(original(self, *rest, **more))
                if is_set:
                    take(self)
                return is_set

            return ask

        self._patch(threading.Event, "set", set_)
        self._patch(threading.Event, "is_set", asked)
        self._patch(threading.Event, "wait", asked)

    def _barriers(self) -> None:
        give, take = self.native.give, self.native.take

        def wait(original: Any) -> Callable[..., Any]:
            def wait(self: threading.Barrier, timeout: float | None = None) -> int:
                give(self)
                place = int(original(self, timeout))
                take(self)
                return place

            return wait

        self._patch(threading.Barrier, "wait", wait)

    def _futures(self) -> None:
        """Let a result come before who has it, whatever lock the future was looked at with."""
        give, take = self.native.give, self.native.take
        future = import_module("concurrent.futures._base").Future
        spread = pools.Spread()

        def begins(original: Any) -> Callable[..., Any]:
            def set_running_or_notify_cancel(self: object) -> bool:
                if _is_pool(sys._getframe(1)):  # noqa: SLF001 - who runs it
                    spread.begins(self)
                return bool(original(self))

            return set_running_or_notify_cancel

        def gives(original: Any) -> Callable[..., Any]:
            def set_(self: object, outcome: object) -> None:
                spread.ends(self)
                give(self)
                original(self, outcome)

            return set_

        def takes(original: Any) -> Callable[..., Any]:
            def get(self: object, timeout: float | None = None) -> Any:
                try:
                    return original(self, timeout)
                finally:
                    take(self)

            return get

        self._patch(future, "set_running_or_notify_cancel", begins)
        for name in ("set_result", "set_exception"):
            self._patch(future, name, gives)
        for name in ("result", "exception"):
            self._patch(future, name, takes)

    def _queues(self) -> None:
        """Let the work that comes by a queue go to all threads that get from it."""
        took, shares = self.native.took, self.shares

        def get(original: Any) -> Callable[..., Any]:
            def get(self: object, *rest: Any, **more: Any) -> Any:
                shares.asked(self)
                item = original(self, *rest, **more)
                shares.got(self, item)
                took(self)
                return item

            return get

        self._patch(import_module("queue").Queue, "get", get)

    def _semaphores(self) -> None:
        ignore = self.native.ignore

        def init(original: Any) -> Callable[..., Any]:
            def __init__(self: threading.Semaphore, *rest: Any, **more: Any) -> None:  # noqa: N807
                original(self, *rest, **more)
                # A pool counts its idle threads with one: that orders nothing of the program's.
                if _is_pool(sys._getframe(1)):  # noqa: SLF001 - who made it
                    ignore(self._cond._lock)  # type: ignore[attr-defined] # noqa: SLF001

            return __init__

        self._patch(threading.Semaphore, "__init__", init)
