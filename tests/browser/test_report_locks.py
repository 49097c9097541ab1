"""Locks of one name in the report: one lane, one row, whatever their number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gilscope.comparison import Comparison
from gilscope.trace.reader import read
from gilscope.view.report import write_report
from view_examples import pool_run, run_of

if TYPE_CHECKING:
    from pathlib import Path

READY = '() => document.querySelector("#view-1")?.dataset.drawn'
VIEW = 'document.querySelector("#view-1").gilscope'
LANES = (
    f"() => {VIEW}.timelines[0].lanes.filter(({{ kind }}) => kind === 'lock').map((l) => l.name)"
)
CHOSEN = f"() => [{VIEW}.choice.start, {VIEW}.choice.end]"


def test_locks_of_one_name_are_one(page: Any, tmp_path: Path, console_errors: list[str]) -> None:
    """Their numbers are added up, contention and blocking apart; a click leads to the longest."""
    trace = read(pool_run().write(tmp_path / "x.gilscope"))
    run = run_of("ft", trace)
    write_report([Comparison("locks", ("x",), (run,)).section()], tmp_path / "r.html", "locks")
    page.goto((tmp_path / "r.html").as_uri())
    page.wait_for_function(READY)
    assert page.evaluate(LANES) == ["list `pool.ITEMS`"]
    page.locator("#view-1 [data-tab=locks]").click()
    rows = page.locator("#view-1 [role=tabpanel] tbody tr")
    cells = [row.locator("td").all_inner_texts() for row in rows.all()]
    assert cells == [
        ["list `pool.ITEMS` object, 3 of that name", "3", "600 µs", "0", "300 µs"],
        ["event event, 2 of that name", "2", "0", "900 µs", "500 µs"],
    ]
    rows.nth(0).locator("button").click()
    assert page.evaluate(CHOSEN) == [300_000, 600_000]
    page.locator("#view-1").focus()
    page.keyboard.press("/")
    page.keyboard.type("event")
    page.keyboard.press("Enter")
    page.locator("#view-1 [role=status]", has_text="1 of 1 found").wait_for()
    assert "blocked or asleep: 500 µs" in page.locator("#view-1 .details").inner_text()
    assert console_errors == []
