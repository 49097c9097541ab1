"""Traces that a command is given: files, and directories with all traces in them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope.cli.plain import say
from gilscope.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gilscope.trace.reading.copies import Copy

SUFFIX = ".gilscope"
MOST_SAID = 3


def add_traces(parser: Any) -> None:
    """Add the argument ``traces`` to a parser."""
    parser.add_argument(
        "traces",
        type=Path,
        nargs="+",
        metavar="TRACE",
        help="a trace, or a directory: all traces in it and below it",
    )


def traces_in(paths: Iterable[Path], *, apart: bool = False) -> list[Path]:
    """Return the files, and in the place of each directory those in it and below it, by their path.

    A snapshot, or another copy, of a trace that is among them is left out, and that is said on
    stderr: what is in both would count twice.

    Args:
        paths: Files and directories.
        apart: What is found in one trace is not added to what is in another one: what was named
            itself stays, and so does a snapshot that has events or reports that its trace has not.

    Raises:
        UsageError: There is no trace in a directory.
        TraceError: A file cannot be read.
    """
    from gilscope.trace.reading.copies import copies_among  # noqa: PLC0415 - loaded on demand

    found: list[Path] = []
    named: set[Path] = set()
    for path in paths:
        if not path.is_dir():
            found.append(path)
            named.add(path)
            continue
        files = sorted(one for one in path.rglob(f"*{SUFFIX}") if one.is_file())
        if not files:
            raise UsageError(f"no traces in {path}: there is no file *{SUFFIX}")
        found += files
    once = list({path.resolve(): path for path in found}.values())
    left_out = [
        copy
        for copy in copies_among(once)
        if not (apart and (copy.path in named or not copy.whole))
    ]
    _say(left_out)
    gone = {copy.path.resolve() for copy in left_out}
    return [path for path in found if path.resolve() not in gone]


def _say(left_out: Sequence[Copy]) -> None:
    for copy in left_out[:MOST_SAID]:
        more = "" if copy.whole else ", which lacks a part of it: for that part, name it alone"
        say(f"note: {copy.path} is left out: it is a copy of {copy.of}{more}", sys.stderr)
    if len(left_out) > MOST_SAID:
        rest = len(left_out) - MOST_SAID
        say(f"note: {rest} more are left out: they are copies of others, too", sys.stderr)
