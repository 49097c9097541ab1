"""The process that watches a recorded one, and its forked children, and explains their hangs.

It is nobody's child, has a low priority, reads /proc and memory, and ends when the process ends.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from gilscope.errors import GilscopeError
from gilscope.target.hangs import words
from gilscope.target.hangs.channel import NAME, SIZE, Channel
from gilscope.target.hangs.long_waits import NOBODY, explained
from gilscope.target.hangs.sampling.sampling import Sampling
from gilscope.target.hangs.trace_file import add_metadata
from gilscope.target.hangs.trigger import HangCopies, Trigger
from gilscope.target.hangs.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from gilscope.target.hangs.explain import Report

DESCRIPTOR = 3
LOOK_SECONDS, SLOW_LOOK_SECONDS, MANY_THREADS = 0.25, 1.0, 100
BUSY_SECONDS = 0.02  # the end of a recording waits for the last samples
CHILDREN_SECONDS = 1.0
SAMPLED_SECONDS = 0.05  # until it is seen that a recording with samples has ended
MAPS_SECONDS = 5.0
TAKEN_SECONDS = 1.0
HEARD_SECONDS = 5.0
MOST_STACKS = 64  # threads of a report that stand in the trace with their stacks


class Sampler(Protocol):
    """Samples what the threads of a process do, for the end of its trace."""

    @property
    def samples(self) -> bool:
        """Whether samples are taken now: the end of a recording waits for the last ones."""

    def look(self) -> bool:
        """Take what there is; return whether something is new."""

    def data(self) -> dict[str, object]:
        """Return what was found, as it stands in the metadata of a trace."""

    def close(self) -> None:
        """End."""


class Watcher:
    """Watches the process of a channel.

    Args:
        channel: Of the process.
        sample: Begins to sample a process.
    """

    def __init__(self, channel: Channel, sample: Callable[[int], Sampler]) -> None:
        self._channel = channel
        self._sample = sample
        self._pid = channel.pid
        self._own = Watch(self._pid, time.monotonic)
        self._children: dict[int, Watch] = {}
        self._children_due = 0.0
        self._turn = 0
        self._rests = False
        self._due = self._maps_due = 0.0
        self._strangers: set[int] = set()
        self._config: dict[str, Any] = {}
        self._trigger: Trigger | None = None
        self._copies: HangCopies | None = None
        self._sampling = Sampling(channel)
        self._reports: list[dict[str, object]] = []
        self._unheard: tuple[Report, float] | None = None
        self._shared: Sampler | None = None

    def run(self) -> None:
        """Watch until the process has ended, or runs another program."""
        try:
            process = os.pidfd_open(self._pid)
        except OSError:
            return
        try:
            self._watch(process)
        finally:
            self._sampling.end()
        self._add_to_trace()

    def _watch(self, process: int) -> None:
        while not select.select([process], [], [], self._pause())[0]:
            if not self._channel.active:
                self._rest()
                continue
            self._begin()
            self._look_at_shared_memory()
            self._sampling.look()
            with contextlib.suppress(OSError):
                self._look_at_waits()
                if time.monotonic() >= self._due:
                    self._due = time.monotonic() + self._look_seconds
                    if self._runs_another_program():
                        return
                    if self._config["on_hang"] != "off":
                        self._look()

    def _rest(self) -> None:
        """Do what there is to do while no recording runs.

        When the last one has ended the interpreter may yet hang in its own end.
        """
        if not self._rests:
            self._rests = True
            self._own = Watch(self._pid, time.monotonic, only_end=True)
            self._set_trigger(None)
            self._end_shared()
        self._sampling.prepare()
        self._note()
        if self._turn and self._config["on_hang"] != "off" and time.monotonic() >= self._due:
            self._due = time.monotonic() + self._look_seconds
            with contextlib.suppress(OSError):
                report = self._own.look()
                if report:
                    self._tell_late(report)

    def _runs_another_program(self) -> bool:
        """Whether the process has executed another program since; asked now and then."""
        now = time.monotonic()
        if now < self._maps_due:
            return False
        self._maps_due = now + MAPS_SECONDS
        return not is_ours(self._pid, self._pid)

    @property
    def _look_seconds(self) -> float:
        return LOOK_SECONDS if self._own.threads <= MANY_THREADS else SLOW_LOOK_SECONDS

    def _pause(self) -> float:
        pauses = [self._look_seconds]
        if self._trigger is not None:
            pauses.append(self._trigger.pause)
        if self._sampling.runs:
            pauses.append(SAMPLED_SECONDS)
        if self._channel.busy:
            pauses.append(BUSY_SECONDS)
        return min(pauses)

    def _note(self) -> bool:
        """Take note of a recording that has begun since; return whether one has."""
        if self._turn == self._channel.turn:
            return False
        self._turn, self._reports = self._channel.turn, []
        self._config = self._channel.config()
        return True

    def _begin(self) -> None:
        """Begin to watch a recording that has begun since."""
        if not self._note() and not self._rests:
            return
        self._rests = False
        self._own = Watch(self._pid, time.monotonic)
        self._set_shared(None)
        if self._config["on_hang"] != "off":
            with contextlib.suppress(OSError, GilscopeError):
                self._set_shared(self._sample(self._pid))
        self._set_trigger(None)
        self._copies = None
        kind = self._config.get("when", {}).get("kind")
        if kind == "hang":
            self._copies = HangCopies(self._config["path"], self._pid)
        elif kind:
            with contextlib.suppress(OSError, ValueError):
                self._set_trigger(Trigger(self._pid, self._config["when"]))
        self._sampling.begin(self._config, self._turn)

    def _set_trigger(self, trigger: Trigger | None) -> None:
        if self._trigger is not None:
            self._trigger.close()
        self._trigger = trigger

    def _set_shared(self, shared: Sampler | None) -> None:
        if self._shared is not None:
            self._shared.close()
        self._shared = shared

    def _look_at_shared_memory(self) -> None:
        if self._shared is not None and self._shared.look():
            self._put_ending()
            self._channel.set_busy(busy=self._shared.samples)

    def _end_shared(self) -> None:
        """Take what was sampled last: the process waits for it a moment."""
        if self._shared is not None:
            if self._shared.look():
                self._put_ending()
            self._set_shared(None)
        self._channel.set_busy(busy=False)

    def _put_ending(self) -> None:
        """Leave for the end of the trace what is not told at once, and all that has been."""
        if self._shared is None:
            return
        found = self._shared.data()
        if found:
            metadata = {**self._config["metadata"], "hangs": self._reports}
            self._channel.put_ending(json.dumps({**metadata, **found}))

    def _look_at_waits(self) -> None:
        waits = self._trigger.look(time.monotonic()) if self._trigger is not None else {}
        if waits and self._trigger is not None:
            when = self._config["when"]
            report = None  # of waits for the GIL and pauses the trace itself says who is to blame
            if when["kind"] == "lock_wait":
                begin = time.process_time()
                report = explained(self._pid, waits)
                if report == NOBODY:
                    self._trigger.dismiss(time.process_time() - begin)
                    return
            self._trigger.ask(report)
            _say(f"{when['kind']} > {when['longer_s']:g} s: a snapshot is written\n")

    def _look(self) -> None:
        self._look_at_unheard()
        report = self._own.look()
        if report:
            self._tell(report)
        now = time.monotonic()
        if now >= self._children_due:
            self._children_due = now + CHILDREN_SECONDS
            self._find_children()
        for pid, watch in list(self._children.items()):
            try:
                report = watch.look()
            except OSError:
                self._children.pop(pid)
                continue
            if report:
                self._tell(report)

    def _find_children(self) -> None:
        """Begin to watch forked children; whether a child is one is looked at once."""
        found = children_of(self._pid)
        self._strangers &= set(found)
        known = {pid: watch for pid, watch in self._children.items() if pid in found}
        for pid in found:
            if pid in known or pid in self._strangers:
                continue
            if is_ours(pid, self._pid):
                known[pid] = Watch(pid, time.monotonic)
            else:
                self._strangers.add(pid)
        self._children = known

    def _tell(self, report: Report) -> None:
        action, _, number = str(self._config["on_hang"]).partition(":")
        if action != "signal":  # the program says it where people look for it
            _say(words.text(report))
        self._reports.append(_for_trace(report))
        metadata = {**self._config["metadata"], "hangs": self._reports}
        self._channel.put_report(len(self._reports) - 1, json.dumps(metadata))
        copy = self._copies.copy(time.monotonic(), json.dumps(metadata)) if self._copies else None
        if copy is not None:
            _say(f"hang: {copy.name} is written\n")
        self._put_ending()
        if action == "end":
            self._send(report.pid, signal.SIGKILL)
        elif action == "signal":
            self._send(report.pid, int(number))
            self._unheard = (report, time.monotonic() + HEARD_SECONDS)

    def _tell_late(self, report: Report) -> None:
        """Tell of a hang after the recording: its trace is complete, and nobody else adds to it."""
        _say(words.text(report))
        self._reports.append(_for_trace(report))
        metadata = {**self._config["metadata"], "hangs": self._reports}
        add_metadata(self._config["path"], self._pid, json.dumps(metadata))
        if self._config["on_hang"] == "end":
            self._send(report.pid, signal.SIGKILL)

    def _look_at_unheard(self) -> None:
        """End a process whose main thread cannot take the signal: it waits in native code."""
        if self._unheard is None:
            return
        report, deadline = self._unheard
        if self._channel.heard:
            self._unheard = None
        elif time.monotonic() > deadline:
            self._unheard = None
            _say(words.text(report))
            _say("its main thread does not take signals where it waits: the process is ended\n")
            self._send(report.pid, signal.SIGKILL)

    def _send(self, pid: int, number: int) -> None:
        """Send a signal to the process that hangs, when its trace has the report if it can."""
        deadline = time.monotonic() + TAKEN_SECONDS
        while not self._channel.taken and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS / 5)
        with contextlib.suppress(OSError):
            os.kill(pid, number)

    def _add_to_trace(self) -> None:
        """Add what the process could not take into its trace any more."""
        ending = self._channel.ending()
        if self._channel.active and (ending or not self._channel.taken):
            path = self._channel.config()["path"]
            add_metadata(path, self._pid, ending or self._channel.report())


def _for_trace(report: Report) -> dict[str, object]:
    data = report.data()
    data["threads"] = data["threads"][:MOST_STACKS]
    return {**data, "monotonic_ns": time.monotonic_ns()}


def _say(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"gilscope: {text}")
        sys.stderr.flush()


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


def main(sample: Callable[[int], Sampler]) -> None:
    """Watch the process whose channel is descriptor 3, and sample it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        channel = Channel(mmap.mmap(DESCRIPTOR, SIZE))
    except (OSError, ValueError):
        return
    os.close(DESCRIPTOR)
    Watcher(channel, sample).run()
