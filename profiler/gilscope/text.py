"""Numbers and names as people read them: the same in findings, tables, reports and views.

The page formats what it counts itself with `time_text` and `size_text` of view/app/text.js, which
do the same steps on the same numbers; a test holds them together.
"""

from __future__ import annotations

import math
import re

OWN_NAME = re.compile(r"`(.+)`|\b((?:created|allocated|first waited for) .+)$")
_UNITS = (("s", 1e9), ("ms", 1e6), ("µs", 1e3))
_SIZES = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
_DECIMALS = (
    (2, 9.995),
    (1, 99.95),
    (0, math.inf),
)  # as many as leave three digits, and up to where
_FULL = 999.5  # from here on three digits are not enough
_ROUNDED_UP = 0.9995  # from here on three digits make it 1


def time_text(ns: float) -> str:
    """Return a time to three digits: ``1.24 s``, ``31 ms``, ``8.15 µs``, ``633 ns``, ``0``.

    Args:
        ns: nanoseconds, not negative.
    """
    for unit, factor in _UNITS:
        if ns / factor >= _ROUNDED_UP:
            return f"{_three_digits(ns / factor)} {unit}"
    return f"{_three_digits(ns)} ns" if ns else "0"


def seconds_text(seconds: float) -> str:
    """Return a time in seconds as `time_text` does."""
    return time_text(seconds * 1e9)


def size_text(size: float) -> str:
    """Return bytes to three digits: ``812 B``, ``1.2 kB``, ``33.6 MB``."""
    for unit, factor in _SIZES:
        if size >= factor:
            return f"{_three_digits(size / factor)} {unit}"
    return f"{_three_digits(size)} B"


def _three_digits(value: float) -> str:
    if value >= _FULL:
        return f"{math.floor(value + 0.5):,}"
    decimals = next(n for n, limit in _DECIMALS if value < limit)
    shown = f"{math.floor(value * 10**decimals + 0.5) / 10**decimals:.{decimals}f}"
    return shown.rstrip("0").rstrip(".") if decimals else shown


def count_text(number: int, what: str) -> str:
    """Return a number of things: ``1 time``, ``2,400 times``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def shortened(name: str, limit: int) -> str:
    """Return a name that is no longer than ``limit``.

    Of an object with a name, or a place, that is more than its type; else the middle is left out.
    """
    name = name.replace("(anonymous namespace)::", "").replace(".<locals>", "")
    if len(name) > limit and (own := OWN_NAME.search(name)):
        name = own[1] or own[2]
    if len(name) <= limit:
        return name
    end = limit * 2 // 5
    return f"{name[: limit - 1 - end]}…{name[-end:]}"


def short_function(function: str) -> str:
    """Return the name of a native function without what C++ puts around it."""
    name = function.replace("(anonymous namespace)::", "")
    if name.startswith("<") or "operator" in name:
        return name.partition("(")[0].strip() or function
    kept, depth = "", 0  # of template arguments
    for character in name:
        if character == "(" and not depth:
            break
        depth += character == "<"
        kept += character if not depth else ""
        depth -= character == ">" and depth > 0
    return kept.strip() or function
