"""Recordings that the environment variable ``GILSCOPE`` asks for: ``ring,when=gil_wait>50ms``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope.config import TRACE_SUFFIX
from gilscope.errors import UsageError
from gilscope.target.frozen import Frozen
from gilscope.target.recording.options import RecordingOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

SWITCH = "GILSCOPE"
"""The environment variable."""

OFF = ("", "0", "off")
"""Values that ask for nothing."""

ON = ("1", "on")
"""Words that ask for a recording with the options as they are by default."""

FOLDER = "dir"
"""The word that names the folder of the traces."""

WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")
"""Options of the interpreter that another word follows."""


class Request(Frozen):
    """A recording that was asked for.

    Attributes:
        folder: Where its trace goes.
        options: How it is recorded.
    """

    folder: str
    options: RecordingOptions


def requested(text: str) -> Request | None:
    """Parse the value of the variable: words with a comma between them.

    Args:
        text: Options of ``gilscope run`` without the two dashes, ``NAME`` or ``NAME=VALUE``, and
            ``dir=FOLDER`` (by default the current one).

    Returns:
        What it asks for; None if it asks for nothing.

    Raises:
        UsageError: A word is unknown, or its value is out of range.
    """
    if text.strip() in OFF:
        return None
    words = [word.strip() for word in text.split(",")]
    folder = "."
    changes: dict[str, Any] = {}
    for word in words:
        name, given, value = word.partition("=")
        if name == FOLDER and value:
            folder = value
        elif word not in ON:
            changes.update(_option(name, value if given else None))
    return Request(folder=folder, options=RecordingOptions().replaced(**changes))


def _option(name: str, value: str | None) -> dict[str, Any]:
    """Return the field of `RecordingOptions` that a word sets, and its value."""
    for field, one in RecordingOptions.fields().items():
        if "run" not in one.metadata["where"] or f"--{name}" not in one.metadata["names"]:
            continue
        parse = one.metadata.get("parse")
        if (parse is None) != (value is None):
            needs = "needs a value" if value is None else "takes no value"
            raise UsageError(f"{SWITCH}: {name} {needs}")
        if parse is None:
            return {field: not name.startswith("no-")}
        try:
            return {field: parse(value)}
        except ValueError as error:
            raise UsageError(f"{SWITCH}: {name}: {error}") from None
    raise UsageError(f"{SWITCH}: unknown word {name!r}: it takes {', '.join(_words())}")


def _words() -> list[str]:
    names = [
        name.removeprefix("--")
        for one in RecordingOptions.fields().values()
        if "run" in one.metadata["where"]
        for name in one.metadata["names"]
    ]
    return [f"{FOLDER}=FOLDER", *names]


def begin() -> None:
    """Begin what the environment asks for; this process's own commands are not recorded.

    Raises:
        UsageError: The variable's value cannot be understood.
        ProbeError: The probe cannot record here, and why.
        OSError: The folder cannot be made.
    """
    request = requested(os.environ.get(SWITCH, ""))
    program = program_of(sys.orig_argv)
    if request is None or program.partition(".")[0] == "gilscope":
        return
    from gilscope.target.recording import session  # noqa: PLC0415 - only where it records

    folder = Path(request.folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    session.start(folder / f"{program}.{os.getpid()}{TRACE_SUFFIX}", request.options)


def program_of(words: Sequence[str]) -> str:
    """Return what a command of Python runs: a module's name, a script's, or ``python``."""
    rest = iter(words[1:])
    for word in rest:
        if word in WITH_VALUE:
            next(rest, "")
        elif word == "-m":
            return next(rest, "python")
        elif word == "-c":
            return "python"
        elif word.startswith("-m") and len(word) > len("-m"):
            return word[2:]
        elif not word.startswith("-"):
            return Path(word).stem
    return "python"
