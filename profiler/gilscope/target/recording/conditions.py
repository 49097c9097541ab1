"""Conditions under which a ring is written by itself: ``gil_wait > 50 ms``, or ``hang``."""

from __future__ import annotations

import re

from gilscope.target.frozen import Frozen

KINDS = ("gil_wait", "lock_wait", "pause")
HANG = "hang"
LEAST_NS, MOST_NS = 1_000_000, 3_600_000_000_000
_UNITS = {"us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
_FORM = re.compile(r"\s*(\w+)\s*>\s*(\d+(?:\.\d+)?)\s*(us|ms|s)\s*")


class Condition(Frozen):
    """A wait that is too long, or a hang.

    Attributes:
        kind: One of `KINDS`, or `HANG`.
        longer_ns: How long it lasts at least; 0 of a hang.
    """

    kind: str
    longer_ns: int


def parse(text: str) -> Condition:
    """Parse a condition.

    Raises:
        ValueError: It is none.
    """
    if text.strip() == HANG:
        return Condition(kind=HANG, longer_ns=0)
    found = _FORM.fullmatch(text)
    if found is None or found[1] not in KINDS:
        raise ValueError(
            f"{text!r} is no condition such as 'gil_wait > 50 ms' ({', '.join(KINDS)}), or '{HANG}'"
        )
    longer = int(float(found[2]) * _UNITS[found[3]])
    if not LEAST_NS <= longer <= MOST_NS:
        raise ValueError(f"{text!r}: the time is 1 ms to 3600 s")
    return Condition(kind=found[1], longer_ns=longer)


def condition(text: str) -> str:
    """Check a condition, and return it.

    Raises:
        ValueError: It is none.
    """
    if text:
        parse(text)
    return text
