"""Conditions on two traces: what they say, and what is none."""

from __future__ import annotations

from math import inf

import pytest

from gilscope.analysis.comparing.diff import Change, changed_rows, changes, parse
from gilscope.analysis.rows import Row
from gilscope.errors import UsageError

CHANGES = changes(
    {"gil.wait_s": 1.0, "gil.waits": 0.0, "lock.wait_s": 0.0},
    {"gil.wait_s": 1.3, "gil.waits": 7.0, "lock.wait_s": 0.0},
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("gil.wait_s > 1.2x", True),
        ("gil.wait_s > 1.3x", False),
        ("gil.wait_s >= 1.3x", True),
        ("gil.wait_s > 25%", True),
        ("gil.wait_s > 35%", False),
        ("gil.wait_s < -5%", False),
        ("gil.wait_s > 1200ms", True),
        ("gil.wait_s > 1.4 s", False),
        ("gil.wait_s>1.2", True),
        ("gil.waits > 5", True),
        ("gil.waits > 100x", True),
        ("lock.wait_s > 1.0x", False),
        ("lock.wait_s <= 1e-3", True),
    ],
)
def test_conditions(text: str, wanted: bool) -> None:  # noqa: FBT001 - a parameter
    """Factors and percentages are of the first trace, all else of the second one itself."""
    assert parse(text).holds(CHANGES) is wanted


@pytest.mark.parametrize(
    "text",
    ["", "gil.wait_s", "gil.wait_s > ", "gil.wait_s == 1", "1 > gil.wait_s", "gil.wait_s > 1 or 1",
     "__import__('os') > 1", "gil.wait_s > 1h", "gil.wait_s > nan", "a > " + "9" * 500],
)  # fmt: skip
def test_what_is_no_condition(text: str) -> None:
    """Anything else is refused with an example."""
    with pytest.raises(UsageError, match="is not a condition"):
        parse(text)


def test_times_are_compared_with_times() -> None:
    """A count has no milliseconds."""
    with pytest.raises(UsageError, match="which is not a time"):
        parse("gil.waits > 5ms")


def test_unknown_metrics_have_suggestions() -> None:
    """The error for a misspelt name proposes a similar one."""
    with pytest.raises(UsageError, match=r"there is no metric gil.wait: did you mean gil.wait"):
        parse("gil.wait > 1x").holds(CHANGES)


def test_ratios() -> None:
    """Nothing to nothing is no change; something from nothing is beyond any factor."""
    assert Change("x", 0, 0).ratio == 1
    assert Change("x", 0, 5).ratio == inf
    assert Change("x", 4, 5).ratio == 1.25


def test_rows_by_name() -> None:
    """Rows of one name are put side by side, the largest change first."""

    def row(name: str, total: int) -> Row:
        return Row(name, "lock", 1, total, 0, 0, 0)

    before = [row("a", 10**9), row("b", 10**9)]
    found = changed_rows(before, [row("b", 3 * 10**9), row("c", 10**8)])
    numbers = [(one.name, one.before, one.after) for one, _ in found]
    assert numbers == [("b", 1.0, 3.0), ("a", 1.0, 0.0), ("c", 0.0, 0.1)]
