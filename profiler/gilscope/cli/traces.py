"""Traces that a command is given: files, and directories with all traces in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

SUFFIX = ".gilscope"


def add_traces(parser: Any) -> None:
    """Add the argument ``traces`` to a parser."""
    parser.add_argument(
        "traces",
        type=Path,
        nargs="+",
        metavar="TRACE",
        help="a trace, or a directory: all traces in it and below it",
    )


def traces_in(paths: Iterable[Path]) -> list[Path]:
    """Return the files, and in the place of each directory those in it and below it, by their path.

    Raises:
        UsageError: There is no trace in a directory.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        files = sorted(one for one in path.rglob(f"*{SUFFIX}") if one.is_file())
        if not files:
            raise UsageError(f"no traces in {path}: there is no file *{SUFFIX}")
        found += files
    return found
