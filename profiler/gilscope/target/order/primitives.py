"""What threads wait for without its being a lock, as the standard library has it.

The native half sees the locks themselves. Here is who waits, who brings it about, and what orders
threads.
"""

from __future__ import annotations

import queue
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from gilscope.target.order.patches import Patches

WAITS = frozenset({"wait", "wait_for"})
LONG = 1.0
"""Seconds: a time limit from here on is a precaution, and nothing that programs work with."""


def conditions(patches: Patches) -> None:
    """See who waits for conditions and who notifies."""
    wait_for_it, provide = patches.native.wait, patches.native.provide

    def wait(original: Any) -> Callable[..., Any]:
        def wait(self: threading.Condition, timeout: float | None = None) -> bool:
            if timeout is None:
                lock = self._lock  # type: ignore[attr-defined]
                wait_for_it(self, "condition", lock, lock)
            return bool(original(self, timeout))

        return wait

    def notify(original: Any) -> Callable[..., Any]:
        def notify(self: threading.Condition, n: int = 1) -> None:
            provide(self, "condition", self._lock)  # type: ignore[attr-defined]
            if self not in patches.mutexes:
                patches.native.give(self)
            original(self, n)

        return notify

    patches.patch(threading.Condition, "wait", wait)
    patches.patch(threading.Condition, "notify", notify)


def predicates(patches: Patches) -> None:
    """See who finds that there is nothing to wait for: that orders threads as well."""
    native = patches.native

    def wait_until(original: Any) -> Callable[..., Any]:
        def wait_for(
            self: threading.Condition, predicate: Callable[[], Any], timeout: float | None = None
        ) -> Any:
            if timeout is None:
                lock = self._lock  # type: ignore[attr-defined]
                native.wait(self, "condition", lock, lock)
            result = original(self, predicate, timeout)
            if result:
                native.take(self)
            return result

        return wait_for

    def leave(original: Any) -> Callable[..., Any]:
        def __exit__(self: threading.Condition, *error: Any) -> Any:  # noqa: N807
            if not WAITS.isdisjoint(sys._getframe(1).f_code.co_names):  # noqa: SLF001 - who leaves
                native.take(self)
            return original(self, *error)

        return __exit__

    patches.patch(threading.Condition, "wait_for", wait_until)
    patches.patch(threading.Condition, "__exit__", leave)


def events(patches: Patches) -> None:
    """See who sets events."""
    native = patches.native

    def set_(original: Any) -> Callable[..., Any]:
        def set(self: threading.Event) -> None:  # noqa: A001 - the method's own name
            native.give(self)
            original(self)

        return set

    def clear(original: Any) -> Callable[..., Any]:
        def clear(self: threading.Event) -> None:
            native.renew(self._cond)  # type: ignore[attr-defined]
            original(self)

        return clear

    patches.patch(threading.Event, "set", set_)
    patches.patch(threading.Event, "clear", clear)


def awaited_events(patches: Patches) -> None:
    """See who waits for events: whoever finds one set knows what was done before."""
    native = patches.native

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
                condition = self._cond  # type: ignore[attr-defined]
                native.wait(condition, "event", condition._lock, None)  # noqa: SLF001
            found = bool(original(self, timeout))
            if found and (timeout is None or timeout >= LONG):
                native.take(self)
            return found

        return wait

    patches.patch(threading.Event, "is_set", is_set)
    patches.patch(threading.Event, "wait", wait)


def new_semaphores(patches: Patches) -> None:
    """See what a semaphore begins with, which tells what it is for."""
    native = patches.native

    def init(original: Any) -> Callable[..., Any]:
        def __init__(self: threading.Semaphore, value: int = 1) -> None:  # noqa: N807
            original(self, value)
            maker = sys._getframe(1).f_code.co_filename  # noqa: SLF001 - who made it
            # A pool counts its idle threads with one: nobody waits for it.
            if maker.replace("\\", "/").endswith("concurrent/futures/thread.py"):
                native.ignore(self._cond._lock)  # type: ignore[attr-defined] # noqa: SLF001
            elif value == 0:
                patches.signals.add(self)
            elif value == 1:
                patches.mutexes.add(self._cond)  # type: ignore[attr-defined]

        return __init__

    patches.patch(threading.Semaphore, "__init__", init)


def semaphores(patches: Patches) -> None:
    """See who waits for semaphores; who gives back notifies their condition."""
    native = patches.native

    def acquire(original: Any) -> Callable[..., Any]:
        def acquire(
            self: threading.Semaphore,
            blocking: bool = True,  # noqa: FBT001, FBT002 - the method's own
            timeout: float | None = None,
        ) -> bool:
            condition: Any = self._cond  # type: ignore[attr-defined]
            if blocking and timeout is None:
                value = max(self._value, 0)
                native.wait(condition, "semaphore", condition._lock, None, value)  # noqa: SLF001
            got = bool(original(self, blocking, timeout))
            if got and self in patches.signals:
                native.take_item(self, None)
            elif got and condition in patches.mutexes:
                native.hold(condition)
            return got

        return acquire

    patches.patch(threading.Semaphore, "acquire", acquire)
    # It is the same function under another name.
    patches.put(threading.Semaphore, "__enter__", threading.Semaphore.acquire)


def signals(patches: Patches) -> None:
    """See each release of a semaphore that began with nothing let one thread go on."""
    native = patches.native

    def release(original: Any) -> Callable[..., Any]:
        def release(self: threading.Semaphore, n: int = 1) -> None:
            if self in patches.signals:
                for _ in range(n):
                    native.give_item(self, None)
            elif self._cond in patches.mutexes:  # type: ignore[attr-defined]
                native.give_back(self._cond)  # type: ignore[attr-defined]
            original(self, n)

        return release

    patches.patch(threading.Semaphore, "release", release)
    patches.patch(threading.BoundedSemaphore, "release", release)


def barriers(patches: Patches) -> None:
    """See who waits at barriers: all that come there bring it about."""
    native = patches.native

    def wait(original: Any) -> Callable[..., Any]:
        def wait(self: threading.Barrier, timeout: float | None = None) -> int:
            condition: Any = self._cond  # type: ignore[attr-defined]
            if timeout is None and self._timeout is None:  # type: ignore[attr-defined]
                native.wait(condition, "barrier", condition._lock, None)  # noqa: SLF001
            native.give(self)
            native.provide(condition, "barrier", condition._lock)  # noqa: SLF001
            place = int(original(self, timeout))
            native.take(self)
            return place

        return wait

    patches.patch(threading.Barrier, "wait", wait)


def queues(patches: Patches) -> None:
    """See who waits for room in queues, or for items."""
    native = patches.native

    def put(original: Any) -> Callable[..., Any]:
        def put(
            self: queue.Queue[Any],
            item: Any,
            block: bool = True,  # noqa: FBT001, FBT002 - the method's own
            timeout: float | None = None,
        ) -> None:
            if block and timeout is None and self.maxsize > 0:
                native.wait(self.not_full, "queue-put", self.mutex, None, self.maxsize)
            original(self, item, block, timeout)

        return put

    def get(original: Any) -> Callable[..., Any]:
        def get(
            self: queue.Queue[Any],
            block: bool = True,  # noqa: FBT001, FBT002 - the method's own
            timeout: float | None = None,
        ) -> Any:
            if block and timeout is None:
                native.wait(self.not_empty, "queue-get", self.mutex, None)
            return original(self, block, timeout)

        return get

    patches.patch(queue.Queue, "put", put)
    patches.patch(queue.Queue, "get", get)


def tasks(patches: Patches) -> None:
    """See who waits for all tasks of a queue, and who has done one."""
    native = patches.native

    def join(original: Any) -> Callable[..., Any]:
        def join(self: queue.Queue[Any]) -> None:
            native.wait(self.all_tasks_done, "queue-join", self.mutex, None)
            original(self)
            native.take(self.all_tasks_done)

        return join

    def done(original: Any) -> Callable[..., Any]:
        def task_done(self: queue.Queue[Any]) -> None:
            native.provide(self.all_tasks_done, "queue-join", self.mutex)
            native.give(self.all_tasks_done)
            original(self)

        return task_done

    patches.patch(queue.Queue, "join", join)
    patches.patch(queue.Queue, "task_done", done)


def items(patches: Patches) -> None:
    """Hand on with each item of a queue what was done before it was put."""
    native = patches.native

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

    for cls in (queue.Queue, queue.LifoQueue, queue.PriorityQueue):
        patches.patch(cls, "_put", put_item)
        patches.patch(cls, "_get", get_item)
