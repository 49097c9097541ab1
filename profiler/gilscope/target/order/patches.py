"""What is seen of ``threading``, ``queue``, futures and the import system: by their classes.

The native half sees the locks themselves. Here are the things that threads wait for without their
being locks, who brings them about, and what orders threads. All is put back at the end.
"""

from __future__ import annotations

import _queue
import _thread
import builtins
import functools
import importlib
import queue
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

LOCK_METHODS = {
    "acquire": "acquire",
    "acquire_lock": "acquire",
    "__enter__": "enter",
    "release": "release",
    "release_lock": "release",
    "__exit__": "release",
    "_release_save": "release_all",
    "_acquire_restore": "acquire_again",
}
QUEUE_METHODS = {"put": "put", "put_nowait": "put", "get": "get", "get_nowait": "get"}
BOOKKEEPING = ("_active_limbo_lock", "_shutdown_locks_lock")
LONG = 1.0
"""Seconds: a time limit from here on is a precaution, and nothing that programs work with."""
FUTURES = "concurrent.futures._base"


class Patches:
    """The replacements of one watch."""

    def __init__(self, native: ModuleType) -> None:
        """Replace nothing yet."""
        self.native = native
        self.originals: list[tuple[Any, str, Any, Any]] = []
        self.missing: list[str] = []
        self.has_futures = False

    def install(self) -> None:
        """Replace the methods."""
        self._locks()
        self._conditions()
        self._events()
        self._semaphores()
        self._barriers()
        self._queues()
        self._threads()
        self._imports()
        self._futures()

    def remove(self) -> None:
        """Put the methods of Python classes back; the native half does so with the others."""
        for owner, name, original, ours in reversed(self.originals):
            if vars(owner).get(name) is ours:  # else the program has replaced it since
                setattr(owner, name, original)
        self.originals.clear()

    def _patch(self, owner: Any, name: str, make: Callable[[Any], Callable[..., Any]]) -> None:
        original = vars(owner)[name]
        self._set(owner, name, functools.wraps(original)(make(original)))

    def _set(self, owner: Any, name: str, ours: Any) -> None:
        self.originals.append((owner, name, vars(owner)[name], ours))
        setattr(owner, name, ours)

    def _locks(self) -> None:
        native = self.native
        lock, rlock = type(_thread.allocate_lock()), type(_thread.RLock())
        for cls, methods in (
            (lock, LOCK_METHODS),
            (rlock, LOCK_METHODS),
            (_queue.SimpleQueue, QUEUE_METHODS),
        ):
            for name, role in methods.items():
                if name in vars(cls):
                    self._try(native.replace, cls, name, role)
        self._try(native.replace_life, lock, False)  # noqa: FBT003 - of a C function
        self._try(native.replace_life, rlock, True)  # noqa: FBT003 - of a C function
        self._try(native.replace_maker, _thread.allocate_lock)
        for name in BOOKKEEPING:
            if hasattr(threading, name):
                native.ignore(getattr(threading, name))

    def _try(self, replace: Callable[..., None], *arguments: Any) -> None:
        try:
            replace(*arguments)
        except LookupError as error:
            self.missing.append(str(error))

    def _conditions(self) -> None:
        wait_for, provide = self.native.wait, self.native.provide

        def wait(original: Any) -> Callable[..., Any]:
            def wait(self: threading.Condition, timeout: float | None = None) -> bool:
                if timeout is None:
                    lock = self._lock  # type: ignore[attr-defined] # noqa: SLF001
                    wait_for(self, "condition", lock, lock)
                return bool(original(self, timeout))

            return wait

        def notify(original: Any) -> Callable[..., Any]:
            def notify(self: threading.Condition, n: int = 1) -> None:
                provide(self, "condition", self._lock)  # type: ignore[attr-defined] # noqa: SLF001
                original(self, n)

            return notify

        self._patch(threading.Condition, "wait", wait)
        self._patch(threading.Condition, "notify", notify)

    def _events(self) -> None:
        native = self.native

        def set_(original: Any) -> Callable[..., Any]:
            def set(self: threading.Event) -> None:  # noqa: A001 - the method's own name
                native.give(self)
                original(self)

            return set

        def clear(original: Any) -> Callable[..., Any]:
            def clear(self: threading.Event) -> None:
                native.renew(self._cond)  # type: ignore[attr-defined] # noqa: SLF001
                original(self)

            return clear

        def is_set(original: Any) -> Callable[..., Any]:
            def is_set(self: threading.Event) -> bool:
                found = bool(original(self))
                if found:
                    native.take(self)
                return found

            return is_set

        def wait(original: Any) -> Callable[..., Any]:
            def wait(self: threading.Event, timeout: float | None = None) -> bool:
                if timeout is None:
                    condition = self._cond  # type: ignore[attr-defined] # noqa: SLF001
                    native.wait(condition, "event", condition._lock, None)  # noqa: SLF001
                found = bool(original(self, timeout))
                if found and (timeout is None or timeout >= LONG):
                    native.take(self)
                return found

            return wait

        self._patch(threading.Event, "set", set_)
        self._patch(threading.Event, "clear", clear)
        self._patch(threading.Event, "is_set", is_set)
        self._patch(threading.Event, "wait", wait)

    def _semaphores(self) -> None:
        native = self.native

        def init(original: Any) -> Callable[..., Any]:
            def __init__(self: threading.Semaphore, value: int = 1) -> None:  # noqa: N807
                original(self, value)
                maker = sys._getframe(1).f_code.co_filename  # noqa: SLF001 - who made it
                # A pool counts its idle threads with one: nobody waits for it.
                if maker.replace("\\", "/").endswith("concurrent/futures/thread.py"):
                    native.ignore(self._cond._lock)  # type: ignore[attr-defined] # noqa: SLF001

            return __init__

        def acquire(original: Any) -> Callable[..., Any]:
            def acquire(
                self: threading.Semaphore, blocking: bool = True, timeout: float | None = None
            ) -> bool:
                condition: Any = self._cond  # type: ignore[attr-defined] # noqa: SLF001
                if blocking and timeout is None:
                    value = max(self._value, 0)
                    native.wait(condition, "semaphore", condition._lock, None, value)  # noqa: SLF001
                return bool(original(self, blocking, timeout))

            return acquire

        self._patch(threading.Semaphore, "__init__", init)
        self._patch(threading.Semaphore, "acquire", acquire)
        # It is the same function under another name.
        self._set(threading.Semaphore, "__enter__", threading.Semaphore.acquire)

    def _barriers(self) -> None:
        native = self.native

        def wait(original: Any) -> Callable[..., Any]:
            def wait(self: threading.Barrier, timeout: float | None = None) -> int:
                condition: Any = self._cond  # type: ignore[attr-defined] # noqa: SLF001
                if timeout is None and self._timeout is None:  # type: ignore[attr-defined] # noqa: SLF001
                    native.wait(condition, "barrier", condition._lock, None)  # noqa: SLF001
                native.give(self)
                native.provide(condition, "barrier", condition._lock)  # noqa: SLF001
                place = int(original(self, timeout))
                native.take(self)
                return place

            return wait

        self._patch(threading.Barrier, "wait", wait)

    def _queues(self) -> None:
        native = self.native

        def put(original: Any) -> Callable[..., Any]:
            def put(
                self: queue.Queue[Any], item: Any, block: bool = True, timeout: float | None = None
            ) -> None:
                if block and timeout is None and self.maxsize > 0:
                    native.wait(self.not_full, "queue-put", self.mutex, None, self.maxsize)
                original(self, item, block, timeout)

            return put

        def get(original: Any) -> Callable[..., Any]:
            def get(
                self: queue.Queue[Any], block: bool = True, timeout: float | None = None
            ) -> Any:
                if block and timeout is None:
                    native.wait(self.not_empty, "queue-get", self.mutex, None)
                return original(self, block, timeout)

            return get

        def put_item(original: Any) -> Callable[..., Any]:
            def _put(self: queue.Queue[Any], item: Any) -> None:
                native.give_item(self, item)
                original(self, item)

            return _put

        def get_item(original: Any) -> Callable[..., Any]:
            def _get(self: queue.Queue[Any]) -> Any:
                item = original(self)
                native.take_item(self, item)
                return item

            return _get

        self._patch(queue.Queue, "put", put)
        self._patch(queue.Queue, "get", get)
        for cls in (queue.Queue, queue.LifoQueue, queue.PriorityQueue):
            self._patch(cls, "_put", put_item)
            self._patch(cls, "_get", get_item)

    def _threads(self) -> None:
        native = self.native

        def bootstrap(original: Any) -> Callable[..., Any]:
            def _bootstrap_inner(self: threading.Thread) -> None:
                native.name_thread(str(self._name))  # type: ignore[attr-defined]
                try:
                    original(self)
                finally:
                    native.name_thread(str(self._name))  # type: ignore[attr-defined]
                    native.provide(self, "thread", None)
                    native.give(self)

            return _bootstrap_inner

        def start(original: Any) -> Callable[..., Any]:
            def start(self: threading.Thread) -> None:
                patches._futures()  # a pool has been imported by now
                original(self)

            return start

        def join(original: Any) -> Callable[..., Any]:
            def join(self: threading.Thread, timeout: float | None = None) -> None:
                if timeout is None:
                    native.wait(self, "thread", None, None)
                original(self, timeout)
                # A short limit may as well run out first.
                if (timeout is None or timeout >= LONG) and not original_is_alive(self):
                    native.take(self)

            return join

        def is_alive(original: Any) -> Callable[..., Any]:
            def is_alive(self: threading.Thread) -> bool:
                alive = bool(original(self))
                if not alive:
                    native.take(self)
                return alive

            return is_alive

        patches = self
        original_is_alive = threading.Thread.is_alive
        self._patch(threading.Thread, "_bootstrap_inner", bootstrap)
        self._patch(threading.Thread, "start", start)
        self._patch(threading.Thread, "join", join)
        self._patch(threading.Thread, "is_alive", is_alive)

    def _imports(self) -> None:
        native = self.native
        module_lock = getattr(importlib._bootstrap, "_ModuleLock", None)  # type: ignore[attr-defined] # noqa: SLF001
        if module_lock is None:
            self.missing.append("the import system has no _ModuleLock")
            return

        def acquire(original: Any) -> Callable[..., Any]:
            def acquire(self: Any) -> Any:
                native.import_lock(self.name, "ask")
                got = original(self)
                native.import_lock(self.name, "acquired")
                return got

            return acquire

        def release(original: Any) -> Callable[..., Any]:
            def release(self: Any) -> None:
                native.import_lock(self.name, "released")
                original(self)

            return release

        self._patch(module_lock, "acquire", acquire)
        self._patch(module_lock, "release", release)
        self._set(builtins, "__import__", native.see_imports(builtins.__import__))

    def _futures(self) -> None:
        """See futures, once their module is there: a program without them does not get it."""
        module = sys.modules.get(FUTURES)
        if module is None or self.has_futures or not hasattr(module, "Future"):
            return
        self.has_futures = True
        native, future = self.native, module.Future

        def finish(original: Any) -> Callable[..., Any]:
            def finish(self: Any, outcome: Any) -> None:
                native.give(self)
                native.provide(self._condition, "future", self._condition._lock)  # noqa: SLF001
                original(self, outcome)

            return finish

        def ask(original: Any) -> Callable[..., Any]:
            def ask(self: Any, timeout: float | None = None) -> Any:
                if timeout is None:
                    condition = self._condition
                    native.wait(condition, "future", condition._lock, None)  # noqa: SLF001
                try:
                    return original(self, timeout)
                finally:
                    native.take(self)

            return ask

        self._patch(future, "set_result", finish)
        self._patch(future, "set_exception", finish)
        self._patch(future, "result", ask)
        self._patch(future, "exception", ask)
