"""``gilscope attach``: records a running process by its id."""

from __future__ import annotations

import select
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope.cli.plain import say
from gilscope.config import TRACE_SUFFIX
from gilscope.options import argument, seconds, whole_number
from gilscope.target.recording.conditions import condition
from gilscope.target.recording.options import size
from gilscope.target.recording.overwrite import check_overwrite

if TYPE_CHECKING:
    import argparse
    import socket
    from collections.abc import Iterator

HOW = (
    "Python 3.14 and later need nothing; a program in Python 3.13 has to import gilscope.agent. "
    "gilscope has to be installed in the process's environment, and the process has to be yours."
)


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = add_parser(
        commands, "attach", "record a process that runs", "Record a process until Ctrl-C. " + HOW
    )
    parser.add_argument("--seconds", type=seconds, metavar="N", help="stop after this many seconds")
    parser.add_argument(
        "--max-bytes", type=size, default=1 << 30, metavar="SIZE", help="maximum size of the trace"
    )
    parser.add_argument(
        "--ring", action="store_true", help="when it is full, keep the latest events"
    )
    parser.add_argument(
        "--when",
        type=argument(condition),
        default="",
        metavar="CONDITION",
        help="with --ring: write a snapshot beside the trace when a wait is longer, such as "
        "'gil_wait > 50 ms', or on a 'hang'; at most every 10 s",
    )
    parser.set_defaults(execute=attach)


def add_parser(commands: Any, name: str, text: str, description: str) -> Any:
    """Add a command that takes a process and a file."""
    parser = commands.add_parser(name, help=text, description=description)
    parser.add_argument("pid", type=whole_number, metavar="PID")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help=f"trace file (default: the process id with {TRACE_SUFFIX}, in this directory)",
    )
    return parser


def trace_path(options: argparse.Namespace) -> Path:
    """Return where the trace goes.

    Raises:
        UsageError: The file exists and is not a trace.
    """
    path: Path = (options.output or Path(f"{options.pid}{TRACE_SUFFIX}")).absolute()
    check_overwrite(path)
    return path


def attach(options: argparse.Namespace) -> int:
    """Record.

    Raises:
        GilscopeError: The process cannot be recorded.
    """
    # `gilscope run` loads this module into the program's process: it must import little.
    from gilscope.cli.dumping import check  # noqa: PLC0415
    from gilscope.runner.attaching import ask, connect  # noqa: PLC0415

    check(options.pid)
    path = trace_path(options)
    command = {
        "do": "record",
        "path": str(path),
        "options": {
            "max_bytes": options.max_bytes,
            "ring": options.ring,
            "when": options.when,
        },
    }
    with connect(options.pid) as connection:
        answers = ask(connection, command)
        next(answers)
        with _signalled() as signalled:
            say(
                f"gilscope: recording process {options.pid} into {path}; Ctrl-C ends it", sys.stderr
            )
            ready, _, _ = select.select([connection, signalled], [], [], options.seconds)
        if connection not in ready:
            connection.sendall(b"\n")
        counts = next(answers).get("counts", {})
    said = f"{counts.get('events', 0)} events, {counts.get('dropped', 0)} dropped"
    say(f"gilscope: {path}: {said}", sys.stderr)
    return 0


@contextmanager
def _signalled() -> Iterator[socket.socket]:
    """Yield a socket that can be read from once Ctrl-C or SIGTERM has come.

    An exception would not do: a signal that comes just before a system call blocks is handled after
    it. Signals that are ignored stay so.
    """
    import socket  # noqa: PLC0415 - see attach()

    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)  # noqa: FBT003 - positional only
        ours = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) != signal.SIG_IGN]
        wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        before = {number: signal.signal(number, lambda *_: None) for number in ours}
        try:
            yield reader
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(wakeup)
