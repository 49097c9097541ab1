"""Starts the process that watches this one for hangs, and takes what it found into the trace.

It is started once, with the first recording, and sees by shared memory when one runs.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope.target.recording.self_test import INHERITED, interpreters

if TYPE_CHECKING:
    from types import ModuleType

    from gilscope.target.hangs.channel import Channel

_CODE = """
import sys
sys.path.insert(0, sys.argv[1])
from gilscope.target.hangs.watcher import main
main()
"""


class HangWatch:
    """The watcher of this process, if there is one."""

    def __init__(self) -> None:
        self._channel: Channel | None = None
        self._of = 0
        self._path = ""

    def begin(self, native: ModuleType, path: Path, metadata: dict[str, Any], on_hang: str) -> None:
        """Have the recording into ``path``, which has just begun, watched; never fails."""
        self._path = ""
        if on_hang == "off":
            return
        try:
            channel = self._opened(native)
            config = {"path": str(path), "metadata": metadata, "on_hang": on_hang}
            if channel is not None and channel.begin(config):
                self._path = str(path)
        except (OSError, ValueError, ImportError, RuntimeError):
            self._channel = None  # the program is recorded all the same

    def _opened(self, native: ModuleType) -> Channel | None:
        if self._of == os.getpid():
            return self._channel
        from gilscope.target.hangs.channel import Channel  # noqa: PLC0415 - those who record load it

        self._of, self._channel = os.getpid(), None
        path = next(iter(interpreters()), None)
        if path is None:
            return None
        channel, descriptor = Channel.create()
        try:
            if native.open_hang_channel(descriptor, channel.size) and _start(
                native, path, descriptor
            ):
                self._channel = channel
        finally:
            os.close(descriptor)
        return self._channel

    def end(self) -> None:
        """End the recording: what was found and is not in the trace yet is added to it."""
        channel, path, self._path = self._channel, self._path, ""
        if channel is None or not path or self._of != os.getpid():
            return
        channel.end()
        if not channel.taken:
            from gilscope.target.hangs.trace_file import add_metadata  # noqa: PLC0415 - rarely needed

            add_metadata(path, os.getpid(), channel.report())


def _start(native: ModuleType, path: str, channel: int) -> bool:
    package = str(Path(__file__).parents[3])
    command = [path, "-I", "-S", "-B", "-X", "utf8", "-c", _CODE, package]
    environment = [f"{n}={os.environ[n]}" for n in INHERITED if n in os.environ]
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        errors = 2 if _is_open(2) else null
        descriptors = [null, errors, errors, channel]
        pid: int = native.start_program(
            [os.fsencode(word) for word in command],
            [os.fsencode(text) for text in environment],
            descriptors,
        )
    finally:
        os.close(null)
    return pid > 0


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
