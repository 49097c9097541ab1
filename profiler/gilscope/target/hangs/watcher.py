"""The process that watches a recorded one, and its forked children, and explains their hangs.

It is nobody's child, has a low priority, reads /proc and memory, and ends when the process ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gilscope.target.hangs import words
from gilscope.target.hangs.channel import NAME, Channel
from gilscope.target.hangs.trace_file import add_metadata
from gilscope.target.hangs.watch import Watch

if TYPE_CHECKING:
    from gilscope.target.hangs.explain import Report

DESCRIPTOR = 3
LOOK_SECONDS, SLOW_LOOK_SECONDS, MANY_THREADS = 0.25, 1.0, 100
CHILDREN_SECONDS = 1.0
TAKEN_SECONDS = 1.0
MOST_STACKS = 64  # threads of a report that stand in the trace with their stacks


class Watcher:
    """Watches the process of a channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._pid = channel.pid
        self._own = Watch(self._pid, time.monotonic)
        self._children: dict[int, Watch] = {}
        self._children_due = 0.0
        self._turn = 0
        self._reports: list[dict[str, object]] = []

    def run(self) -> None:
        """Watch until the process has ended, or runs another program."""
        try:
            process = os.pidfd_open(self._pid)
        except OSError:
            return
        while not select.select([process], [], [], self._pause())[0]:
            if not self._channel.active:
                self._own = Watch(self._pid, time.monotonic)
                continue
            with contextlib.suppress(OSError):
                self._look()
            if not is_ours(self._pid, self._pid):
                return
        self._add_to_trace()

    def _pause(self) -> float:
        return LOOK_SECONDS if self._own.threads <= MANY_THREADS else SLOW_LOOK_SECONDS

    def _look(self) -> None:
        if self._turn != self._channel.turn:
            self._turn, self._reports = self._channel.turn, []
        report = self._own.look()
        if report:
            self._tell(report)
        now = time.monotonic()
        if now >= self._children_due:
            self._children_due = now + CHILDREN_SECONDS
            self._children = {
                pid: self._children.get(pid) or Watch(pid, time.monotonic)
                for pid in children_of(self._pid)
                if is_ours(pid, self._pid)
            }
        for pid, watch in list(self._children.items()):
            try:
                report = watch.look()
            except OSError:
                self._children.pop(pid)
                continue
            if report:
                self._tell(report)

    def _tell(self, report: Report) -> None:
        config = self._channel.config()
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"gilscope: {words.text(report)}")
            sys.stderr.flush()
        data = report.data()
        data["threads"] = data["threads"][:MOST_STACKS]
        self._reports.append({**data, "monotonic_ns": time.monotonic_ns()})
        metadata = {**config["metadata"], "hangs": self._reports}
        self._channel.put_report(len(self._reports) - 1, json.dumps(metadata))
        if config["on_hang"] == "end":
            self._end(report.pid)

    def _end(self, pid: int) -> None:
        """End the process that hangs, when its trace has the report if it can take it."""
        deadline = time.monotonic() + TAKEN_SECONDS
        while not self._channel.taken and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS / 5)
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)

    def _add_to_trace(self) -> None:
        """Add what the process could not take into its trace any more."""
        if self._channel.active and not self._channel.taken:
            add_metadata(self._channel.config()["path"], self._pid, self._channel.report())


def children_of(pid: int) -> list[int]:
    """Return the child processes of a process."""
    found: list[int] = []
    with contextlib.suppress(OSError, ValueError):
        for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - names are wanted
            text = Path(f"/proc/{pid}/task/{task}/children").read_text()
            found += map(int, text.split())
    return found


def is_ours(pid: int, watched: int) -> bool:
    """Whether a process has the memory of our channel, and no watcher of its own.

    A forked child has it, too; a program that was executed has not.
    """
    try:
        maps = Path(f"/proc/{pid}/maps").read_text(errors="replace")
    except OSError:
        return False
    own = f"{NAME}{pid}"
    return f"{NAME}{watched}" in maps and (pid == watched or own not in maps)


def main() -> None:
    """Watch the process whose channel is descriptor 3."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        channel = Channel(DESCRIPTOR)
    except (OSError, ValueError):
        return
    os.close(DESCRIPTOR)
    Watcher(channel).run()
