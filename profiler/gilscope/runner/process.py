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
from enum import Enum
from typing import IO, TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
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


class End(Enum):
    """Why listening to a process ended."""

    OWN = "it has ended"
    TIME = "its time is up"
    STUCK = "it can never go on"
    INTERRUPT = "nobody wants it any more"


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        status: Exit status, negative for the number of the signal that ended it.
        stdout: What it printed, at most ``KEPT_OUTPUT`` characters.
        stderr: The same for its standard error.
        timed_out: Whether it was ended because its time was up.
        stuck: Whether it was ended because it could never have gone on.
        stacks: Where its threads stood in either case; empty if that is not known.
        interrupted: Whether it was ended because this process was interrupted.
    """

    status: int
    stdout: str
    stderr: str
    timed_out: bool = False
    stuck: bool = False
    stacks: str = ""
    interrupted: bool = False


class Watch(Protocol):
    """Observes a process from outside while it runs."""

    def stuck(self, pid: int) -> bool:
        """Return whether it can never go on; asked often."""

    def stacks(self, pid: int) -> str:
        """Return where its threads stand; asked before one that hangs is ended."""


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
    watch: Watch | None = None,
    data: bytes = b"",
) -> Ended:
    """Run a process to its end and listen to what it prints.

    It has a session of its own, so that an interrupt reaches it once, through here, and so that
    what it started ends with it where it is made to end. It does not read the standard input of
    this process: repetitions could not read the same again.

    Args:
        command: Program and arguments.
        cwd: Its working directory.
        env: Its environment.
        timeout: Seconds after which it is ended; None for no limit.
        output: Takes what it prints, as it prints it.
        watch: Finds out that it hangs.
        data: What it finds on its standard input.

    Raises:
        OSError: It cannot be started.
    """
    with (
        _readable(data) as stdin,
        subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process,
    ):
        pipes = {
            process.stdout: Stream("stdout", output),
            process.stderr: Stream("stderr", output),
        }
        end, stacks = End.OWN, ""
        try:
            end = _listen(process, pipes, timeout, watch)
            if end in (End.TIME, End.STUCK) and watch:
                stacks = watch.stacks(process.pid)
        except KeyboardInterrupt:
            end = End.INTERRUPT
            for stream in pipes.values():
                stream.output = None  # it may be what raised
        except BaseException:
            for stream in pipes.values():
                stream.output = None
            raise
        finally:
            if process.poll() is None:
                _end(process, pipes, gently=end is not End.STUCK)
    stdout, stderr = (stream.finish() for stream in pipes.values())
    return Ended(
        process.returncode,
        stdout,
        stderr,
        timed_out=end is End.TIME,
        stuck=end is End.STUCK,
        stacks=stacks,
        interrupted=end is End.INTERRUPT,
    )


@contextlib.contextmanager
def _readable(data: bytes) -> Iterator[int]:
    """Yield a descriptor that ``data`` can be read from: memory, no file and no pipe to fill."""
    if not data:
        yield subprocess.DEVNULL
        return
    with os.fdopen(os.memfd_create("gilscope"), "w+b") as file:
        file.write(data)
        file.seek(0)
        yield file.fileno()


def _listen(
    process: Process, pipes: Pipes, timeout: float | None, watch: Watch | None = None
) -> End:
    """Take what the process prints until it has ended, or its time is up, or it hangs.

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
            if not ended and watch and watch.stuck(process.pid):
                return End.STUCK
    return End.TIME if process.poll() is None else End.OWN


def _end(process: Process, pipes: Pipes, *, gently: bool) -> None:
    """End a process and all that it started.

    First by an interrupt, which lets it close the trace, and by force if that does not help; one
    that is stuck would not even notice.
    """
    try:
        for number in (signal.SIGINT, signal.SIGTERM) if gently else ():
            os.killpg(process.pid, number)
            if _listen(process, pipes, GRACE_SECONDS) is End.OWN:
                break
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
