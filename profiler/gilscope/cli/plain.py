"""Texts for the terminal: names of files, threads and functions cannot control it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable


def clean(text: str) -> str:
    """Return a name so that it can be printed: one line, no control characters."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


_STDOUT: Any = object()


def say(text: object, file: TextIO | None = _STDOUT) -> None:
    """Print a text of one or more lines without control characters, by default to stdout.

    Where the stream is None, as that of a descriptor which is closed, there is nobody to tell.
    """
    if file is _STDOUT:
        file = sys.stdout
    if file is not None:
        print("\n".join(map(clean, str(text).split("\n"))), file=file, flush=True)


def say_problems(problems: Iterable[str]) -> None:
    """Print what is wrong with traces to stderr, each problem once."""
    for problem in dict.fromkeys(problems):
        say(f"problem: {clean(problem)}", sys.stderr)
