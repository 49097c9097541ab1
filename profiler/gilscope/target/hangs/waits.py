"""What a thread waits for: from its system call, its stacks, and the memory that it sleeps in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gilscope.target.hangs import names
from gilscope.target.hangs.future_waits import for_future, for_futures
from gilscope.target.hangs.interpreter import ATTACHED
from gilscope.target.hangs.loop_waits import for_loop
from gilscope.target.hangs.native_stacks import is_c_library
from gilscope.target.hangs.native_waits import native_wait
from gilscope.target.hangs.picture import Picture, Wait, own_frame
from gilscope.target.hangs.process import WORD, UnreadableError
from gilscope.target.hangs.with_blocks import entered

if TYPE_CHECKING:
    from gilscope.target.hangs.interpreter import PythonFrame
    from gilscope.target.hangs.picture import Thread

_STOPS_THE_WORLD = ("stop_the_world", "_PyEval_StopTheWorld", "_PyEval_StopTheWorldAll")
_PARKED = 1 << 16  # bytes of a thread's stack in which what it is parked on lies

# Functions of the standard library that wait, by file and name: what they wait for. The object is
# that of the outermost of them; it has no owner, anybody may end the wait.
_LIBRARY = ("/threading.py", "/queue.py", "/_base.py", "/pool.py", "/thread.py", "/connection.py")


def find_waits(picture: Picture) -> None:
    """Fill in what each thread of the picture waits for."""
    for thread in picture.threads.values():
        if thread.task.wait.asleep:
            try:
                thread.wait = _wait(picture, thread)
            except UnreadableError:
                thread.wait = Wait("unknown", "something that could not be read", ends=True)


def _wait(picture: Picture, thread: Thread) -> Wait:
    task = thread.task.wait
    if not task.futex:
        call = f"the system call {task.call or 'that it is in'}"
        return for_loop(picture, thread) or Wait("call", call, ends=True)
    return (
        _for_gil(picture, thread)
        or _for_pause(picture, thread)
        or _for_parked(picture, thread)
        or native_wait(picture, thread)
    )


def _for_gil(picture: Picture, thread: Thread) -> Wait | None:
    for state in thread.states:
        gil = picture.gils[state.interp]
        if gil.has(thread.task.wait.futex):
            if thread.task.wait.locks:
                # Held for moments only, unless its holder cannot go on.
                wait = native_wait(picture, thread)
                return replace(wait, what="the mutex of the GIL")
            holder = picture.by_state.get(gil.holder, 0) if gil.locked else 0
            if holder == thread.tid:
                holder = 0  # it has just got it: memory is not read at one moment
            return Wait("gil", "the GIL", (holder,) if holder else (), ends=not holder)
    return None


def _for_pause(picture: Picture, thread: Thread) -> Wait | None:
    """Who stops the world waits for all that are attached; it asks again every millisecond."""
    if not stops_the_world(thread):
        return None
    others = tuple(
        other.tid
        for other in picture.threads.values()
        if other is not thread and any(state.state == ATTACHED for state in other.states)
    )
    return Wait(
        "pause", "all other threads to stand still (it stops the world)", others, ends=not others
    )


def stops_the_world(thread: Thread) -> bool:
    """Whether a thread is about to stop the world."""
    return any(frame.symbol in _STOPS_THE_WORLD for frame in thread.native)


def _for_parked(picture: Picture, thread: Thread) -> Wait | None:
    """A semaphore on the thread's own stack: the parking lot's, which notes the address before it.

    One elsewhere that a lock object near it has: that lock.
    """
    task = thread.task.wait
    if not _is_interpreters(thread):
        return None
    if not task.sp <= task.futex < task.sp + _PARKED:
        lock = names.lock_with_semaphore(picture.interpreter, thread.python, task.futex)
        return _for_lock(picture, thread, lock) if lock else None
    address = picture.process.number(task.futex - WORD)
    requester = _suspended(picture, address)
    if requester is not None:
        return Wait("paused", "the end of a stop-the-world pause", requester)
    lock = address - picture.interpreter.offsets.head
    if names.is_lock(picture.interpreter, lock):
        return _for_lock(picture, thread, lock)
    return _known_call(picture, thread) or _for_object(picture, thread, address)


def _is_interpreters(thread: Thread) -> bool:
    """Whether it is the interpreter that sleeps, as far as the native stack says."""
    frames = (f for f in thread.native if not is_c_library(f.module) and not names.is_own(f.path))
    outer = next(frames, None)
    return outer is None or Path(outer.path).name.startswith(("python", "libpython"))


def _suspended(picture: Picture, address: int) -> tuple[int, ...] | None:
    state = picture.interpreter.offsets.state
    for thread in picture.threads.values():
        if any(address == s.address + state for s in thread.states):
            return tuple(t.tid for t in picture.threads.values() if stops_the_world(t))
    return None


def _for_object(picture: Picture, thread: Thread, address: int) -> Wait:
    interpreter = picture.interpreter
    ends = thread.task.wait.timed
    if interpreter.offsets.free_threaded and address & 15 == 10:  # noqa: PLR2004 - PyObject.ob_mutex
        try:
            kind = interpreter.objects.type_name(address - 10)
        except UnreadableError:
            kind = ""
        if kind:
            name = names.name_of(interpreter, thread.python, address - 10)
            what = f"the lock of {kind} `{name}`" if name else f"the lock of a {kind}"
            return Wait("lock", what, ends=ends, lock=address)
    return Wait("lock", "a lock of the interpreter", ends=ends, lock=address)


def _for_lock(picture: Picture, thread: Thread, lock: int) -> Wait:
    """Wait for a lock object, or by way of one for what the library made of it."""
    known = _known_call(picture, thread)
    if known is not None:
        return known
    interpreter = picture.interpreter
    name = names.lock_name(interpreter, thread.python, lock)
    owners, lost = lock_owners(picture, lock)
    return Wait("lock", name, owners, thread.task.wait.timed, lost, lock)


def lock_owners(picture: Picture, lock: int) -> tuple[tuple[int, ...], str]:
    """Return who has a lock, or that who had it is gone: as an RLock says, or by with blocks."""
    interpreter = picture.interpreter
    ident = 0
    if interpreter.objects.type_name(lock) == "_thread.RLock":
        ident = names.rlock_owner(interpreter, lock)
    if ident:
        owner = picture.owner(ident)
        return ((owner,), "") if owner else ((), "a thread that has ended")
    owners = (t.tid for t in picture.threads.values() if lock in owned_locks(picture, t))
    return tuple(owners), ""


def owned_locks(picture: Picture, thread: Thread) -> dict[int, PythonFrame]:
    """Return the locks whose with blocks a thread is in, with the frames of these.

    Who waits for a condition has given its lock back.
    """
    interpreter, objects = picture.interpreter, picture.interpreter.objects
    found: dict[int, PythonFrame] = {}
    given_back = set()
    for frame in thread.python:
        try:
            if frame.name == "Condition.wait" and frame.file.endswith("/threading.py"):
                own = dict(interpreter.variables(frame))["self"]
                given_back.add(objects.attribute(own, "_lock"))
            for manager in entered(interpreter, frame):
                lock = manager
                if not names.is_lock(interpreter, manager):
                    lock = dict(objects.attributes(manager)).get("_lock", 0)
                if names.is_lock(interpreter, lock) and lock not in given_back:
                    found.setdefault(lock, frame)
        except (UnreadableError, KeyError):
            continue
    return found


def _known_call(picture: Picture, thread: Thread) -> Wait | None:
    """Wait in a function of the standard library that is known to wait.

    A watch for races or for the order of locks has functions of its own around and between these.
    """
    stack = [frame for frame in thread.python if not names.is_own(frame.file)]
    if not stack:
        return None
    frame = stack[0]
    if frame.file == "<frozen importlib._bootstrap>" and frame.name == "_ModuleLock.acquire":
        return _for_module(picture, frame)
    if not frame.file.endswith(_LIBRARY):
        return None
    if frame.name == "Thread.join" and frame.file.endswith("/threading.py"):
        return _for_thread(picture, thread, frame)
    if frame.name == "_shutdown" and frame.file.endswith("/threading.py"):
        return _for_all(picture, thread)
    return _for_event(picture, thread, stack)


def _for_module(picture: Picture, frame: PythonFrame) -> Wait | None:
    """Wait for a module that another thread imports: it says who."""
    interpreter, objects = picture.interpreter, picture.interpreter.objects
    own = dict(interpreter.variables(frame)).get("self", 0)
    if not own:
        return None
    name = objects.text(objects.attribute(own, "name"))
    try:
        owner = picture.by_ident.get(objects.integer(objects.attribute(own, "owner")), 0)
    except UnreadableError:
        owner = 0
    owners = (owner,) if owner else ()
    return Wait("import", f"the import of `{name}` to end", owners, lock=own)


def _for_thread(picture: Picture, thread: Thread, frame: PythonFrame) -> Wait:
    interpreter, objects = picture.interpreter, picture.interpreter.objects
    ends = thread.task.wait.timed
    try:
        own = dict(interpreter.variables(frame))["self"]
        attributes = dict(objects.attributes(own))
        tid = picture.by_ident.get(objects.integer(attributes["_ident"]), 0)
        name = objects.text(attributes["_name"])
    except (UnreadableError, KeyError):
        return Wait("join", "a thread", ends=ends)
    return Wait("join", f"thread {name}", (tid,) if tid else (), ends=ends)


def _for_all(picture: Picture, thread: Thread) -> Wait:
    others = tuple(
        t.tid
        for t in picture.threads.values()
        if t is not thread and not t.daemon and t.python and not t.name.startswith("native ")
    )
    return Wait("threads", "all threads to end", others, ends=not others)


def _for_event(picture: Picture, thread: Thread, stack: list[PythonFrame]) -> Wait | None:
    """Wait for what another thread has to do to an object: set it, put into it, release it."""
    waiting = []
    for frame in stack:
        if not frame.file.endswith(_LIBRARY) or frame.name.startswith("Thread."):
            break
        waiting.append(frame)
    if not waiting:
        return None
    interpreter = picture.interpreter
    own = _object(picture, waiting)
    try:
        kind = interpreter.objects.type_name(own) if own else ""
    except UnreadableError:
        kind = ""
    if not kind:
        return None
    name = names.name_of(interpreter, stack[len(waiting) :], own)
    what = f"{kind} `{name}`" if name else f"{'an' if kind[0] in 'AEIO' else 'a'} {kind}"
    wait = Wait("event", what, ends=thread.task.wait.timed, lock=own)
    if kind == "Future":
        return for_future(picture, wait)
    return for_futures(picture, waiting[-1], wait)


def _object(picture: Picture, waiting: list[PythonFrame]) -> int:
    """Return the object whose method the outermost of some frames runs; 0 if there is none.

    Functions that are no methods, as the generator of Executor.map(), are passed over.
    """
    for frame in reversed(waiting):
        try:
            own = dict(picture.interpreter.variables(frame)).get("self", 0)
        except UnreadableError:
            continue
        if own:
            return own
    return 0


def held(picture: Picture, thread: Thread) -> list[str]:
    """Return what a thread is known to own, for people."""
    interpreter = picture.interpreter
    found = ["the GIL"] if thread.holds_gil else []
    for lock, frame in owned_locks(picture, thread).items():
        place = own_frame([frame])
        name = names.lock_name(interpreter, [place] if place else [], lock)
        found.append(name)
    return found
