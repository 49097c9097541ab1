"""Has a recorded process write its ring down when a wait is too long."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from gilscope.target.hangs.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Mapping

REST_SECONDS = 10.0
"""Between two snapshots, at least."""

MOST_SNAPSHOTS = 20
LEAST_PAUSE, LOOKS = 0.005, 4


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
        self._pipe = os.open(f"/proc/{pid}/fd/{config['pipe']}", os.O_WRONLY | os.O_CLOEXEC)
        self._seen: dict[int, tuple[int, float]] = {}
        self._rest, self._count = 0.0, 0

    @property
    def pause(self) -> float:
        """Seconds until the next look."""
        return max(self._longer / LOOKS, LEAST_PAUSE)

    def look(self, now: float) -> bool:
        """Look once; return whether a snapshot was asked for."""
        seen: dict[int, tuple[int, float]] = {}
        long = False
        for wait in self._slots.open_waits():
            if wait.kind != self._kind:
                continue
            before = self._seen.get(wait.thread)
            since = before[1] if before and before[0] == wait.start else now
            seen[wait.thread] = wait.start, since
            long = long or now - since >= self._longer
        self._seen = seen
        if not long or now < self._rest or self._count >= MOST_SNAPSHOTS:
            return False
        self._rest, self._count = now + REST_SECONDS, self._count + 1
        with contextlib.suppress(OSError):
            os.write(self._pipe, b"s")
        return True

    def close(self) -> None:
        """Let go of the trace and the pipe."""
        self._slots.close()
        os.close(self._pipe)
