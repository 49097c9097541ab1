"""How much memory the commands that read traces may use."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from gilscope.cli.plain import say
from gilscope.errors import UsageError
from gilscope.target.recording.options import size

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "GILSCOPE_MEMORY"
"""The environment variable with the limit: a size such as 4G, or ``all``."""

FOLDERS = "TMPDIR", "/var/tmp"  # noqa: S108 - files in it have no name
"""Where large arrays go: the folder that this variable names, else this one, which is on a disk."""

DEFAULT = 2_000_000_000
"""Bytes without the variable."""


def limit() -> int | None:
    """Return the limit in bytes; None: all memory that there is.

    Raises:
        UsageError: The variable has no such value.
    """
    from gilscope.trace.limited_memory import LEAST  # noqa: PLC0415 - loaded on demand

    text = os.environ.get(VARIABLE, "")
    if text in ("", "all"):
        return None if text else DEFAULT
    try:
        wanted = size(text)
    except ValueError:
        wanted = 0
    if wanted < LEAST:
        raise UsageError(
            f"{VARIABLE} is {text!r}: give a size of {LEAST >> 20}M or more, such as 4G, or 'all'"
        )
    return wanted


@contextmanager
def bounded(wanted: int | None) -> Iterator[None]:
    """Keep to the limit while the block runs, and say so if that could not be.

    Args:
        wanted: bytes; None: there is no limit.
    """
    # Without numpy the command itself says what is missing.
    if wanted is None or find_spec("numpy") is None:
        yield
        return
    from gilscope.trace.limited_memory import limited_memory  # noqa: PLC0415 - loaded on demand

    folder = os.environ.get(FOLDERS[0]) or FOLDERS[1]
    with limited_memory(wanted, folder) as taken:
        yield
    if taken.refused:
        say(
            f"note: {folder} had no room for {taken.refused:,} bytes, so that more memory than "
            f"{wanted:,} bytes may have been used: set {FOLDERS[0]} to a folder on a disk",
            sys.stderr,
        )
