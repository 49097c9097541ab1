"""Waits for locks in all sorts of code, one after another, each in a thread of its own."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import queue
import sys
import threading
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import stage
from scenario import main, scenario

from gilscope.target.recording import session as probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    type Lock = threading.Lock
    type Fact = dict[str, Any]

DEEP = 300
ROUNDS = 60
RECORDINGS = 8
GLOBAL = threading.Lock()
CACHE = {i: i for i in range(10)}


def staged(lock: Any, wait: Callable[[Lock], object], **facts: object) -> Fact:
    """Let a thread sleep in ``wait`` until the calling one gives the lock up."""
    lock.acquire()
    waiter = threading.Thread(target=wait, args=(lock,))
    waiter.start()
    stage.asleep(waiter.native_id)
    gives_up(lock)
    waiter.join()
    return {"waiter": waiter.native_id, **facts}


def gives_up(lock: Lock) -> None:
    """End the wait."""
    lock.release()  # gives up


def in_with(lock: Lock) -> None:
    """Wait in a statement."""
    with lock:  # in with
        pass


def in_callback(lock: Lock) -> None:
    """Wait in what native code has called."""

    def key(item: int) -> int:
        lock.acquire()  # in callback
        return item

    sorted([1], key=key)  # calls back


def in_generator(lock: Lock) -> None:
    """Wait in a generator that has been suspended before."""

    def generator() -> Iterator[int]:
        yield 1
        lock.acquire()  # in generator
        yield 2

    list(generator())  # runs the generator


def in_expression(lock: Lock) -> None:
    """Wait in a generator expression."""
    any(lock.acquire() for _ in range(1))  # in expression


def in_comprehension(lock: Lock) -> None:
    """Wait in a list comprehension, which is no function of its own."""
    [lock.acquire() for _ in range(1)]  # in comprehension


def in_coroutine(lock: Lock) -> None:
    """Wait in a coroutine that another one awaits."""

    async def inner() -> None:
        lock.acquire()  # in coroutine

    async def outer() -> None:
        await inner()  # awaits

    coroutine = outer()
    with contextlib.suppress(StopIteration):
        coroutine.send(None)  # sends


def in_text(lock: Lock) -> None:
    """Wait in code that was made from text."""
    code = compile("\n\nlock.acquire()\n", "text of stacks", "exec")
    exec(code, {"lock": lock})  # noqa: S102 # runs text


def in_recursion(lock: Lock, depth: int = DEEP) -> None:
    """Wait with a deep stack."""
    if depth:
        in_recursion(lock, depth - 1)  # recurses
    else:
        lock.acquire()  # in recursion


def in_non_ascii(lock: Lock) -> None:
    """Wait in a function whose name has other letters."""

    def wärter() -> None:  # noqa: PLC2401 - that is what it is for
        lock.acquire()  # in non-ascii

    wärter()


PLACES = [
    in_with,
    in_callback,
    in_generator,
    in_expression,
    in_comprehension,
    in_coroutine,
    in_text,
    in_recursion,
    in_non_ascii,
]


@scenario
def places(trace: str) -> list[Fact]:
    """A wait in each kind of code."""
    probe.start(trace)
    facts = [staged(threading.Lock(), place, place=place.__name__) for place in PLACES]
    probe.stop()
    return facts


def churned(trace: str) -> Fact:
    """Wait in functions that are gone right afterwards, each with other text at other lines."""
    lock = threading.Lock()
    turn: list[int] = []
    tid = threading.get_native_id()

    def release() -> None:
        for i in range(ROUNDS):
            while len(turn) <= i:
                time.sleep(0)
            stage.asleep(tid)
            lock.release()

    probe.start(trace)
    helper = threading.Thread(target=release)
    helper.start()
    lock.acquire()
    for i in range(ROUNDS):
        text = "\n" * i + f"def made_{i}(lock, turn):\n    turn.append(1)\n    lock.acquire()\n"
        names: dict[str, Any] = {}
        exec(compile(text, f"text {i}", "exec"), names)  # noqa: S102
        names[f"made_{i}"](lock, turn)
        names.clear()
        gc.collect()
    helper.join()
    probe.stop()
    return {"waiter": tid, "rounds": ROUNDS}


@scenario
def churn(trace: str) -> Fact:
    """Code objects come and go."""
    return churned(trace)


@scenario
def churn_unwatched(trace: str) -> Fact:
    """The same where others have taken all watchers of code objects."""
    nothing = ctypes.cast(ctypes.pythonapi.Py_IsFinalizing, ctypes.c_void_p)
    taken = 0
    try:
        while True:
            ctypes.pythonapi.PyCode_AddWatcher(nothing)
            taken += 1
    except RuntimeError:
        pass
    return {**churned(trace), "taken": taken}


class Owner:
    """Has locks as attributes."""

    shared = threading.Lock()

    def __init__(self) -> None:
        self.first = 1
        self.inner = threading.Lock()
        self.reentrant = threading.RLock()

    def wait_inner(self, _: Lock) -> None:
        """Wait for the attribute."""
        with self.inner:
            pass

    def wait_reentrant(self, _: Lock) -> None:
        """Wait for the attribute."""
        with self.reentrant:
            pass

    def wait_shared(self, _: Lock) -> None:
        """Wait for the attribute of the class."""
        with self.shared:
            pass


class Crowded(Owner):
    """Has more attributes than stand inside an object."""

    def __init__(self) -> None:
        super().__init__()
        for i in range(100):
            setattr(self, f"more_{i}", i)
        self.__dict__["last"] = threading.Lock()

    def wait_last(self, _: Lock) -> None:
        """Wait for the attribute."""
        with self.last:  # type: ignore[attr-defined]
            pass


class Slotted:
    """Has a lock in a slot."""

    __slots__ = ("one", "slot")

    def __init__(self) -> None:
        self.slot = threading.Lock()

    def wait(self, _: Lock) -> None:
        """Wait for the slot."""
        with self.slot:
            pass


def wait_global(_: object) -> None:
    """Wait for the lock that the module has."""
    with GLOBAL:
        pass


def wait_local(mine: Lock) -> None:
    """Wait for what only a local variable has."""
    with mine:
        pass


@scenario
def names(trace: str) -> list[Fact]:
    """A wait for a lock of each kind of owner."""
    owner, crowded, slotted = Owner(), Crowded(), Slotted()
    items: queue.Queue[int] = queue.Queue()
    enclosed = threading.Lock()

    def wait_enclosed(_: Lock) -> None:
        with enclosed:
            pass

    probe.start(trace)
    facts = [
        staged(GLOBAL, wait_global, name="__main__.GLOBAL", source="module global"),
        staged(owner.inner, owner.wait_inner, name="Owner.inner", source="attribute"),
        staged(owner.reentrant, owner.wait_reentrant, name="Owner.reentrant", source="attribute"),
        staged(Owner.shared, owner.wait_shared, name="Owner.shared", source="attribute"),
        staged(crowded.last, crowded.wait_last, name="Crowded.last", source="attribute"),  # type: ignore[attr-defined]
        staged(slotted.slot, slotted.wait, name="Slotted.slot", source="attribute"),
        staged(items.mutex, lambda _: items.put(1), name="Queue.mutex", source="attribute"),
        staged(
            enclosed,
            wait_enclosed,
            name="names.<locals>.wait_enclosed.<locals>.enclosed",
            source="local variable",
        ),
        staged(
            threading.Lock(), wait_local, name="wait_local.<locals>.mine", source="local variable"
        ),
    ]
    probe.stop()
    return facts


def wait_in_tuple(locks: tuple[Lock]) -> None:
    """Wait for what no variable has."""
    locks[0].acquire()


@scenario
def allocated(trace: str) -> list[Fact]:
    """Locks without a name, one of which tracemalloc knows; another one is gone at the end."""
    unknown = threading.Lock()
    tracemalloc.start()
    known = threading.Lock()  # allocates
    probe.start(trace)
    facts = [in_tuple(lock) for lock in (unknown, known, threading.Lock())]
    tracing = [threading.Lock() for _ in range(1000)]
    probe.stop()
    return [*facts, {"tracing": len(tracing)}]


@scenario
def created(trace: str) -> list[Fact]:
    """Locks without a name, from before the recording and from three lines of it."""
    early = threading.Lock()
    probe.start(trace)
    facts = [in_tuple(early), in_tuple(threading.Lock())]  # makes a lock
    facts.append(in_tuple(threading.Lock()))  # makes another
    work: queue.Queue[int] = queue.Queue()  # makes a queue
    facts.append(in_tuple(work.mutex))
    probe.stop()
    return facts


@scenario
def created_and_named(trace: str) -> list[Fact]:
    """A lock of a local variable."""
    probe.start(trace)
    lock = threading.Lock()  # makes a named lock
    facts = [staged(lock, wait_local, name="wait_local.<locals>.mine", source="local variable")]
    probe.stop()
    return facts


def in_tuple(lock: Lock) -> Fact:
    """Stage a wait for a lock that the waiter has in no variable."""
    lock.acquire()
    waiter = threading.Thread(target=wait_in_tuple, args=((lock,),))
    waiter.start()
    stage.asleep(waiter.native_id)
    lock.release()
    waiter.join()
    return {"waiter": waiter.native_id}


@scenario
def put_back(trace: str) -> list[list[int]]:
    """Destructors and allocators of the types of locks, before, during and after a recording."""
    types = [type(threading.Lock()), type(threading.RLock())]
    after_size = object.__basicsize__ + 4 * ctypes.sizeof(ctypes.c_void_p)
    to_alloc = 32 * ctypes.sizeof(ctypes.c_void_p)
    places = [id(some) + after_size + more for some in types for more in (0, to_alloc)]
    slots = [ctypes.c_void_p.from_address(place) for place in places]
    seen = [[slot.value or 0 for slot in slots]]
    for _ in range(2):
        probe.start(trace)
        seen.append([slot.value or 0 for slot in slots])
        probe.stop()
        seen.append([slot.value or 0 for slot in slots])
    return seen


def wait_odd(odd: Lock) -> None:
    """Wait for a lock under one name."""
    odd.acquire()


def wait_even(even: Lock) -> None:
    """Wait for a lock under another name."""
    even.acquire()


@scenario
def reused(trace: str) -> list[Fact]:
    """Locks that live one after another, perhaps at one address."""
    probe.start(trace)
    facts = []
    for i in range(ROUNDS):
        wait, name = ((wait_odd, "odd"), (wait_even, "even"))[i % 2]
        facts.append(staged(threading.Lock(), wait, name=f"{wait.__name__}.<locals>.{name}"))
    probe.stop()
    return facts


@scenario
def alias(trace: str) -> list[Fact]:
    """One lock under two names."""
    lock = threading.Lock()
    probe.start(trace)
    facts = []
    for wait in (wait_odd, wait_even, wait_odd):
        facts.append(staged(lock, wait))
        lock.release()
    probe.stop()
    return facts


def copy_global() -> None:
    """Wait for a dict of the module."""
    stage.await_hold()
    CACHE.copy()


def copy_local(numbers: list[int]) -> None:
    """Wait for a list that a variable holds."""
    stage.await_hold()
    numbers.copy()


def held(trace: str, shared: object, wait: Callable[[], None]) -> Fact:
    """Let a thread wait for an object that native code has locked."""
    probe.start(trace)
    waiter = threading.Thread(target=wait)
    waiter.start()
    stage.hold_object(shared, waiter.native_id)
    waiter.join()
    probe.stop()
    return {"waiter": waiter.native_id, "object": id(shared)}


@scenario
def object_global(trace: str) -> Fact:
    """A dict of the module."""
    return {**held(trace, CACHE, copy_global), "name": "__main__.CACHE"}


@scenario
def object_local(trace: str) -> Fact:
    """A list of a function."""
    numbers = [3, 2, 1]
    facts = held(trace, numbers, lambda: copy_local(numbers))
    return {**facts, "name": "object_local.<locals>.<lambda>.<locals>.numbers"}


def generates(lock: Lock) -> Iterator[int]:
    """Hold a lock while suspended."""
    for i in range(3):
        with lock:
            time.sleep(1e-4)  # somebody will want it
            yield i


def raises(lock: Lock, depth: int) -> None:
    """Leave a deep stack at once."""
    if depth:
        raises(lock, depth - 1)
    with lock:
        raise ValueError


async def awaited(lock: Lock) -> None:
    """Wait in a coroutine."""
    with lock:
        pass


def once(lock: Lock) -> None:
    """Be a thread for a moment."""
    with lock:
        pass


def storm(stop: list[int], locks: list[Lock]) -> None:
    """Wait in ever-changing code until told to stop."""
    i = 0
    while not stop:
        i += 1
        lock = locks[i % len(locks)]
        list(generates(lock))
        with contextlib.suppress(ValueError):
            raises(lock, i % 40)
        with contextlib.suppress(StopIteration):
            awaited(lock).send(None)
        text = f"def made_{i}(lock):\n    with lock: pass\nmade_{i}(lock)"
        exec(text, {"lock": lock})  # noqa: S102
        sorted([2, 1], key=lambda item: (once(lock), item)[1])
        if i % 20 == 0:
            threading.Thread(target=once, args=(lock,)).start()


@scenario
def stress(trace: str) -> Fact:
    """Everything at once, while recordings start and stop."""
    sys.setswitchinterval(1e-5)
    stop: list[int] = []
    locks = [threading.Lock() for _ in range(3)]
    threads = [threading.Thread(target=storm, args=(stop, locks)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for i in range(RECORDINGS):
        probe.start(f"{trace}.{i}")
        time.sleep(0.15)
        probe.stop()
    stop.append(1)
    for thread in threads:
        thread.join()
    return {"recordings": RECORDINGS}


if __name__ == "__main__":
    main()
