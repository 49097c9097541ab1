"""The report of a command that runs a program: where it goes beside the program's own output."""

from __future__ import annotations

import contextlib
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope.cli.plain import say
from gilscope.errors import GilscopeError, ProbeError, UsageError
from gilscope.identity import read_baseline
from gilscope.target.descriptors import OwnDescriptor

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

FORMATS = {
    "text": "text, for people",
    "json": "JSON, on one line",
    "html": "a page with pictures",
    "sarif": "SARIF, for code-scanning services",
    "markdown": "for the summary of a CI job",
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


def add_baseline(parser: Any, what: str) -> None:
    """Add ``--baseline`` to a parser; ``what`` is the plural of what is reported."""
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="FILE",
        help=f"earlier output of --json: {what} that it contains are known; they do not count for "
        "--fail-on, JSON and SARIF mark them, and text leaves them out",
    )


def known_ids(options: argparse.Namespace, command: str) -> frozenset[str]:
    """Return the ids of what is known, from what ``command`` wrote earlier.

    Raises:
        UsageError: The baseline cannot be read, or is none.
    """
    return read_baseline(options.baseline, command) if options.baseline else frozenset()


def check_format(options: argparse.Namespace) -> None:
    """Refuse, before the program runs, what cannot be written here.

    Raises:
        UsageError: SARIF is written by the side that reads traces, which is not installed.
    """
    if options.format == "sarif" and find_spec("numpy") is None:
        raise UsageError(
            "--format sarif needs gilscope with its dependencies, which this interpreter does not "
            "have: use --json here"
        )


def marked(objects: list[dict[str, Any]], known: frozenset[str]) -> list[dict[str, Any]]:
    """Return JSON objects with a mark in those that are known."""
    return [{**one, "known": True} if one["id"] in known else one for one in objects]


def left_out(count: int, singular: str, plural: str) -> str:
    """Return the last line of a text that leaves out what is known; empty if that is nothing."""
    return f"\n{count} known {singular if count == 1 else plural} left out" if count else ""


@contextlib.contextmanager
def made_at_end() -> Iterator[None]:
    """Around what makes the report when the program has ended, which may have changed the process.

    Raises:
        ProbeError: It fails, as in a jail or for another user, who may not read what it takes.
    """
    try:
        yield
    except GilscopeError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the program's doings lead to
        reason = f"{type(error).__name__}: {error}"
        raise ProbeError(f"the report of this run cannot be made ({reason})") from None


def own_output(options: argparse.Namespace) -> OwnDescriptor | None:
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
    with contextlib.suppress(AttributeError, OSError, ValueError):  # it may be closed, or none
        sys.stdout.flush()
    try:
        kept = os.dup(1)
        os.dup2(2, 1)
    except OSError as error:
        raise UsageError(f"cannot write the report to standard output: {error.strerror}") from None
    return OwnDescriptor(kept)


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


def write(report: str, options: argparse.Namespace, descriptor: OwnDescriptor | None) -> None:
    """Write a report where the options say, when the program has ended.

    Args:
        report: In the format that was asked for.
        options: ``output``, a path or None.
        descriptor: What `own_output` returned.
    """
    report = report.encode("utf-8", "backslashreplace").decode()
    with contextlib.suppress(Exception):  # it may be closed, or none, or the program's
        sys.stdout.flush()
    if descriptor is not None and descriptor.number >= 0:
        with open(descriptor.number, "w", encoding="utf-8") as output:  # noqa: PTH123 - it is no path
            output.write(report + "\n")
    elif descriptor is None and options.output is not None:
        try:
            options.output.write_text(report + "\n", encoding="utf-8")
        except OSError as error:
            raise _cannot(options.output, error) from None
    else:
        with contextlib.suppress(Exception):
            say(report, sys.stderr)
