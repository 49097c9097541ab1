"""The report of a command that runs a program: where it goes beside the program's own output."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from gilscope.cli.plain import say

if TYPE_CHECKING:
    import argparse

FORMATS = {
    "text": "text, for people",
    "json": "JSON, on one line",
    "html": "a page with pictures",
    "sarif": "SARIF, for code-scanning services",
}


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

    Returns:
        The descriptor that the report goes to; None if it goes to a file or to standard error.
    """
    if options.format == "text" or options.output is not None:
        return None
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    return kept


def write(report: str, options: argparse.Namespace, descriptor: int | None) -> None:
    """Write a report where the options say, when the program has ended.

    Args:
        report: In the format that was asked for.
        options: ``output``, a path or None.
        descriptor: What `own_output` returned.
    """
    if options.output is not None:
        options.output.write_text(report + "\n", encoding="utf-8")
    elif descriptor is None:
        sys.stdout.flush()
        say(report, sys.stderr)
    else:
        sys.stdout.flush()
        with open(descriptor, "w", encoding="utf-8") as output:  # noqa: PTH123 - it is no path
            output.write(report + "\n")
