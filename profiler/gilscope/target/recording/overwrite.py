"""Whether a file may be replaced by a trace: people run things again, but typing errors happen."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from gilscope.config import TRACE_MAGIC
from gilscope.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def check_overwrite(path: Path) -> None:
    """Make sure that ``path`` is free, or an empty file, or an earlier trace.

    Raises:
        UsageError: It is something else, such as a pipe, which a trace must not replace.
    """
    try:
        # A pipe is not opened: that waits for whoever writes to it.
        if not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(f"{path} is not a regular file: choose another one")
        with path.open("rb") as file:
            start = file.read(len(TRACE_MAGIC))
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    if start not in (b"", TRACE_MAGIC):
        raise UsageError(f"{path} exists and is not a trace: choose another file")
