"""Stable ids: the same finding or race has the same id in each run. Standard library only."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from gilscope.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# A number with its unit that is no part of a name; a line number behind a file; a thread's number.
_QUANTITY = re.compile(r"(?<![\w.])\d[\d,.]*\d?\s?(?:ns|µs|ms|s|%|[kMG]?B|[x×]|times)?(?![\w])")
_LINE = re.compile(r"(?<=[\w)]):\d+\b")
_PLURAL = re.compile(r"\b(\w{3,})s\b")
TRACE = b"GILSCOPE"
"""What a trace begins with."""

# By what the JSON of each command can be told: names that it has; the first one that fits counts.
_WRITERS: dict[str, set[str]] = {
    "compare": {"schema", "outcome", "runs"},
    "info": {"trace", "end_reason"},
    "findings": {"trace", "findings"},
    "races": {"races"},
    "lock-order": {"cycles"},
    "diff": {"before", "after", "metrics"},
    "ready": {"ready", "extensions"},
    "top": {"duration_s"},
    "dump": {"kind", "threads"},
    "doctor": {"hooks"},
}


def of_finding(name: str, title: str) -> str:
    """Return the id of a finding: of its kind and its title without numbers and lines.

    The same problem keeps its id from run to run, and when lines above it move. It gets another one
    when a function, file or lock that the title names is called something else.
    """
    text = _QUANTITY.sub("#", _LINE.sub("", title))
    return _digest(name, _PLURAL.sub(r"\1", text))


def of_race(kind: str, variable: str, places: Iterable[tuple[str, str]]) -> str:
    """Return the id of a race.

    Args:
        kind: Its class.
        variable: What the program calls it.
        places: File and function of each access.
    """
    known = {f"{file.rpartition('/')[2]} {function}" for file, function in places}
    return _digest(kind, variable, *sorted(known))


def of_hazard(kind: str, locks: Iterable[str], places: Iterable[tuple[str, str]]) -> str:
    """Return the id of a deadlock to come.

    Args:
        kind: Of `gilscope lock-order`.
        locks: Their names.
        places: File and function where each thread asks.
    """
    names = sorted({_QUANTITY.sub("#", lock) for lock in locks})
    return of_race(kind, "\0".join(names), places)


def read_baseline(path: Path, command: str) -> frozenset[str]:
    """Return the ids in what a command wrote earlier with ``--json``.

    Args:
        path: The file.
        command: `findings`, `races` or `lock-order`.

    Raises:
        UsageError: The file cannot be read, or is something else; what it is, is said.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the baseline {path}: {error.strerror}") from None
    try:
        content = json.loads(data)
    except ValueError:
        content = None
        is_ = "a trace" if data.startswith(TRACE) else "no JSON"
    else:
        is_ = _writer(content)
    if is_ == command or content == []:
        return frozenset(_ids(content))
    if is_ in _WRITERS:
        is_ = f"the JSON of `gilscope {is_}`"
    raise UsageError(
        f"{path} is no baseline: it is {is_}, but what `gilscope {command} --json` wrote is needed"
    )


def _writer(content: Any) -> str:
    """Return which command wrote a JSON document, else what it is."""
    one = content
    while isinstance(one, list) and one:
        one = one[0]
    names = set(one) if isinstance(one, dict) else set()
    for command, wanted in _WRITERS.items():
        if wanted <= names:
            return command
    return "SARIF" if {"$schema", "runs"} <= names else "other JSON"


def _ids(data: Any) -> Iterable[str]:
    if isinstance(data, dict):
        if isinstance(data.get("id"), str):
            yield data["id"]
        for key in ("findings", "races", "cycles"):
            yield from _ids(data.get(key))
    elif isinstance(data, list):
        for one in data:
            yield from _ids(one)


def _digest(*parts: str) -> str:
    # Here, so that `gilscope run`, which has no findings, does not load it into the program.
    import hashlib  # noqa: PLC0415

    return hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:16]
