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
_KEYS = {"findings", "races", "cycles"}
_PLURAL = re.compile(r"\b(\w{3,})s\b")


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


def read_baseline(path: Path) -> frozenset[str]:
    """Return the ids in what ``--json`` wrote earlier: of findings, races or hazards.

    Raises:
        UsageError: The file cannot be read, or has another format.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the baseline {path}: {error.strerror}") from None
    except ValueError:
        raise UsageError(f"{path} is no baseline: it is not JSON") from None
    kinds = isinstance(data, dict) and _KEYS & data.keys()
    if not kinds and not isinstance(data, list):
        raise UsageError(f"{path} is no baseline: write one with --json")
    return frozenset(_ids(data))


def _ids(data: Any) -> Iterable[str]:
    if isinstance(data, dict):
        if isinstance(data.get("id"), str):
            yield data["id"]
        for key in _KEYS:
            yield from _ids(data.get(key))
    elif isinstance(data, list):
        for one in data:
            yield from _ids(one)


def _digest(*parts: str) -> str:
    # Here, so that `gilscope run`, which has no findings, does not load it into the program.
    import hashlib  # noqa: PLC0415

    return hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:16]
