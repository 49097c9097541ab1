"""One worker process: started, listened to, ended."""

from __future__ import annotations

import codecs
import contextlib
import math
import os
import selectors
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

type Output = Callable[[str, str], None]
"""Takes ``stdout`` or ``stderr`` and a piece of text that the program printed there."""

type Process = subprocess.Popen[bytes]
type Pipes = dict[IO[bytes] | None, Stream]

KEPT_OUTPUT = 1 << 20  # characters of each stream
POLL_SECONDS = 0.05  # how soon the end of a process whose pipes stay open is noticed
GRACE_SECONDS = 2.0  # what a process that is asked to end is given before it is made to
READ_SIZE = 1 << 16
CUT = "\n[gilscope: output cut here]\n"


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        status: Exit status, negative for the number of the signal that ended it.
        stdout: What it printed, at most ``KEPT_OUTPUT`` characters.
        stderr: The same for its standard error.
        timed_out: Whether it was ended because its time was up.
    """

    status: int
    stdout: str
    stderr: str
    timed_out: bool = False


class Stream:
    """Text of one output stream: kept, and passed on as it comes."""

    def __init__(self, name: str, output: Output | None) -> None:
        """Pass on to ``output``, if there is one, as the stream ``name``."""
        self.name = name
        self.output = output
        self.text = ""
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode

    def take(self, data: bytes) -> bool:
        """Take the next bytes of the stream; return False if that was its end."""
        self._add(self._decode(data))
        return bool(data)

    def finish(self) -> str:
        """Return the text, with what is left of a character that was never completed."""
        self._add(self._decode(b"", True))  # noqa: FBT003 - the decoder has no names for it
        return self.text

    def _add(self, text: str) -> None:
        if text and self.output is not None:
            self.output(self.name, text)
        if len(self.text) < KEPT_OUTPUT:
            self.text += text
            if len(self.text) >= KEPT_OUTPUT:
                self.text = self.text[:KEPT_OUTPUT] + CUT


def run(
    command: Sequence[str | os.PathLike[str]],
    *,
    cwd: Path | None,
    env: Mapping[str, str],
    timeout: float | None,
    output: Output | None,
) -> Ended:
    """Run a process to its end and listen to what it prints.

    It has a session of its own, so that an interrupt reaches it once, through here, and so that
    what it started ends with it where it is made to end. It reads nothing: repetitions could not
    read the same input again.

    Args:
        command: Program and arguments.
        cwd: Its working directory.
        env: Its environment.
        timeout: Seconds after which it is ended; None for no limit.
        output: Takes what it prints, as it prints it.

    Raises:
        OSError: It cannot be started.
        KeyboardInterrupt: As it came; the process has been ended.
    """
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        pipes = {
            process.stdout: Stream("stdout", output),
            process.stderr: Stream("stderr", output),
        }
        try:
            in_time = _listen(process, pipes, timeout)
        except BaseException:
            for stream in pipes.values():
                stream.output = None  # it may be what raised, and nobody wants to know any more
            raise
        finally:
            if process.poll() is None:
                _end(process, pipes)
    stdout, stderr = (stream.finish() for stream in pipes.values())
    return Ended(process.returncode, stdout, stderr, timed_out=not in_time)


def _listen(process: Process, pipes: Pipes, timeout: float | None) -> bool:
    """Take what the process prints until it has ended; return False if its time was up first.

    What it started may outlive it and hold the pipes open: nobody waits for that.
    """
    deadline = time.monotonic() + (math.inf if timeout is None else timeout)
    with selectors.DefaultSelector() as selector:
        for pipe, stream in pipes.items():
            selector.register(cast("IO[bytes]", pipe), selectors.EVENT_READ, stream)
        while time.monotonic() < deadline:
            ended = process.poll() is not None  # asked first: what it printed before is read below
            if ended:
                deadline = min(deadline, time.monotonic() + GRACE_SECONDS)
            ready = selector.select(0 if ended else POLL_SECONDS) if selector.get_map() else []
            for key, _ in ready:
                if not key.data.take(os.read(key.fd, READ_SIZE)):
                    selector.unregister(key.fileobj)
            if ended and not ready:
                break
            if not selector.get_map():
                time.sleep(POLL_SECONDS)
    return process.poll() is not None


def _end(process: Process, pipes: Pipes) -> None:
    """End a process and all that it started.

    First by an interrupt, which lets it close the trace, and by force if that does not help.
    """
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            os.killpg(process.pid, number)
            if _listen(process, pipes, GRACE_SECONDS):
                break
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
