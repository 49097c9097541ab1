"""Two traces of one program, before and after a change, and conditions on what came of it.

A condition is ``NAME OPERATOR LIMIT``: the name of a metric, one of ``> >= < <=``, and

    1.2x        of the second trace's value by the first one's
    10%  -5%    of how much the second one's is above the first one's, as a share of that
    3  0.5s  200ms  50us  10ns      of the second one's value itself
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from difflib import get_close_matches
from math import inf
from typing import TYPE_CHECKING

from gilscope.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gilscope.analysis.comparing.metrics import Metrics
    from gilscope.analysis.rows import Row

_CONDITION = re.compile(
    r"\s*(?P<name>[a-z][a-z0-9_.-]*)\s*(?P<operator>>=|<=|>|<)\s*"
    r"(?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?)\s*(?P<unit>x|%|s|ms|us|µs|ns|)\s*"
)
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_LONGEST = 200  # characters of a condition


@dataclass(frozen=True, slots=True)
class Change:
    """One metric of both traces."""

    name: str
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """The second value by the first: 1 if both are 0, infinite if only the first is 0."""
        if self.before:
            return self.after / self.before
        return inf if self.after else 1.0


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, parsed.

    Attributes:
        text: as it was written.
        name: of the metric.
        operator: one of ``> >= < <=``.
        number: the limit.
        unit: "x", "%", a unit of time, or "" of a plain number.
    """

    text: str
    name: str
    operator: str
    number: float
    unit: str

    def holds(self, changes: Iterable[Change]) -> bool:
        """Return whether the condition is true.

        Raises:
            UsageError: There is no such metric.
        """
        by_name = {change.name: change for change in changes}
        change = by_name.get(self.name)
        if change is None:
            close = get_close_matches(self.name, by_name, n=3)
            hint = f"did you mean {' or '.join(close)}?" if close else "gilscope diff lists them"
            raise UsageError(f"there is no metric {self.name}: {hint}")
        value, limit = change.after, self.number
        if self.unit == "x":
            value = change.ratio
        elif self.unit == "%":
            value = 100 * (change.ratio - 1)
        else:
            limit *= _SECONDS.get(self.unit, 1.0)
        return _OPERATORS[self.operator](value, limit)


def parse(text: str) -> Condition:
    """Parse a condition.

    Raises:
        UsageError: The text is not a condition.
    """
    found = _CONDITION.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        raise UsageError(
            f"{text[:_LONGEST]!r} is not a condition: write NAME > LIMIT, such as "
            "'gil.wait_s > 1.2x', 'gil.wait_s > 10%' or 'gil.wait_max_s > 50ms'"
        )
    name, unit = found["name"], found["unit"]
    if unit in _SECONDS and not name.endswith("_s"):
        raise UsageError(f"{text!r} compares {name}, which is not a time, with a time in {unit}")
    return Condition(text.strip(), name, found["operator"], float(found["number"]), unit)


def changes(before: Metrics, after: Metrics) -> list[Change]:
    """Return all metrics of both traces, in their own order."""
    return [Change(name, before[name], after[name]) for name in before]


def changed_rows(before: Iterable[Row], after: Iterable[Row]) -> list[tuple[Change, str]]:
    """Return the waiting, in s, of what two tables have by one name, and its detail.

    The one that changed most comes first. Names that are not of the program, such as addresses,
    differ from run to run: what one table lacks counts as 0 there.
    """
    totals: dict[tuple[str, str], list[float]] = {}
    for place, rows in enumerate((before, after)):
        for row in rows:
            both = totals.setdefault((row.name, row.detail), [0.0, 0.0])
            both[place] += row.total_ns / 1e9
    found = [(Change(name, *both), detail) for (name, detail), both in totals.items()]
    return sorted(found, key=lambda one: (-abs(one[0].after - one[0].before), one[0].name))
