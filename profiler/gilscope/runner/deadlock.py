"""Describes a deadlock in words, from the trace: where its threads are and what they wait for."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gilscope.errors import TraceError
from gilscope.target.worker.ending import OWN_DIRECTORY
from gilscope.text import shortened
from gilscope.trace.format import Event, LockWaitFlag
from gilscope.trace.reading.reader import read

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from gilscope.trace.model import Frame, Thread, Trace

OWN_PACKAGE = "gilscope.target.worker."
MAX_TOLD = 4  # waits in one line
MAX_NAME = 100  # characters of a function's name; those of templates can be very long
GIL_WAITS = (Event.GIL_WAIT, Event.GIL_SWITCH_WAIT)


@dataclass(frozen=True)
class Wait:
    """A wait that has lasted for some time.

    Attributes:
        thread: The thread.
        what: The GIL or the lock, for people.
        holder: Name of the thread that has it; "" if unknown.
        gil: Whether it is a GIL.
        since_ns: On CLOCK_MONOTONIC.
        stack: Key of `Trace.stacks`: to look one up takes long, for the lines of native code.
    """

    thread: Thread
    what: str
    holder: str
    gil: bool
    since_ns: int
    stack: int


def open_waits(trace: Trace) -> list[Wait]:
    """Return the waits that had not ended when the trace was read, one a thread at most."""
    rows = trace.intervals.select(trace.intervals.open)
    holders = {
        what: thread
        for kind, what, thread in zip(*_lists(rows, "kind", "what", "thread"), strict=True)
        if kind == Event.GIL_HOLD
    }
    columns = _lists(rows, "kind", "flags", "what", "thread", "start", "peer", "stack")
    waits = []
    for kind, flags, what, thread, start, peer, stack in zip(*columns, strict=True):
        if kind == Event.GIL_HOLD or thread not in trace.threads_by_index:
            continue
        gil = kind in GIL_WAITS
        holder = holders.get(what, 0) if gil else peer * bool(flags & LockWaitFlag.HOLDER)
        waits.append(
            Wait(
                trace.threads_by_index[thread],
                "the GIL" if gil else trace.locks[what].name,
                trace.thread_name(holder) if holder != thread else "itself",
                gil,
                trace.start_monotonic_ns + start,
                stack,
            )
        )
    return waits


def _lists(rows: object, *names: str) -> list[list[int]]:
    return [getattr(rows, name).tolist() for name in names]


def wait_for_gil(path: Path, tids: Collection[int], seconds: float) -> bool:
    """Return whether these threads have waited for the GIL for so long, as a live trace has it.

    True where the trace cannot tell, because recording has ended.
    """
    try:
        trace = read(path)
    except TraceError:
        return True
    if not trace.ended_early:
        return True
    latest = time.monotonic_ns() - int(seconds * 1e9)
    waiting = {w.thread.tid for w in open_waits(trace) if w.gil and w.since_ns <= latest}
    return waiting >= set(tids)


def who_waits(trace: Trace) -> str:
    """Return one line that says which thread waits for which; unlike stacks it needs no lookup."""
    return _chain(open_waits(trace))


def describe(trace: Trace, pythons: str = "") -> tuple[str, str]:
    """Return one line that says which thread waits for which, and the stacks of all threads.

    Args:
        trace: Of the program, which has been ended.
        pythons: The Python stacks that it wrote itself: of all threads, without native code.
    """
    waits = open_waits(trace)
    known = [text for wait in waits for text in _stacks(trace, wait)]
    alive = [t for t in trace.threads if t.end_ns >= trace.duration_ns]
    unknown = {t.index: t for t in alive} | {w.thread.index: None for w in waits}
    lost = [t.name for t in unknown.values() if t]
    parts = ["Where the threads wait (most recent call last):", *known]
    if lost:
        parts.append(f"in native code, at an unknown place: {', '.join(lost)}")
    if pythons and (lost or not waits):
        parts += ["Python stacks:", pythons.rstrip()]
    return _chain(waits), "\n\n".join(parts) + "\n"


def _chain(waits: Sequence[Wait]) -> str:
    return "; ".join(_sentence(wait) for wait in waits[:MAX_TOLD])


def _sentence(wait: Wait) -> str:
    held = f", held by {wait.holder}" if wait.holder else ""
    return f"{wait.thread.name} waits for {wait.what}{held}"


def _stacks(trace: Trace, wait: Wait) -> list[str]:
    """Return where a thread waits, and where the native code is that it was called from.

    The stack of a wait for the GIL is Python's alone. The native functions below it hold what
    others may wait for.
    """
    calls = trace.callbacks
    entries = calls.entry[calls.open & (calls.thread == wait.thread.index)].tolist()
    return [
        _stack(_sentence(wait), trace.stacks[wait.stack]),
        *(
            _stack(f"{wait.thread.name} is in a callback of native code", stack)
            for stack in (trace.entries[entry].stack for entry in entries)
            if stack
        ),
    ]


def _stack(title: str, stack: Sequence[Frame]) -> str:
    """Return a stack, without the frames that led from us into the program."""
    frames = list(reversed(stack))
    ours = [n for n, frame in enumerate(frames) if _is_ours(frame)]
    while ours and len(ours) > 1 and ours[1] == ours[0] + 1:
        del ours[0]
    frames = frames[ours[0] + 1 :] if ours else frames
    return "\n".join([title + ":", *map(_frame, frames)])


def _is_ours(frame: Frame) -> bool:
    """Whether a frame is of what runs the program: each environment has a copy of that."""
    return frame.file.startswith(OWN_DIRECTORY) or frame.module.startswith(OWN_PACKAGE)


def _frame(frame: Frame) -> str:
    place = f'"{frame.file}"' if frame.file else frame.module
    line = f", line {frame.line}" if frame.line else ""
    name = frame.name if len(frame.name) <= MAX_NAME else shortened(frame.name, MAX_NAME)
    return f"  {'Native' if frame.native else 'File'} {place}{line}, in {name}"
