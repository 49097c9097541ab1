"""``gilscope run``: a program in this interpreter, recorded. Standard library only."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope.cli.plain import say
from gilscope.config import TRACE_SUFFIX
from gilscope.errors import GilscopeError
from gilscope.options import RUN, add_options
from gilscope.options import recording as recording_options
from gilscope.target.recording import session
from gilscope.target.recording.overwrite import check_overwrite
from gilscope.target.worker.ending import leave
from gilscope.target.worker.program import run_as_main

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from gilscope.target.recording.options import RecordingOptions


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = commands.add_parser(
        "run",
        program=True,
        help="run a program in this interpreter and record it",
        description="Run a program as `python PROGRAM` would, in this interpreter, and record its "
        "threads. Exits with the program's status.",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help=f"trace file (default: the program's name with {TRACE_SUFFIX}, in this directory)",
    )
    add_options(parser, RUN)
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Run the program, and say on standard error what was recorded.

    Raises:
        GilscopeError: There is no such program, or it cannot be recorded.
    """
    options.program.check()
    path = (options.output or Path(options.program.stem + TRACE_SUFFIX)).absolute()
    check_overwrite(path)
    recording = Recording(path, recording_options(options))
    outcome = run_as_main(options.program, recording.session())
    if recording.report:
        with suppress(Exception):  # the stream is the program's
            say(f"gilscope: {path}: {recording.report}", sys.stderr)
    return leave(outcome)


class Recording:
    """Records the program, and reports on the trace at the end.

    Attributes:
        report: One line about the trace; empty if there is none, as for a program that could not
            even be compiled.
    """

    def __init__(self, path: Path, options: RecordingOptions) -> None:
        """Record into ``path``."""
        self.path = path
        self.options = options
        self.report = ""

    @contextmanager
    def session(self) -> Iterator[None]:
        """Record the block."""
        session.start(self.path, self.options)
        try:
            yield
        finally:
            self._stop()

    def _stop(self) -> None:
        """Stop; a trace that cannot be completed must not hide how the program ended."""
        if not session.running():
            self.report = "the program stopped the recording itself"
            return
        try:
            counts = session.stop()
        except GilscopeError as error:
            self.report = f"incomplete: {error}"
            return
        self.report = _said(counts, ring=self.options.ring)
        session.watch_ending(self.path)


def _said(counts: dict[str, int], *, ring: bool) -> str:
    """Return the description of a trace with these counts of `session.stop`."""
    text = f"{counts['events']} events, {counts['dropped']} dropped"
    if ring:
        text += f", {counts['overwritten']} overwritten"
    if counts["fate"]:
        return f"{session.FATES[counts['fate']]} ({text})"
    if counts["error"]:
        text += f"; the file could not grow: {os.strerror(counts['error'])}"
    if counts.get("abandoned"):
        text += "; a thread could not be waited for, what it writes now may be missing"
    return text
