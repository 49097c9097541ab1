"""Threads that share a lane in the report: folded, unfolded, scrolled, found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gilscope.view.html.report import write_report
from view_examples import crowd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

THREADS = 200
VIEW = "document.querySelector('#view-1').gilscope"
READY = "() => document.querySelector('#view-1')?.dataset.drawn"
SHOWN = f"""() => {VIEW}.timelines.map(({{ shown, lanes }}) =>
  shown.map((lane) => lanes[lane].name))"""
# The chosen thread, and whether its lane is in view as a whole.
CHOSEN = f"""() => {{
  const view = {VIEW}, {{ timeline, lane }} = view.choice
  return [timeline.lanes[lane].name, view.painters[timeline.number].sees(lane)]
}}"""
HEIGHTS = f"() => {VIEW}.painters.map(({{ figure }}) => figure.frame_height)"
RESET = f"""() => {{
  const view = {VIEW}
  for (const name of ["thread", "search"]) view.set(name, "")
  view.set("order", "contention")
  view.chooser.clear()
  view.axis.fit()
  for (const timeline of view.timelines) {{
    for (const pool of timeline.pools) view.lanes.fold(timeline, pool)
  }}
}}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Write the report of two runs of 200 threads."""
    directory = tmp_path_factory.mktemp("crowd")
    write_report([crowd(directory, THREADS)], directory / "r.html", "crowd")
    return (directory / "r.html").as_uri()


@pytest.fixture(scope="module")
def opened(browser: Browser, address: str) -> Iterator[Page]:
    """Open the report."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(address)
    page.wait_for_function(READY)
    yield page
    page.close()


@pytest.fixture
def page(opened: Page) -> Page:
    """Return the page with all lanes folded."""
    opened.evaluate(RESET)
    return opened


def test_threads_of_one_function_are_one_lane(page: Any) -> None:
    """Both builds have the same lanes, those that wait or hold most first."""
    gil, ft = page.evaluate(SHOWN)
    assert gil == ["f", "MainThread"]
    assert ft[:2] == ["f", "MainThread"]
    assert page.locator("#view-1 .names button").all_inner_texts() == ["▸ f × 200"] * 2


def test_a_group_shows_how_many_threads_are_in_each_state(page: Any) -> None:
    """Eight threads live at a time, one of which waits: an eighth of the lane is orange."""
    count = f"""() => {{
      const [{{ picture }}] = {VIEW}.painters, [image] = picture.data.image
      const [rows, width] = image.shape, column = Math.floor(width / 2)
      return [rows, ...[2, 3].map((state) => {{
        let found = 0
        for (let row = 0; row < rows; row++) found += image[row * width + column] === state + 1
        return found
      }})]
    }}"""
    page.evaluate(f"() => {VIEW}.axis.show(100.6, 100.9)")
    page.wait_for_function(f"() => {VIEW}.find('status').textContent.startsWith('100.6 to 100.9')")
    rows, waiting, locked = page.evaluate(count)
    assert waiting == pytest.approx(rows / 9, abs=4)
    assert locked == 0


def test_a_group_unfolds_thirty_threads_at_a_time(page: Any) -> None:
    """Its name unfolds it in both timelines, a button shows more, its name folds it again."""
    names = page.locator("#view-1 .names").first
    names.get_by_text("f × 200").click()
    assert [len(shown) for shown in page.evaluate(SHOWN)] == [32, 33]
    names.get_by_text("show 30 more").click()
    assert [len(shown) for shown in page.evaluate(SHOWN)] == [62, 63]
    assert names.get_by_text("f × 200").get_attribute("aria-expanded") == "true"
    names.get_by_text("f × 200").click()
    assert [len(shown) for shown in page.evaluate(SHOWN)] == [2, 3]


def test_threads_that_wait_most_are_unfolded_first(page: Any) -> None:
    """One in fifty waits for twelve times as long as others."""
    page.evaluate(f"() => {VIEW}.lanes.more('f')")
    _, ft = page.evaluate(SHOWN)
    assert ft[1:5] == [f"Thread-{number} (f)" for number in (26, 76, 126, 176)]


def test_the_height_is_bounded_and_lanes_scroll_within(page: Any) -> None:
    """Keys and the wheel over names scroll the lanes of both; axes stay where they are."""
    page.evaluate(f"() => {{ for (let n = 0; n < 7; n++) {VIEW}.lanes.more('f') }}")
    assert max(page.evaluate(HEIGHTS)) <= 420
    tops = f"() => {VIEW}.painters.map(({{ top }}) => top)"
    assert page.evaluate(tops) == [0, 0]
    page.locator("#view-1").focus()
    page.keyboard.press("PageDown")
    [down, both] = page.evaluate(tops)
    assert down == both > 0
    page.locator("#view-1 .names").first.scroll_into_view_if_needed()
    box = page.locator("#view-1 .names").first.bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 100)
    page.mouse.wheel(0, 100)
    page.wait_for_function(f"(down) => {VIEW}.painters[0].top > down", arg=down)
    page.evaluate("() => { document.querySelector('#view-1 .bar-of-lanes').scrollTop = 1e6 }")
    ends = "({ timeline, top, window }) => top === timeline.height - window"
    page.wait_for_function(f"() => {VIEW}.painters.some({ends})")


def test_what_is_searched_for_comes_out_of_its_group(page: Any) -> None:
    """The thread gets a lane of its own, in view, and the rest stays folded."""
    page.evaluate(f"() => {VIEW}.set('search', 'Thread-123 ')")
    assert page.evaluate(CHOSEN) == ["Thread-123 (f)", True]
    assert page.evaluate(SHOWN)[0] == ["f", "Thread-123 (f)", "MainThread"]


def test_a_finding_leads_to_a_thread_of_a_folded_group(page: Any) -> None:
    """Its lane is shown and the interval is chosen; the line leads to the group of the holder."""
    page.locator("#view-1 [data-tab=findings]").click()
    page.locator("#view-1 [data-finding]").first.click()
    assert page.evaluate(CHOSEN) == ["Thread-26 (f)", True]
    line = page.evaluate(
        f"() => {{ const {{ data }} = {VIEW}.painters[1].link; return {{ ...data }} }}"
    )
    level = page.evaluate(f"() => {VIEW}.timelines[1].level({VIEW}.timelines[1].pools[0].lane)")
    assert line["y1"] == [level]


def test_a_filter_that_leaves_few_threads_shows_each(page: Any) -> None:
    """They do not share a lane."""
    page.evaluate(f"() => {VIEW}.set('thread', 'Thread-123')")
    assert page.evaluate(SHOWN)[0] == ["Thread-123 (f)"]


def test_the_pointer_is_told_of_a_group(page: Any) -> None:
    """How many of its threads are in each state at that moment."""
    box = page.locator("#view-1 .names div").first.bounding_box()
    frame = page.evaluate(
        f"() => {{ const area = {VIEW}.gutter.area({VIEW}.painters[0])\n"
        "return [area.x + area.left, area.width] }"
    )
    page.mouse.move(frame[0] + frame[1] / 2, box["y"] + box["height"] / 2)
    tip = page.locator("#view-1 .tip")
    tip.wait_for()
    assert "f × 200" in tip.inner_text()
    assert "alive, " in tip.inner_text()


def test_threads_are_counted_whether_their_group_is_folded_or_not(page: Any) -> None:
    """The table of threads has all of them."""
    page.locator("#view-1 [data-tab=threads]").click()
    counted = f"() => {VIEW}.timelines.map(({{ kept_threads }}) => kept_threads.length)"
    assert page.evaluate(counted) == [THREADS + 1] * 2
    rows = page.locator("#view-1 [role=tabpanel]").inner_text()
    assert "and 161 more" in rows


def test_who_waits_for_whom_is_summed_up_by_group(page: Any) -> None:
    """A table of a thousand columns would tell nothing."""
    page.locator("#view-1 [data-tab=blame]").click()
    table = page.locator("#view-1 [role=tabpanel] table").first
    assert table.locator("tbody tr").count() == 1
    assert table.locator("tbody td").first.inner_text() == "f × 200"
