"""Compares the outputs of the arms: if results differ, their times mean nothing."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import TYPE_CHECKING

from gilscope.config import BUILDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.results.model import Run

SHOWN = 70
"""Characters of a line that a notice quotes."""

# What differs from run to run: durations, times of day, dates, addresses.
VARIES = re.compile(
    r"\d[\d.,]*\s*(?:hours?|h|minutes?|min|seconds?|secs?|s|ms|µs|us|ns)\b"
    r"|\b\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d+)?\b"
    r"|\b\d{4}-\d{2}-\d{2}\b"
    r"|\b0x[0-9a-f]+\b",
    re.IGNORECASE,
)


def differences(runs: Sequence[Run]) -> list[str]:
    """Return a notice for each run whose output is not that of the first one.

    Durations, times and addresses in it may differ. Runs that failed are left out.
    """
    complete = [run for run in runs if not run.error]
    return [
        f"{BUILDS[run.build]}: the output differs from that of the {BUILDS[complete[0].build]}: "
        + found
        for run in complete[1:]
        if (found := first_difference(run.stdout, complete[0].stdout))
    ]


def first_difference(text: str, other: str) -> str | None:
    """Return the first difference of two outputs; None if there is none."""
    pairs = zip_longest(text.splitlines(), other.splitlines())
    for number, (mine, theirs) in enumerate(pairs, 1):
        if mine != theirs and _steady(mine) != _steady(theirs):
            return f"line {number} is {_quoted(mine)}, not {_quoted(theirs)}"
    return None


def _steady(line: str | None) -> str | None:
    """Return a line without what varies and without how it was aligned."""
    return None if line is None else " ".join(VARIES.sub("…", line).split())


def _quoted(line: str | None) -> str:
    if line is None:
        return "missing"
    return repr(line if len(line) <= SHOWN else line[: SHOWN - 1] + "…")
