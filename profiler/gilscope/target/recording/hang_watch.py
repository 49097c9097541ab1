"""Starts the process that watches this one for hangs, and takes what it found into the trace.

It is started once, with the first recording, and sees by shared memory when one runs. Nothing is
imported later than this module: a thread that forks during an import leaves its child with half a
module.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope.target.hangs import channel
from gilscope.target.hangs.sampling.finding import find
from gilscope.target.hangs.trace_file import add_metadata
from gilscope.target.recording import beside, conditions
from gilscope.target.recording.self_test import interpreters
from gilscope.target.recording.snapshots import Snapshots
from gilscope.target.sharing import pools

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from gilscope.target.recording.options import RecordingOptions

READY_SECONDS = 5.0
"""For which the start of a recording waits until it is sampled, at most."""

SAMPLED_SECONDS = 15.0
"""For which the stop of a recording waits for its samples, at most."""
LAST_SAMPLES_SECONDS = 0.05
"""That the end of a recording waits for at most, if threads were seen to share memory."""

_CODE = """
from gilscope.target.hangs.watcher import main
from gilscope.target.sharing.shared_memory import SharedMemory
main(SharedMemory)
"""


class HangWatch:
    """The watcher of this process, if there is one."""

    def __init__(self) -> None:
        self._channel: channel.Channel | None = None
        self._of = self._watcher = 0
        self._path = ""
        self._config: dict[str, Any] = {}
        self._snapshots: Snapshots | None = None

    def prepare(
        self,
        native: ModuleType,
        path: Path,
        metadata: dict[str, Any],
        options: RecordingOptions,
        write: Callable[[Path, str], None],
    ) -> None:
        """Make ready to watch the recording into ``path``, which has not begun; never fails.

        Args:
            native: The probe.
            path: The trace.
            metadata: Of the trace.
            options: Of the recording.
            write: Writes a snapshot, with metadata in place of those of the trace, if any.
        """
        self._path, self._config = "", {}
        native.take_started_threads()  # of no recording
        if options.on_hang == "off" and not options.when and not options.sample:
            return
        try:
            opened = self._opened(native)
            if opened is None:
                return
            config = {"path": str(path), "metadata": metadata, "on_hang": options.on_hang}
            if options.when:
                config["when"] = self._prepare_snapshots(path, options.when, metadata, write)
            if options.sample:
                config["sample"] = _sampling(options.sample)
                self._wait_until_sampled(opened, config)
            self._config = config
        except Exception:  # noqa: BLE001 - whatever it is, the program is recorded all the same
            self._end_snapshots()
            self._channel, self._of = None, 0  # the next recording tries again

    def begin(self) -> None:
        """The recording has begun."""
        if self._channel is not None and self._config and self._channel.begin(self._config):
            self._path = str(self._config["path"])

    def cancel(self) -> None:
        """The recording could not begin."""
        self._config = {}
        if self._channel is not None:
            self._channel.end()
        self._end_snapshots()

    def _prepare_snapshots(
        self,
        path: Path,
        when: str,
        metadata: dict[str, Any],
        write: Callable[[Path, str], None],
    ) -> dict[str, Any]:
        wanted = conditions.parse(when)
        if wanted.kind == conditions.HANG:
            return {"kind": wanted.kind}  # the watcher copies the trace
        self._snapshots = Snapshots(path, metadata, write)
        return {
            "kind": wanted.kind,
            "longer_s": wanted.longer_ns / 1e9,
            "path": str(path),
            "pipe": self._snapshots.pipe,
        }

    def _opened(self, native: ModuleType) -> channel.Channel | None:
        if self._of == os.getpid():
            return self._channel
        # A forked child whose parent could have none: one that is given orphans, as a container's
        # first process, would be given this one's watcher, a child that it did not start.
        refused = self._of != 0 and self._channel is None
        self._of, self._channel = os.getpid(), None
        path = None if refused else next(iter(interpreters()), None)
        if path is None:
            return None
        descriptor = channel.make_memory()
        try:
            memory = native.open_hang_channel(descriptor, channel.SIZE)
            if memory is not None:
                opened = channel.Channel(memory)
                opened.own()
                self._watcher = beside.start(native, path, _CODE, descriptor)
                self._channel = opened if self._watcher > 0 else None
        finally:
            os.close(descriptor)
        return self._channel

    def report(self) -> str:
        """Return what the watcher found, as JSON: the trace's metadata; "" if it found nothing.

        It then knows that the program has taken its signal.
        """
        if self._channel is None:
            return ""
        self._channel.hear()
        return self._channel.report()

    def end(self, native: ModuleType) -> None:
        """End the recording: what was found and is not in the trace yet is added to it."""
        started = native.take_started_threads()
        self._end_snapshots()
        opened, path, self._path = self._channel, self._path, ""
        if opened is None or not path or self._of != os.getpid():
            return
        opened.end()
        if "sample" in self._config:
            self._wait_for_samples(opened)
        deadline = time.monotonic() + LAST_SAMPLES_SECONDS
        while opened.busy and time.monotonic() < deadline:
            time.sleep(LAST_SAMPLES_SECONDS / 50)
        # It has the reports as well.
        ending = opened.ending()
        text = ending or opened.report()
        with_pools = self._with_pools(text, started)
        if with_pools or ending or not opened.taken:
            add_metadata(path, os.getpid(), with_pools or text)

    def _with_pools(self, text: str, started: list[tuple[int, int, int]]) -> str:
        """Return metadata with the threads that pools of native libraries started; "" if none."""
        if not started:
            return ""
        try:
            metadata = json.loads(text) if text else self._config["metadata"]
            known = metadata.get("pools", [])
            found = pools.of_started(started, known)
            if len(found) <= len(known):
                return ""
            return json.dumps({**metadata, "pools": found})
        except (OSError, ValueError):
            return ""

    def _wait_until_sampled(self, opened: channel.Channel, config: dict[str, Any]) -> None:
        """Wait until samples are taken: a program may be short."""
        opened.want(config)
        end = time.monotonic() + READY_SECONDS
        while not opened.ready and time.monotonic() < end and self._is_watched():
            time.sleep(0.005)

    def _is_watched(self) -> bool:
        return Path(f"/proc/{self._watcher}/stat").exists()

    def _wait_for_samples(self, opened: channel.Channel) -> None:
        """Wait until the watcher has added them to the trace, as long as there is one."""
        end = time.monotonic() + SAMPLED_SECONDS
        while not opened.sampled and time.monotonic() < end and self._is_watched():
            time.sleep(0.005)

    def _end_snapshots(self) -> None:
        snapshots, self._snapshots = self._snapshots, None
        if snapshots is not None and self._of == os.getpid():
            snapshots.end()


def _sampling(rate: int) -> dict[str, Any]:
    return {
        "rate": rate,
        "py_spy": find(sys.executable, os.environ.get("PATH", "")),
        "free_threaded": "t" in getattr(sys, "abiflags", ""),
    }
