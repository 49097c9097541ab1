"""Texts for the terminal: names of files, threads and functions cannot control it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable


def clean(text: str) -> str:
    """Return a name so that it can be printed: one line, no control characters."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def say(text: object, file: TextIO | None = None) -> None:
    """Print a text of one or more lines without control characters, by default to stdout."""
    print("\n".join(map(clean, str(text).split("\n"))), file=file or sys.stdout, flush=True)


def say_problems(problems: Iterable[str]) -> None:
    """Print what is wrong with traces to stderr, each problem once."""
    for problem in dict.fromkeys(problems):
        say(f"problem: {clean(problem)}", sys.stderr)
