"""What a thread does, in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gilscope.target.hangs import waits
from gilscope.target.hangs.names import called_function, is_system
from gilscope.target.hangs.picture import native_function, place

if TYPE_CHECKING:
    from gilscope.target.hangs.picture import Picture, Thread

MOST_TOLD = 4  # threads in the first line
MOST_NAME = 100


def sentence(picture: Picture, thread: Thread, *, short: bool = False) -> str:
    """Return what a thread does: ``MainThread (case.py:7) holds the GIL and waits for …``."""
    where = place(thread)
    parts = [f"{thread.name} ({where})" if where else thread.name]
    wait = thread.wait
    having = _having(picture, thread)
    if having:
        parts.append(f"{having} and")
    if thread.tid == picture.spinning:
        return " ".join([*parts, "spins", *_running_in(picture, thread)])
    if wait is None:
        return " ".join([*parts, "runs", *_called(picture, thread)])
    verb = {"call": "is in", "join": "joins", "loop": "waits in"}.get(wait.kind, "waits for")
    parts.append(f"{verb} {wait.what}")
    function = native_function(thread)
    if function and not short:
        parts.append(f"in {_shortened(function.function)} ({function.module})")
    elif not where and not short and (module := _module(thread)):
        parts.append(f"in {module}")
    return " ".join(parts) + _owned(picture, thread)


def _running_in(picture: Picture, thread: Thread) -> list[str]:
    function = native_function(thread)
    if function:
        return [f"in {_shortened(function.function)} ({function.module})"]
    return _called(picture, thread)


def _called(picture: Picture, thread: Thread) -> list[str]:
    """Return in which native function called by Python a thread runs, as far as that is known."""
    if not thread.python:
        return []
    name = called_function(picture.interpreter, thread.python[0])
    return [f"in {name}"] if name else []


def _module(thread: Thread) -> str:
    """Return the innermost native module of the program; "" if there is none."""
    return next((f.module for f in thread.native if not is_system(f.path)), "")


def _having(picture: Picture, thread: Thread) -> str:
    held = waits.held(picture, thread)
    if thread.attached and not thread.holds_gil:
        return " and ".join(["is attached", *(f"owns {what}" for what in held)])
    if not held:
        return ""
    return "holds " + " and ".join(held)


def _owned(picture: Picture, thread: Thread) -> str:
    wait = thread.wait
    if wait is None:
        return ""
    if wait.lost:
        return f", which belongs to {wait.lost}"
    if not wait.owners or wait.kind in ("join", "threads"):
        return ""
    if wait.any_of or (wait.owners == (thread.tid,) and wait.kind == "future"):
        could = [picture.name(tid) for tid in wait.owners]
        return f", which only {' or '.join(could[:MOST_TOLD])} could run"
    owners = [picture.name(tid) for tid in wait.owners if tid != thread.tid]
    if not owners:
        return ", which it holds itself"
    shown = " and ".join(owners[:MOST_TOLD])
    words = {
        "pause": ": still attached",
        "import": ", which is imported by",
        "guard": ", begun by",
        "once": ", begun by",
        "barrier": ": not there yet is",
        "future": ", which is run by",
    }
    word = words.get(wait.kind, ", held by")
    return f"{word} {shown}" if wait.kind != "paused" else f", which {shown} has asked for"


def _shortened(name: str) -> str:
    return name if len(name) <= MOST_NAME else name[: MOST_NAME - 1] + "…"
