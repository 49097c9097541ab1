"""The option ``-D FILE``: a result as a file, in the format that its name's end says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from gilscope.errors import UsageError
from gilscope.trace.writing.output import check_replaceable, replace_text

if TYPE_CHECKING:
    from gilscope.presentation import Comparison

REPORT, SUMMARY = ".html", ".json"
EXPORTS = {".perfetto-trace": "perfetto", ".chrome.json": "chrome"}
"""Formats of `gilscope.export`, by what names of files end in."""


def suffixes() -> tuple[str, ...]:
    """Return the suffixes that help texts and errors name."""
    return REPORT, *EXPORTS, SUMMARY


def check(name: str) -> None:
    """Check before anything runs that a file can be written.

    Raises:
        UsageError: Nobody knows its format, or its directory is not there.
        ExportError: There is a file that gilscope did not write.
    """
    path = Path(name).expanduser()
    check_replaceable(path)
    if not path.name.endswith(suffixes()):
        raise UsageError(f"-D {name}: the name must end in one of {', '.join(suffixes())}")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"-D {name}: no such directory: {path.absolute().parent}")


def dump(comparison: Comparison, name: str) -> None:
    """Write ``comparison``; a file that is there is replaced.

    Raises:
        ExportError: It cannot be written.
    """
    path = Path(name).expanduser()
    formats = [format_ for end, format_ in EXPORTS.items() if path.name.endswith(end)]
    if path.name.endswith(REPORT):
        comparison.report(path)
    elif formats:
        comparison.export(path, formats[0], force=True)
    else:
        replace_text(path, json.dumps(comparison.summary(), indent=2) + "\n")
