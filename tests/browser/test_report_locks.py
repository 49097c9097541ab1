"""Locks of one name in the report: one lane, one row, whatever their number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gilscope.presentation import Comparison
from gilscope.trace.reading.reader import read
from gilscope.view.html.report import write_report
from view_examples import many_locks_run, pool_run, run_of

if TYPE_CHECKING:
    from pathlib import Path

READY = '() => document.querySelector("#view-1")?.dataset.drawn'
VIEW = 'document.querySelector("#view-1").gilscope'
LANES = (
    f"() => {VIEW}.timelines[0].lanes.filter(({{ kind }}) => kind === 'lock').map((l) => l.name)"
)
# Hits, and how often the search looks up what a segment is about.
SEARCH = f"""(word) => {{
  const view = {VIEW}, [timeline] = view.timelines
  const {{ codes }} = timeline
  let looks = 0
  const get = (...what) => {{ looks++; return Reflect.get(...what) }}
  timeline.codes = new Proxy(codes, {{ get }})
  const hits = view.finder.search_locks(word)
  timeline.codes = codes
  return [hits.map(([, lane, row, segments]) => [lane, segments.start[row]]), looks]
}}"""
CHOSEN = f"() => [{VIEW}.choice.start, {VIEW}.choice.end]"


def test_locks_of_one_name_are_one(page: Any, tmp_path: Path, console_errors: list[str]) -> None:
    """Their numbers are added up, contention and blocking apart; a click leads to the longest."""
    trace = read(pool_run().write(tmp_path / "x.gilscope"))
    run = run_of("ft", trace)
    write_report([Comparison("locks", ("x",), (run,))], tmp_path / "r.html", "locks")
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


def test_the_search_goes_through_the_segments_once(page: Any, tmp_path: Path) -> None:
    """However many locks a word fits: the work grows with the trace, not with its square."""
    trace = read(many_locks_run(400).write(tmp_path / "x.gilscope"))
    run = run_of("ft", trace)
    write_report([Comparison("locks", ("x",), (run,))], tmp_path / "r.html", "locks")
    page.goto((tmp_path / "r.html").as_uri())
    page.wait_for_function(READY)
    hits, looks = page.evaluate(SEARCH, "box_")
    assert hits == [[1, 1000 * number] for number in range(400)]
    assert looks <= 2 * 400 + 10  # waits, and what is between them
    assert len(page.evaluate(SEARCH, "BOX_00".lower())[0]) == 10
