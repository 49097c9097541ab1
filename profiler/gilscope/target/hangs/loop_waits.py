"""Event loops of asyncio that nothing outside the process can set going any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gilscope.target.hangs.picture import Wait
from gilscope.target.hangs.process import UnreadableError

if TYPE_CHECKING:
    from gilscope.target.hangs.picture import Picture, Thread
    from gilscope.target.hangs.process import KernelWait

_LOOPS = "/asyncio/base_events.py"
_TIME_LIMIT = 3  # argument of epoll_wait(), milliseconds
_EVER = 0xFFFFFFFF
_CALLS = ("epoll_wait", "epoll_pwait")


def is_endless(wait: KernelWait) -> bool:
    """Whether a thread waits for files without a time limit."""
    return wait.call in _CALLS and wait.args[_TIME_LIMIT] & _EVER == _EVER


def for_loop(picture: Picture, thread: Thread) -> Wait | None:
    """Return the wait of an event loop that has no timer and no file but its own way to wake up.

    That is a pair of sockets, into which other threads write, and child processes could. Only they
    can set it going.
    """
    wait = thread.task.wait
    frame = next((f for f in thread.python if f.name == "BaseEventLoop._run_once"), None)
    if frame is None or not frame.file.endswith(_LOOPS) or not is_endless(wait):
        return None
    interpreter = picture.interpreter
    try:
        loop = dict(interpreter.variables(frame))["self"]
        own = _descriptor(picture, loop, "_ssock")
        watched = _watched(picture, wait.args[0])
    except (UnreadableError, KeyError, OSError, ValueError):
        return None
    if watched != {own} or _has_children(picture):
        return None
    return Wait("loop", "its event loop, which has no timer and watches no file")


def _descriptor(picture: Picture, loop: int, name: str) -> int:
    """Return the descriptor of a socket: the first member of its object (socketmodule.h)."""
    interpreter = picture.interpreter
    one = interpreter.objects.attribute(loop, name)
    return interpreter.process.number(one + interpreter.offsets.head, 4)


def _watched(picture: Picture, epoll: int) -> set[int]:
    """Return the descriptors that an epoll watches."""
    lines = (picture.process.path / "fdinfo" / str(epoll)).read_text().splitlines()
    return {int(line.split()[1]) for line in lines if line.startswith("tfd:")}


def _has_children(picture: Picture) -> bool:
    tasks = (picture.process.path / "task").glob("*/children")
    try:
        return any(task.read_text().strip() for task in tasks)
    except OSError:
        return True
