"""The report of a command that runs a program: where it goes beside the program's own output."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any

from gilscope.cli.plain import say
from gilscope.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

FORMATS = {
    "text": "text, for people",
    "json": "JSON, on one line",
    "html": "a page with pictures",
    "sarif": "SARIF, for code-scanning services",
}
STANDARD_OUTPUT = "-"
OUTPUT_HELP = "write the report to a file; -: to standard output"


def add_format(parser: Any, *formats: str) -> None:
    """Add ``--format`` and ``--json`` to a parser; the first format is the default."""
    parser.add_argument(
        "--format",
        choices=formats,
        default=formats[0],
        help="; ".join(f"{name}: {FORMATS[name]}" for name in formats),
    )
    parser.add_argument(
        "--json",
        dest="format",
        action="store_const",
        const="json",
        help="the same as --format json",
    )


def own_output(options: argparse.Namespace) -> int | None:
    """Keep standard output for a report that programs read, and give the program standard error.

    Raises:
        UsageError: The report cannot be written where it is to go: better said before the run.

    Returns:
        The descriptor that the report goes to; None if it goes to a file or to standard error.
    """
    if options.output is not None and str(options.output) != STANDARD_OUTPUT:
        _check(options.output)
        return None
    if options.format == "text" and options.output is None:
        return None
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    return kept


def _check(path: Path) -> None:
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            return  # a pipe or a terminal: to open it may wait, or be seen
        is_new = not path.exists()
        with path.open("ab"):
            pass
        if is_new:
            path.unlink()
    except OSError as error:
        raise _cannot(path, error) from None


def _cannot(path: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot write {path}: {error.strerror or error}")


def write(report: str, options: argparse.Namespace, descriptor: int | None) -> None:
    """Write a report where the options say, when the program has ended.

    Args:
        report: In the format that was asked for.
        options: ``output``, a path or None.
        descriptor: What `own_output` returned.
    """
    report = report.encode("utf-8", "backslashreplace").decode()
    with contextlib.suppress(AttributeError, OSError, ValueError):  # it may be closed, or none
        sys.stdout.flush()
    if descriptor is not None:
        with open(descriptor, "w", encoding="utf-8") as output:  # noqa: PTH123 - it is no path
            output.write(report + "\n")
    elif options.output is not None:
        try:
            options.output.write_text(report + "\n", encoding="utf-8")
        except OSError as error:
            raise _cannot(options.output, error) from None
    else:
        with contextlib.suppress(OSError, ValueError):
            say(report, sys.stderr)
