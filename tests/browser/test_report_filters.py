"""Filters in the report: the tables count what the timelines show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import gilscope.view.data.columns
from gilscope.presentation import Comparison
from gilscope.trace.reading.reader import read
from gilscope.view.html.report import write_report
from view_examples import office_run, run_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READY = '() => document.querySelector("#view-1")?.dataset.drawn'
VIEW = 'document.querySelector("#view-1").gilscope'
TIMEOUT_MS = 60_000
RESET = f"() => {VIEW}.lanes.show_all()"

# Rows of one table, whatever tab is open; cells without the bars and marks in them.
ROWS = f"""([tab, filters]) => {{
  for (const [name, value] of Object.entries(filters)) {VIEW}.set(name, value)
  {VIEW}.set("tab", tab)
  {VIEW}.table.show()
  return [...document.querySelectorAll("#view-1 [role=tabpanel] tbody tr")]
    .map((row) => [...row.cells].map((cell) => cell.innerText.trim()))
}}"""

# Time of each state that is drawn of the first thread that is shown, µs.
DRAWN = f"""() => {{
  const [painter] = {VIEW}.painters, {{ timeline }} = painter
  const [lane] = timeline.kept_threads
  const [from, to] = [0, timeline.duration], segments = timeline.segments(from, to)
  const shares = painter.shares(segments, segments.seen(lane, from, to), from, to, 1, {VIEW}.kept)
  return [...shares].map((share) => Math.round(share * (to - from) / 1e3))
}}"""


def written(directory: Path) -> Path:
    """Write a report of a made-up run; its path."""
    trace = read(office_run().write(directory / "x.gilscope"))
    section = Comparison("filters", ("x",), (run_of("ft", trace),))
    write_report([section], directory / "r.html", "filters")
    return directory / "r.html"


@pytest.fixture(scope="module")
def loaded(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Open the report once."""
    page = browser.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    page.goto(written(tmp_path_factory.mktemp("filters")).as_uri())
    page.wait_for_function(READY)
    yield page
    page.close()


@pytest.fixture
def report(loaded: Any) -> Any:
    """Show the report without a filter."""
    loaded.evaluate(RESET)
    return loaded


def rows(page: Any, tab: str, **filters: Any) -> list[list[str]]:
    """Return the cells of a table, filtered."""
    found: list[list[str]] = page.evaluate(ROWS, [tab, filters])
    return found


def test_a_thread_leaves_its_numbers_in_every_table(report: Any) -> None:
    """Its row, its waits, callbacks and spans; and whom it waited for, who is hidden."""
    thread = {"thread": "worker-1"}
    assert [row[0] for row in rows(report, "threads", **thread)] == ["worker-1"]
    assert rows(report, "locks") == [
        ["threading.Lock `office.DESK` lock", "1", "400 µs", "0", "400 µs"],
        ["threading.Lock `office.DOOR` lock", "1", "100 µs", "0", "100 µs"],
    ]
    assert rows(report, "callbacks") == [["log-1", "1", "20 µs", "0", "20 µs"]]
    assert rows(report, "spans") == [["job-1", "1", "100 µs", "100 µs", "–"]]
    assert rows(report, "blame") == [["worker-1", "500 µs"]]
    assert report.locator("#view-1 th").all_inner_texts() == ["Waits", "MainThread"]
    assert ["running without the GIL", "500 µs"] in rows(report, "difference")


def test_a_lock_leaves_waits_for_it(report: Any) -> None:
    """What is not about locks is not counted at all, rather than as 0; callbacks stay."""
    assert rows(report, "threads", lock="DOOR") == [
        ["MainThread", "0", "0"],
        ["worker-1", "100 µs", "0"],
        ["worker-2", "100 µs", "0"],
    ]
    assert [row[:3] for row in rows(report, "locks")] == [
        ["threading.Lock `office.DOOR` lock", "2", "200 µs"]
    ]
    assert rows(report, "blame") == [["worker-1", "100 µs", "·"], ["worker-2", "·", "100 µs"]]
    assert [row[1] for row in rows(report, "difference")] == ["200 µs", "0", "0"]
    assert len(rows(report, "callbacks")) == len(rows(report, "spans")) == 2


def test_a_callable_leaves_its_callbacks_and_the_threads_that_called_it(report: Any) -> None:
    """All tables are about these threads."""
    assert rows(report, "callbacks", callable="log-2") == [["log-2", "1", "40 µs", "0", "40 µs"]]
    assert [row[0] for row in rows(report, "threads")] == ["worker-2"]
    assert [row[0] for row in rows(report, "spans")] == ["job-2"]


def test_a_least_duration_leaves_what_takes_that_long(report: Any) -> None:
    """Of intervals, callbacks and spans."""
    assert [row[:3] for row in rows(report, "locks", least="150 us")] == [
        ["threading.Lock `office.DESK` lock", "2", "800 µs"]
    ]
    assert rows(report, "callbacks") == []
    assert [row[0] for row in rows(report, "spans")] == ["job-2"]
    assert rows(report, "blame") == [["worker-1", "400 µs", "·"], ["worker-2", "·", "400 µs"]]


def test_hidden_lanes_are_not_counted(report: Any) -> None:
    """A thread that is hidden by hand is as one that is filtered."""
    found = rows(report, "threads", hidden=["worker-2"])
    assert [row[0] for row in found] == ["MainThread", "worker-1"]


def test_what_is_counted_stands_above_the_table(report: Any) -> None:
    """The filters in words, with a button that takes them back; findings are of whole runs."""
    panel = report.locator("#view-1 [role=tabpanel]")
    rows(report, "threads", thread="worker-1", lock="DOOR", least="50 us")
    note = "Only threads “worker-1” · waits for “DOOR” · at least 50 µs"
    assert note in panel.inner_text()
    rows(report, "findings")
    assert "filters do not apply" in panel.inner_text()
    panel.get_by_text("Show all").dispatch_event("click")
    assert len(rows(report, "threads")) == 3
    assert "Only" not in panel.inner_text()


def test_a_filter_leaves_the_parallelism_of_the_shown_threads(report: Any) -> None:
    """Waits that are not drawn are waits: threads that wait are not counted as running."""
    curve = f"() => {VIEW}.painters[0].parallelism.data.y"
    rows(report, "threads", thread="worker-1")
    before = report.evaluate(curve)
    rows(report, "threads", thread="worker-1", lock="DOOR", least="50 us")
    assert report.evaluate(curve) == before
    assert max(before) == pytest.approx(1)


def test_a_lock_of_a_long_trace_is_drawn_and_counted_alike(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where merged segments say nothing of locks, those that are divided by lock are drawn."""
    monkeypatch.setattr(gilscope.view.data.columns, "MANY", 0)
    page = browser.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    page.goto(written(tmp_path).as_uri())
    page.wait_for_function(READY)
    filters = {"lock": "DOOR", "thread": "worker-2"}
    assert [row[:3] for row in rows(page, "locks", **filters)] == [
        ["threading.Lock `office.DOOR` lock", "1", "100 µs"]
    ]
    drawn = page.evaluate(DRAWN)
    page.close()
    assert drawn[3] == 100
    assert sum(drawn) == 100


def test_a_run_that_is_over_has_no_parallelism(report: Any) -> None:
    """Its curve ends with it, in whole columns of pixels, wherever it stands on the axis."""
    progress = f"""([left, right]) => {{
      const [painter] = {VIEW}.painters
      painter.draw_progress(painter.parallelism, [0], left, right, 8)
      return painter.parallelism.data.x.map((x) => Math.round(1000 * x))
    }}"""
    assert report.evaluate(progress, [0, 1_000_000])[::8] == [0, 1000]
    assert report.evaluate(progress, [0, 4_000_000]) == [0, 500, 1000]
    assert report.evaluate(progress, [-3_000_000, 1_000_000]) == [0, 500, 1000]
    assert report.evaluate(progress, [2_000_000, 3_000_000]) == [0]
    assert report.evaluate(f"() => {VIEW}.painters[0].parallelism.data.y.every(Number.isNaN)")
