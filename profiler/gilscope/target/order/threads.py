"""Locks, threads, futures and imports: what of them is seen."""

from __future__ import annotations

import _queue
import _thread
import builtins
import importlib
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

from gilscope.target.one_watch import name_of
from gilscope.target.order.primitives import LONG

if TYPE_CHECKING:
    from collections.abc import Callable

    from gilscope.target.order.patches import Patches

LOCK_METHODS = {
    "acquire": "acquire",
    "acquire_lock": "acquire",
    "__enter__": "enter",
    "release": "release",
    "release_lock": "release",
    "__exit__": "release",
    "_release_save": "release_all",
    "_acquire_restore": "acquire_again",
    "_at_fork_reinit": "renew",
}
QUEUE_METHODS = {"put": "put", "put_nowait": "put", "get": "get", "get_nowait": "get"}
BOOKKEEPING = ("_active_limbo_lock", "_shutdown_locks_lock")
FUTURES = "concurrent.futures._base"
POOLS = "concurrent.futures.thread"
SHARED = "_multiprocessing"


def locks(patches: Patches) -> None:
    """See locks made, used and gone."""
    native = patches.native
    lock, rlock = type(_thread.allocate_lock()), type(_thread.RLock())
    for cls, methods in (
        (lock, LOCK_METHODS),
        (rlock, LOCK_METHODS),
        (_queue.SimpleQueue, QUEUE_METHODS),
    ):
        for name, role in methods.items():
            if name in vars(cls):
                patches.attempt(native.replace, cls, name, role)
    patches.attempt(native.replace_life, lock, "lock")
    patches.attempt(native.replace_life, rlock, "rlock")
    patches.attempt(native.replace_maker, _thread.allocate_lock)
    for name in BOOKKEEPING:
        if hasattr(threading, name):
            native.ignore(getattr(threading, name))


def shared_locks(patches: Patches) -> None:
    """See the locks that processes share, once their module is there."""
    module = sys.modules.get(SHARED)
    if module is None or patches.has_shared_locks or not hasattr(module, "SemLock"):
        return
    patches.has_shared_locks = True
    for name in ("acquire", "release", "__enter__", "__exit__"):
        patches.attempt(patches.native.replace, module.SemLock, name, LOCK_METHODS[name])
    patches.attempt(patches.native.replace_life, module.SemLock, "shared")


def threads(patches: Patches) -> None:
    """See threads begin and end."""
    native = patches.native

    def bootstrap(original: Any) -> Callable[..., Any]:
        def _bootstrap_inner(self: threading.Thread) -> None:
            native.name_thread(name_of(self))
            try:
                original(self)
            finally:
                native.name_thread(name_of(self))
                native.provide(self, "thread", None)
                native.give(self)

        return _bootstrap_inner

    def start(original: Any) -> Callable[..., Any]:
        def start(self: threading.Thread) -> None:
            futures(patches)  # a pool has been imported by now
            original(self)

        return start

    patches.patch(threading.Thread, "_bootstrap_inner", bootstrap)
    patches.patch(threading.Thread, "start", start)


def ends(patches: Patches) -> None:
    """See who waits for the end of threads, or learns of it."""
    native = patches.native

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

    original_is_alive = threading.Thread.is_alive
    patches.patch(threading.Thread, "join", join)
    patches.patch(threading.Thread, "is_alive", is_alive)


def futures(patches: Patches) -> None:
    """See futures, once their module is there: a program without them does not get it."""
    module = sys.modules.get(FUTURES)
    if module is None or patches.has_futures or not hasattr(module, "Future"):
        return
    patches.has_futures = True
    native, future = patches.native, module.Future

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

    pools(patches)
    patches.patch(future, "set_result", finish)
    patches.patch(future, "set_exception", finish)
    patches.patch(future, "result", ask)
    patches.patch(future, "exception", ask)


def pools(patches: Patches) -> None:
    """Let each task of a pool of threads be a thread of its own: who gets it is chance."""
    module = sys.modules.get(POOLS)
    if module is None or not hasattr(module, "_WorkItem"):
        return
    native, submitting, free = patches.native, threading.local(), weakref.WeakSet[Any]()

    def submit(original: Any) -> Callable[..., Any]:
        def submit(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            submitting.many = self._max_workers > 1
            try:
                return original(self, fn, *args, **kwargs)
            finally:
                submitting.many = False

        return submit

    def init(original: Any) -> Callable[..., Any]:
        def __init__(self: Any, *args: Any) -> None:  # noqa: N807
            original(self, *args)
            if getattr(submitting, "many", False):
                native.give(self)
                free.add(self)

        return __init__

    def run(original: Any) -> Callable[..., Any]:
        def run(self: Any, *args: Any) -> None:
            pool_thread = native.begin_task(self) if self in free else None
            try:
                original(self, *args)
            finally:
                native.end_task(pool_thread)

        return run

    patches.patch(module.ThreadPoolExecutor, "submit", submit)
    patches.patch(module._WorkItem, "__init__", init)  # noqa: SLF001
    patches.patch(module._WorkItem, "run", run)  # noqa: SLF001


def imports(patches: Patches) -> None:
    """See the locks of the import system."""
    native = patches.native
    module_lock = getattr(importlib._bootstrap, "_ModuleLock", None)  # noqa: SLF001
    if module_lock is None:
        patches.missing.append("the import system has no _ModuleLock")
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
            if self.name == SHARED:
                shared_locks(patches)

        return release

    shared_locks(patches)
    patches.patch(module_lock, "acquire", acquire)
    patches.patch(module_lock, "release", release)
    patches.put(builtins, "__import__", native.see_imports(builtins.__import__))
