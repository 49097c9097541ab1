"""Has a recorded process write its ring down when a wait is too long."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope.target.hangs.slots import Slots
from gilscope.target.hangs.trace_file import add_metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

REST_SECONDS = 10.0
"""Between two snapshots, at least."""

MOST_SNAPSHOTS = 20
MOST_SHARE = 20
"""A closer look is taken again after so many times the processor time that the last one took."""

MOST_FRAMES = 12, 6, 3, 0  # of a stack: the most for which there is room
LEAST_PAUSE, LOOKS = 0.005, 4
SLICED, SLICED_PAUSE, MOST_MISSES = "pause", 0.01, 2
"""Who stops the world waits in slices of 1 ms: looked at more often, it may be between two."""


@dataclass(frozen=True)
class _Seen:
    """A wait: its start in ticks, since when it was seen, and how often it was not since."""

    start: int
    since: float
    misses: int = 0


class Trigger:
    """The condition of one recording.

    A wait counts once it was seen to be the same one for so long: one that is only a little longer
    than that may be missed.
    """

    def __init__(self, pid: int, config: Mapping[str, object]) -> None:
        """Take the condition from what the process says of its recording.

        Raises:
            OSError: The trace or the pipe to the process is gone.
            ValueError: The trace is none.
        """
        self._kind, self._longer = str(config["kind"]), float(str(config["longer_s"]))
        self._slots = Slots(str(config["path"]))
        # The process's own end of a pipe, at which a thread of it waits.
        self._pipe = os.open(
            f"/proc/{pid}/fd/{config['pipe']}", os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK
        )
        self._seen: dict[int, _Seen] = {}
        self._idle: set[tuple[int, int]] = set()  # threads and starts of waits that are no matter
        self._long: set[tuple[int, int]] = set()
        self._rest, self._count = 0.0, 0

    @property
    def pause(self) -> float:
        """Seconds until the next look."""
        pause = max(self._longer / LOOKS, LEAST_PAUSE)
        return min(pause, SLICED_PAUSE) if self._kind == SLICED else pause

    def look(self, now: float) -> dict[int, float]:
        """Look once; return the threads that wait for too long, if a snapshot is due for them.

        By the kernel's ids, with the seconds for which they have been seen to wait.
        """
        found = [wait for wait in self._slots.open_waits() if wait.kind == self._kind]
        self._idle &= {(wait.thread, wait.start) for wait in found}
        found = [wait for wait in found if (wait.thread, wait.start) not in self._idle]
        waits = {wait.thread: wait.start for wait in found}
        seen: dict[int, _Seen] = {}
        for thread, start in waits.items():
            before = self._seen.get(thread)
            same = before and (before.start == start or self._kind == SLICED)
            seen[thread] = _Seen(start, before.since if before and same else now)
        if self._kind == SLICED:
            for thread, before in self._seen.items():
                if thread not in seen and before.misses < MOST_MISSES:
                    seen[thread] = replace(before, misses=before.misses + 1)
        self._seen = seen
        lasted = {wait.tid: now - seen[wait.thread].since for wait in found}
        long = {tid: seconds for tid, seconds in lasted.items() if seconds >= self._longer}
        if not long or now < self._rest or self._count >= MOST_SNAPSHOTS:
            return {}
        self._long = {(wait.thread, wait.start) for wait in found if wait.tid in long}
        return long

    def dismiss(self, cost: float) -> None:
        """Pass over what was returned last: nobody is held up.

        Args:
            cost: Seconds that it took to find that out.
        """
        self._idle |= self._long
        self._rest = time.monotonic() + MOST_SHARE * cost

    def ask(self, report: Mapping[str, object] | None) -> None:
        """Ask the process for a snapshot, and give it what is known of the waits."""
        self._rest, self._count = time.monotonic() + REST_SECONDS, self._count + 1
        with contextlib.suppress(OSError):
            os.write(self._pipe, request(report))

    def close(self) -> None:
        """Let go of the trace and the pipe."""
        self._slots.close()
        os.close(self._pipe)


def request(report: Mapping[str, object] | None) -> bytes:
    """Return a line that asks for a snapshot: a report with as many stacks as it has room for.

    A pipe takes so much at once, or nothing: what watches must not wait for what is watched.
    """
    if report is None:
        return b"s\n"
    shown: list[dict[str, Any]] = [dict(one) for one in report["threads"]]  # type: ignore[attr-defined]
    for frames in MOST_FRAMES:
        for one in shown:
            one |= {name: one[name][:frames] for name in ("python", "native", "mixed")}
        while shown:
            line = b"s" + json.dumps({**report, "threads": shown}).encode() + b"\n"
            if len(line) <= select.PIPE_BUF:
                return line
            if frames:
                break
            shown.pop()
    return b"s\n"


class HangCopies:
    """Copies the trace of a process that hangs: it cannot write its ring down itself."""

    def __init__(self, path: str, pid: int) -> None:
        """Take the trace, and the process that it is of."""
        self._path, self._pid = Path(path), pid
        self._rest, self._count = 0.0, 0

    def copy(self, now: float, metadata: str) -> Path | None:
        """Copy it, with what is known of the hang; return the copy, None where there is none.

        At most every `REST_SECONDS`, and at most `MOST_SNAPSHOTS` times.
        """
        if now < self._rest or self._count >= MOST_SNAPSHOTS:
            return None
        self._rest, self._count = now + REST_SECONDS, self._count + 1
        name = f"{self._path.stem}.hang{self._count}{self._path.suffix}"
        target, draft = self._path.with_name(name), self._path.with_name(f".{name}.part")
        try:
            shutil.copyfile(self._path, draft)
            add_metadata(str(draft), self._pid, metadata)
            draft.replace(target)
        except OSError:
            draft.unlink(missing_ok=True)
            return None
        return target
