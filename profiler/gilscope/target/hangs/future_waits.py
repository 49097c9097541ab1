"""Who has to act before a future of concurrent.futures is done."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gilscope.target.hangs.process import WORD, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.target.hangs.interpreter import PythonFrame
    from gilscope.target.hangs.picture import Picture, Thread, Wait

_WORKERS = "/concurrent/futures/thread.py"
_FUTURES = "/concurrent/futures/_base.py"
_PENDING = {"wait": "not_done", "as_completed": "pending"}
"""Variables of functions that wait for several futures: those that are not done."""

_OPEN = ("PENDING", "RUNNING")
_LOOPS = "/asyncio/base_events.py"
_MOST_ITEMS = 10_000
_BLOCK = 64  # items of a block of a deque (_collectionsmodule.c)
_OBJECT_WORDS = 24  # of an object that is searched for what it refers to


def for_future(picture: Picture, wait: Wait) -> Wait:
    """Return a wait for a future with those who have to act; as it was if that is not known."""
    try:
        for thread in picture.threads.values():
            owner = _runs(picture, thread, wait.lock)
            if owner:
                return replace(wait, kind="future", owners=(thread.tid,))
        workers = _workers(picture, wait.lock)
    except UnreadableError:
        return wait
    return replace(wait, kind="future", owners=workers, any_of=True) if workers else wait


def for_futures(picture: Picture, frame: PythonFrame, wait: Wait) -> Wait:
    """Return a wait in wait() or as_completed() with those who have to act for all of its futures.

    As it was where that is not known of one of them, or where the frame is of neither.
    """
    pending = _PENDING.get(frame.name)
    if pending is None or not frame.file.endswith(_FUTURES):
        return wait
    try:
        futures = _members(picture, _variable(picture, frame, pending))
        futures = [future for future in futures if _is_open(picture, future)]
    except UnreadableError:
        return wait
    found = [for_future(picture, replace(wait, lock=future)) for future in futures]
    if not found or not all(one.owners for one in found):
        return wait
    owners = dict.fromkeys(owner for one in found for owner in one.owners)
    what = "Futures" if len(found) > 1 else "a Future"
    return replace(wait, kind="future", what=what, owners=tuple(owners), any_of=True)


def _is_open(picture: Picture, future: int) -> bool:
    objects = picture.interpreter.objects
    return objects.text(objects.attribute(future, "_state")) in _OPEN


def _members(picture: Picture, address: int) -> list[int]:
    """Return the members of a set: fill, used, mask and the table follow its head."""
    interpreter = picture.interpreter
    if not address or interpreter.objects.type_name(address) != "set":
        return []
    read, begin = interpreter.process.number, address + interpreter.offsets.head
    used, mask, table = (read(begin + WORD * i) for i in (1, 2, 3))
    if not used <= mask < _MOST_ITEMS:
        return []
    found = []
    for i in range(mask + 1):
        member = read(table + 2 * WORD * i)
        if member and interpreter.objects.type_name(member) == "Future":
            found.append(member)
    return found if len(found) == used else []


def _runs(picture: Picture, thread: Thread, future: int) -> bool:
    """Whether a thread runs what a future is for, or the event loop that has to begin it."""
    for frame in thread.python:
        if frame.name == "_WorkItem.run" and frame.file.endswith(_WORKERS):
            item = _variable(picture, frame, "self")
            if item and picture.interpreter.objects.attribute(item, "future") == future:
                return True
        if frame.name == "BaseEventLoop._run_once" and frame.file.endswith(_LOOPS):
            loop = _variable(picture, frame, "self")
            if loop and _is_to_begin(picture, loop, future):
                return True
    return False


def _variable(picture: Picture, frame: PythonFrame, name: str) -> int:
    return dict(picture.interpreter.variables(frame)).get(name, 0)


def _workers(picture: Picture, future: int) -> tuple[int, ...]:
    """Return the threads of the executor in whose queue the work for a future is."""
    queues: dict[int, list[int]] = {}
    for thread in picture.threads.values():
        for frame in thread.python:
            if frame.name == "_worker" and frame.file.endswith(_WORKERS):
                queue = _variable(picture, frame, "work_queue")
                queues.setdefault(queue, []).append(thread.tid)
    for queue, threads in queues.items():
        if queue and any(_is_for(picture, item, future) for item in _queued(picture, queue)):
            return tuple(threads)
    return ()


def _is_for(picture: Picture, item: int, future: int) -> bool:
    objects = picture.interpreter.objects
    try:
        return (
            objects.type_name(item) == "_WorkItem" and objects.attribute(item, "future") == future
        )
    except UnreadableError:
        return False


def _queued(picture: Picture, queue: int) -> Iterator[int]:
    """Yield the items of a SimpleQueue: a ring (struct RingBuf in _queuemodule.c, from 3.13 on)."""
    interpreter = picture.interpreter
    read = interpreter.process.number
    if interpreter.objects.type_name(queue) != "_queue.SimpleQueue":
        return
    ring = queue + interpreter.offsets.head + WORD
    _, get, items, room, count = (read(ring + WORD * i) for i in range(5))
    if room < 1 or get >= room or count > min(room, _MOST_ITEMS):
        return
    for i in range(count):
        yield read(items + WORD * ((get + i) % room))


def _is_to_begin(picture: Picture, loop: int, future: int) -> bool:
    """Whether a loop has yet to begin the coroutine that run_coroutine_threadsafe() gave it.

    What is to be called next is in a deque of handles; that one has a closure over the future.
    """
    objects = picture.interpreter.objects
    ready = objects.attribute(loop, "_ready")
    for handle in _items(picture, ready):
        for function in _referred(picture, handle, "function"):
            for closure in _referred(picture, function, "tuple"):
                cells = objects.items(closure)
                if any(_content(picture, cell) == future for cell in cells):
                    return True
    return False


def _items(picture: Picture, deque: int) -> Iterator[int]:
    """Yield the items of a deque: its size, then its first and last block and its first index."""
    interpreter = picture.interpreter
    read = interpreter.process.number
    if interpreter.objects.type_name(deque) != "collections.deque":
        return
    begin = deque + interpreter.offsets.head
    count, block, _, index = (read(begin + WORD * i) for i in range(4))
    for _ in range(min(count, _MOST_ITEMS)):
        if index >= _BLOCK:
            block, index = read(block + WORD * (1 + _BLOCK)), 0
        yield read(block + WORD * (1 + index))
        index += 1


def _referred(picture: Picture, address: int, kind: str) -> Iterator[int]:
    """Yield the objects of a type that one refers to, by the words that it is made of."""
    interpreter = picture.interpreter
    begin = address + interpreter.offsets.head
    for i in range(_OBJECT_WORDS):
        try:
            found = interpreter.process.number(begin + WORD * i)
            if found % WORD == 0 and interpreter.objects.type_name(found) == kind:
                yield found
        except UnreadableError:
            continue


def _content(picture: Picture, cell: int) -> int:
    interpreter = picture.interpreter
    try:
        if interpreter.objects.type_name(cell) != "cell":
            return 0
        return interpreter.process.number(cell + interpreter.offsets.head)
    except UnreadableError:
        return 0
