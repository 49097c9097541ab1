"""Explains waits that go on for too long: who waits for what, and who has it."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from gilscope.errors import GilscopeError
from gilscope.target.hangs.explain import report_on
from gilscope.target.hangs.names import is_library
from gilscope.target.hangs.picture import Picture
from gilscope.target.hangs.process import Process
from gilscope.target.hangs.sentences import sentence
from gilscope.target.hangs.waits import find_waits
from gilscope.text import count_text, time_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gilscope.target.hangs.picture import Thread

KIND = "long-wait"
LOCKS = ("lock", "mutex", "rwlock", "guard", "once", "stdio", "import")
NOBODY: dict[str, Any] = {}
MOST_THREADS = 8
ADVICE = (
    "Do less while holding what is waited for: wait, read files and call other systems outside of "
    "it. If nobody is to blame, a longer time in when= leaves this wait out."
)


def explained(pid: int, waits: Mapping[int, float]) -> dict[str, Any] | None:
    """Return a report as the metadata of traces have it, of the waits for a lock.

    It is `NOBODY` where those that go on are for something to happen, such as for the next item of
    a queue, and None where it cannot be said what they are for.

    Args:
        pid: The process.
        waits: For how many seconds or longer each thread has waited, by the kernel's ids.
    """
    try:
        with Process(pid) as process:
            picture = Picture(process)
            find_waits(picture)
            seen = [t for tid in waits if (t := picture.threads.get(tid)) and t.wait is not None]
            told = [t for t in seen if t.wait is not None and t.wait.kind in LOCKS]
            if not told:
                unknown = any(t.wait is not None and t.wait.kind == "unknown" for t in seen)
                return None if unknown else NOBODY
            # First those for a lock that somebody has, then the longest.
            told.sort(key=lambda t: (not _is_held(t), -waits[t.tid]))
            holders = [
                picture.threads[tid]
                for tid in dict.fromkeys(tid for t in told for tid in _owners(t))
                if tid in picture.threads and tid not in waits
            ]
            doing = [sentence(picture, thread) for thread in told]
            reports = [
                report_on(picture, thread, stuck=thread in told) for thread in told + holders
            ]
            # What was read is true of one moment only if nobody has moved since.
            now = process.tasks()
            moved = [t for t in told + holders if t.tid not in now or _moved(t, now[t.tid].wakes)]
    except (GilscopeError, OSError, ValueError):
        return None
    if told[0] in moved:
        return None
    longest = waits[told[0].tid]
    others = count_text(len(told) - 1, "other thread")
    rest = f"; {others} waited as long" if len(told) > 1 else ""
    return {
        "kind": KIND,
        "pid": pid,
        "headline": f"{doing[0]}: for {time_text(int(longest * 1e9))} or longer{rest}",
        "advice": ADVICE,
        "suspected": bool(moved) or not _is_held(told[0]),
        "threads": [_program_only(asdict(one)) for one in reports[:MOST_THREADS]],
        "monotonic_ns": time.monotonic_ns() - int(longest * 1e9),
    }


def _is_held(thread: Thread) -> bool:
    return thread.wait is not None and thread.wait.kind in LOCKS and bool(thread.wait.owners)


def _owners(thread: Thread) -> tuple[int, ...]:
    return thread.wait.owners if thread.wait is not None else ()


def _program_only(report: dict[str, Any]) -> dict[str, Any]:
    """Leave out frames of the standard library, unless there are no others."""
    frames = [frame for frame in report["python"] if not is_library(frame[0])]
    return {**report, "python": frames or report["python"]}


def _moved(thread: Thread, wakes: tuple[int, int]) -> bool:
    return not thread.task.wait.asleep or thread.task.wakes != wakes
