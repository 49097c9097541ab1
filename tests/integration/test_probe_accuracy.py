"""The lengths that the probe reports, against those that the program under test knows itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gilscope.trace.format import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Recorded, Row

    type Record = Callable[..., Recorded]

STOCK = pytest.mark.parametrize("interpreter", ["gil"], indirect=True)
TOLERANCE_NS = 1000  # an event


def long(rows: list[Row], least: int) -> list[Row]:
    """Those that are not shorter than the program made each of its own."""
    return [row for row in rows if row.end - row.start >= least]


@STOCK
def test_holds_are_as_long_as_they_were(record: Record) -> None:
    """Each hold is counted; their sum lies between the time inside and the time outside of them."""
    recorded = record("accuracy.py", "turns")
    facts = recorded.facts
    holds = long(recorded.rows(Event.GIL_HOLD, facts["holder"]), facts["hold_ns"])
    assert (len(holds), facts["dropped"]) == (facts["turns"], 0)
    total = sum(row.end - row.start for row in holds)
    allowance = TOLERANCE_NS * facts["turns"]
    assert facts["hold_inner"] - allowance <= total <= facts["hold_outer"] + allowance


@STOCK
def test_waits_are_as_long_as_they_were(record: Record) -> None:
    """Each wait is counted; their sum lies between the least and the most that it can have been."""
    recorded = record("accuracy.py", "turns")
    facts = recorded.facts
    rows = recorded.rows(Event.GIL_WAIT, facts["waiter"])
    # Besides these, it asks for the GIL when it enters and when it leaves.
    waits = long(rows, facts["hold_ns"])
    assert len(waits) == facts["turns"]
    total = sum(row.end - row.start for row in waits)
    allowance = TOLERANCE_NS * facts["turns"]
    assert facts["wait_inner"] - allowance <= total <= facts["wait_outer"] + allowance
