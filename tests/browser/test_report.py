"""The report in a real browser, opened from disk: timelines are drawn, zoom works, no errors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gilscope.view.data.columns import columns_of, raster
from gilscope.view.data.palette import LOOKS
from gilscope.view.data.scene import ROWS
from gilscope.view.html.report import write_report
from view_examples import LANES, comparison

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.presentation import Comparison
    from gilscope.trace.model import Trace

SCREENS = Path(__file__).parents[2] / "out" / "screens"

# Bring an interval of the second comparison into the middle; its place in the window.
LOOK_AT = """([start, end, lane]) => {
  const view = document.querySelector("#view-2").gilscope
  const half = end - start
  view.axis.show((start + end) / 2 - half, (start + end) / 2 + half)
  const { figure, timeline } = view.painters[1]
  const { el, frame } = view.host.view_of(figure)
  el.scrollIntoView({ block: "center" })
  const { left, top } = el.getBoundingClientRect()
  const { bbox } = frame
  return [left + bbox.left + bbox.width / 2,
          top + bbox.top + bbox.height * (lane + 0.5) / timeline.shown.length]
}"""

# What the browser has drawn, by build: how many boxes, or the raster, whichever is visible.
DRAWN = """(number) => {
  const view = document.querySelector(`#view-${number}`).gilscope
  return Object.fromEntries(view.painters.map((painter) => {
    const { timeline, figure, boxes, picture } = painter
    const raster = painter.picture_view.visible && picture.data.image.map((image) => ({
      shape: image.shape, pixels: Array.from(image),
    }))
    return [timeline.key, { range: [figure.x_range.start, figure.x_range.end],
                            boxes: raster ? null : boxes.data.left.length, raster }]
  }))
}"""

RANGE = """(number) => {
  const { start, end } = document.querySelector(`#view-${number}`).gilscope.axis.range
  return [start, end]
}"""

# Left edge and width of what is drawn on, in the window.
FRAME_OF = """(number) => {
  const view = document.querySelector(`#view-${number}`).gilscope
  const { el, frame } = view.host.view_of(view.painters[0].figure)
  return [el.getBoundingClientRect().left + frame.bbox.left, frame.bbox.width]
}"""

# The status line names the range that was drawn last.
SETTLED = """(number) => {
  const view = document.querySelector(`#view-${number}`).gilscope
  const { start, end } = view.axis.range
  const text = `${Number(start.toPrecision(6))} to ${Number(end.toPrecision(6))} `
  return view.find("status").textContent.startsWith(text)
}"""

# Whether every title is one of those that there are, and has room.
TITLES_FIT = """() => [1, 2].every((number) => {
  const view = document.querySelector(`#view-${number}`).gilscope
  const pen = document.createElement("canvas").getContext("2d")
  return view.letters < 26 && view.painters.every(({ figure, timeline }) => {
    pen.font = `bold ${figure.title.text_font_size} ${figure.title.text_font}`
    return timeline.titles.includes(figure.title.text) &&
      pen.measureText(figure.title.text).width <= figure.inner_width
  })
})"""

RESET = """() => {
  for (const { gilscope: view } of document.querySelectorAll("section.gilscope")) {
    view.chooser.clear()
    view.panel.mark("least", false)
    const texts = ["thread", "lock", "callable", "least", "search"].map((name) => [name, ""])
    const first = { align: "start", order: "creation", locks: true, callbacks: true }
    const settings = { ...Object.fromEntries(texts), ...first, hidden: [], pinned: [],
                       tab: "threads", theme: "light" }
    for (const [name, value] of Object.entries(settings)) view.set(name, value)
    view.lanes.rearrange()
    view.axis.fit()
  }
  document.querySelector("#view-1").scrollIntoView()
}"""

READY = (
    """() => [...document.querySelectorAll("section.gilscope")].every((one) => one.dataset.drawn)"""
)

# Pixels of each colour on all canvases of the page, also those inside of shadow roots.
COLORS = """(colors) => {
  const counts = Object.fromEntries(colors.map((color) => [color, 0]))
  const visit = (root) => {
    for (const element of root.querySelectorAll("*")) {
      if (element.shadowRoot) visit(element.shadowRoot)
      if (!(element instanceof HTMLCanvasElement) || !element.width) continue
      const { data } = element.getContext("2d").getImageData(0, 0, element.width, element.height)
      for (let i = 0; i < data.length; i += 4) {
        const hex = [data[i], data[i + 1], data[i + 2]].map((v) => v.toString(16).padStart(2, "0"))
        const color = `#${hex.join("")}`.toUpperCase()
        if (color in counts) counts[color] += 1
      }
    }
  }
  visit(document)
  return counts
}"""


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> list[Comparison]:
    """Return a comparison with many events and one with few."""
    directory = tmp_path_factory.mktemp("traces")
    return [
        comparison(directory, "many", 12_000, 20_000),
        comparison(directory, "few", 120, 200_000),
    ]


@pytest.fixture(scope="module")
def report(traces: list[Comparison], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the report of both."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(list(traces), path, "gilscope: a report")
    return path


@pytest.fixture(scope="module")
def errors() -> list[str]:
    """Errors on the console of the one page that all tests here share."""
    return []


@pytest.fixture(scope="module")
def loaded(browser: Any, report: Path, errors: list[str]) -> Iterator[Any]:
    """Open the report from disk, without a network, once: that is what takes time."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.on("console", lambda note: errors.append(note.text) if note.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(report.as_uri())
    page.wait_for_function("() => globalThis.Bokeh?.documents.length === 2")
    page.wait_for_function("() => Bokeh.documents.every((document) => document.is_idle)")
    page.wait_for_function(READY)
    SCREENS.mkdir(parents=True, exist_ok=True)
    yield page
    context.close()


@pytest.fixture
def opened(loaded: Any) -> Any:
    """Show the page as if it had just been opened."""
    loaded.evaluate(RESET)
    for number in (1, 2):
        settled(loaded, number)
    return loaded


@pytest.fixture
def console_errors(errors: list[str]) -> list[str]:
    """Errors on the console; those of earlier tests count, too."""
    return errors


def wheel(page: Any, number: int, turns: int) -> None:
    """Zoom the first timeline of a comparison, with the pointer in its middle."""
    place = page.locator(f"#view-{number + 1} .bk-Figure").nth(1)
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    for _ in range(turns):
        before = page.evaluate(RANGE, number + 1)
        page.mouse.wheel(0, -400)
        page.wait_for_function(
            f"([number, old]) => ({RANGE})(number)[1] !== old[1]", arg=[number + 1, before]
        )
    settled(page, number + 1)


def settled(page: Any, number: int) -> None:
    """Wait until what is drawn is the visible range."""
    page.wait_for_function(SETTLED, arg=number)


def picture_of(trace: Trace, lane: int, drawn: dict[str, Any]) -> np.ndarray:
    """Draw one lane with numpy as the browser has been asked to."""
    width = drawn["raster"][lane]["shape"][1]
    [columns] = columns_of([trace])
    return raster(columns, lane, np.linspace(*drawn["range"], width + 1), ROWS)


def test_the_report_opens_without_errors_and_shows_all_timelines(
    opened: Any, console_errors: list[str]
) -> None:
    """Both timelines of both comparisons are drawn, and the console is silent."""
    many, few = (opened.evaluate(DRAWN, number) for number in (1, 2))
    assert [len(many[build]["raster"]) for build in ("gil", "ft")] == [LANES, LANES + 1]
    assert all(drawn["boxes"] > LANES for drawn in few.values())
    assert console_errors == []
    opened.screenshot(path=SCREENS / "report.png", full_page=True)


def test_the_canvas_shows_the_states_in_their_colours(opened: Any) -> None:
    """Holding, running and both kinds of waiting are there as pixels."""
    colors = [look.color.upper() for look in LOOKS.values()]
    counts = opened.evaluate(COLORS, colors)
    assert all(counts[color] > 500 for color in colors[:4])


def test_the_browser_draws_as_numpy_does(opened: Any, traces: list[Comparison]) -> None:
    """The raster of the page and the one of columns.py are the same but for rounding."""
    for build, drawn in opened.evaluate(DRAWN, 1).items():
        trace = traces[0].run(build).trace
        assert trace is not None
        for lane in range(LANES):
            pixels = np.array(drawn["raster"][lane]["pixels"]).reshape(ROWS, -1)
            assert (pixels == picture_of(trace, lane, drawn)).mean() > 0.999


def test_the_wheel_zooms_both_timelines_down_to_single_intervals(
    opened: Any, console_errors: list[str]
) -> None:
    """Zoom narrows the shared range, and a few intervals in view are drawn as boxes."""
    before = opened.evaluate(DRAWN, 1)
    wheel(opened, 0, 6)
    after = opened.evaluate(DRAWN, 1)
    assert after["gil"]["range"] == after["ft"]["range"]
    width = [drawn["gil"]["range"][1] - drawn["gil"]["range"][0] for drawn in (before, after)]
    assert width[1] < width[0] / 20
    assert before["gil"]["boxes"] is None
    assert LANES <= after["gil"]["boxes"] < 1500
    assert console_errors == []
    opened.screenshot(path=SCREENS / "report-zoomed.png")


def test_zooming_one_comparison_leaves_the_other_alone(opened: Any) -> None:
    """Sections of a report have time axes of their own."""
    before = opened.evaluate(DRAWN, 2)
    wheel(opened, 0, 2)
    assert opened.evaluate(DRAWN, 2) == before


def test_the_pointer_asks_for_the_interval_below_it(opened: Any, traces: list[Comparison]) -> None:
    """The tooltip says state, duration, thread, start, the lock and who ended the wait."""
    trace = traces[1].run("ft").trace
    assert trace is not None
    wait = trace.intervals.select(trace.intervals.thread == 3)
    start, length = wait.start[0] / 1e6, wait.duration[0] / 1e6
    x, y = opened.evaluate(LOOK_AT, [start, start + length, 2])
    settled(opened, 2)
    tip = opened.locator("#view-2 .tip")
    for step in range(20):  # the first move may fall into a layout that is about to change
        opened.mouse.move(x + step % 2, y)
        if tip.is_visible():
            break
        opened.wait_for_timeout(250)
    text = tip.inner_text()
    assert "waiting for a lock: " in text
    assert f"eval-1, from {start:.3f} ms" in text
    assert "for table<int> at 0x7f0c5a3b2e40" in text
    assert "ended by eval-3" in text
    opened.screenshot(path=SCREENS / "report-tooltip.png")


def test_waiting_for_a_processor_is_shown_as_a_share(opened: Any) -> None:
    """Half of the foot of the lane is filled; the pointer is told between which samples."""
    ready = opened.evaluate(
        "() => document.querySelector('#view-2').gilscope.painters.map(({ ready }) => ready?.data)"
    )
    tops, bottoms = ready[0]["top"], ready[0]["bottom"]
    assert [top - bottom for top, bottom in zip(tops, bottoms, strict=True)] == [
        pytest.approx(0.09, rel=1e-3)
    ] * 4
    assert ready[1] is None
    tips = """() => {
      const view = document.querySelector("#view-2").gilscope
      const [timeline] = view.timelines, segments = timeline.all, time = timeline.duration / 3
      return [1, 2].map((lane) => {
        view.pointer.tell({ timeline, lane, time, segments, row: segments.at(lane, time) })
        return view.find("tip").textContent
      })
    }"""
    known, unknown = opened.evaluate(tips)
    assert "of the time between two samples, " in known
    assert known.endswith("25 % on a CPU, 50 % ready, waiting for a processor, 25 % asleep")
    assert "between two samples" not in unknown
    assert "Waits for a processor" in opened.locator("#view-2 [role=tabpanel]").inner_text()


def test_parallelism_counts_threads_that_have_a_processor(opened: Any) -> None:
    """A thread that is ready and has none does not count, in whatever state it is drawn."""
    mean = """() => {
      const [painter] = document.querySelector("#view-2").gilscope.painters, { timeline } = painter
      const to = timeline.duration, lane = 1, width = 400
      painter.draw_progress(painter.parallelism, [lane], 0, to, width)
      const had = painter.parallelism.data.y.slice(0, -1)
      const end = timeline.cpu.time[timeline.cpu.offsets[lane + 1] - 1]
      return had.reduce((sum, share) => sum + share, 0) / width * to / end
    }"""
    assert opened.evaluate(mean) == pytest.approx(0.25, abs=0.01)


def choose_wait(page: Any) -> str:
    """Choose the first wait of the second thread of the second comparison by keys."""
    box = page.locator("#view-2")
    box.evaluate("({ gilscope }) => gilscope.finder.choose_longest(gilscope.timelines[0], 1)")
    box.focus()
    page.keyboard.press("n")
    text: str = page.locator("#view-2 .details").inner_text()
    return text


def test_a_wait_is_explained_and_linked_to_who_ended_it(
    opened: Any, console_errors: list[str]
) -> None:
    """The chosen wait names the thread that gave up the GIL, and a line leads there."""
    text = choose_wait(opened)
    assert "waiting for the GIL: " in text
    assert "ended by eval-" in text
    assert "which gives up the GIL" in text
    link = "() => document.querySelector('#view-2').gilscope.painters[0].link.data.x0.length"
    assert opened.evaluate(link) == 1
    assert console_errors == []
    opened.screenshot(path=SCREENS / "report-wait.png")


def test_a_click_on_a_finding_chooses_the_interval(opened: Any, console_errors: list[str]) -> None:
    """It is brought into view with both stacks below the lanes, and keys go on to work."""
    opened.locator("#view-1 [data-tab=findings]").click()
    opened.locator("#view-1 [data-finding='0:0']").click()
    settled(opened, 1)
    details = opened.locator("#view-1 .details")
    assert "waiting for a lock: " in details.inner_text()
    assert "for table<int>" in details.inner_text()
    below = """() => {
      const view = document.querySelector("#view-1").gilscope
      const top = view.find("details").getBoundingClientRect().top
      return top >= view.find("stage").getBoundingClientRect().bottom
    }"""
    assert opened.evaluate(below)
    dimmed = """() => {
      const view = document.querySelector("#view-1").gilscope
      const lanes = view.painters.flatMap(({ timeline }) => timeline.shown).length
      return [lanes, view.painters.flatMap(({ veil }) => veil.data.left).length]
    }"""
    lanes, under_veil = opened.evaluate(dimmed)
    assert 0 < under_veil < lanes
    start, end = opened.evaluate(RANGE, 1)
    opened.keyboard.press("f")
    whole = opened.evaluate(RANGE, 1)
    assert whole[1] - whole[0] > end - start
    assert console_errors == []
    opened.screenshot(path=SCREENS / "report-finding.png")
    opened.keyboard.press(".")
    assert opened.evaluate(dimmed)[1] == 0


def test_words_stand_in_boxes_that_have_room(opened: Any, console_errors: list[str]) -> None:
    """Zoomed in, a wait says for whom or what; zoomed out to a raster, nothing is written."""
    written = "() => document.querySelector('#view-2').gilscope.painters[0].words.data.text"
    opened.evaluate("() => document.querySelector('#view-2').gilscope.axis.show(20, 23)")
    settled(opened, 2)
    texts = opened.evaluate(written)
    assert any(text.startswith("waits for eval-") for text in texts), texts
    whole = "() => document.querySelector('#view-1').gilscope"
    assert opened.evaluate(f"({whole})().box.dataset.drawn") == "raster"
    assert opened.evaluate(f"({whole})().painters.flatMap((one) => one.words.data.text)") == []
    assert console_errors == []


def test_a_drag_with_shift_zooms_to_what_it_covers(opened: Any) -> None:
    """The stretch is marked while it is chosen, and is all that is shown then."""
    figure = opened.locator("#view-2 .bk-Figure").nth(1)
    figure.scroll_into_view_if_needed()
    box = figure.bounding_box()
    start, end = opened.evaluate(RANGE, 2)
    mark = opened.locator("#view-2 .selection")
    y = box["y"] + box["height"] / 2
    left, width = opened.evaluate(FRAME_OF, 2)
    opened.keyboard.down("Shift")
    opened.mouse.move(left + width * 0.75, y)
    opened.mouse.down()
    opened.mouse.move(left + width * 0.5, y)
    opened.mouse.move(left + width * 0.25, y)
    assert mark.bounding_box()["width"] == pytest.approx(width / 2, abs=3)
    opened.screenshot(path=SCREENS / "report-selection.png")
    opened.mouse.up()
    opened.keyboard.up("Shift")
    assert mark.is_hidden()
    span = end - start
    assert opened.evaluate(RANGE, 2) == pytest.approx(
        [start + span / 4, end - span / 4], abs=span / 100
    )


def test_keys_zoom_move_and_fit(opened: Any) -> None:
    """W narrows the range, D moves it, F shows everything again."""
    opened.locator("#view-1").focus()
    whole = opened.evaluate(RANGE, 1)
    opened.keyboard.press("w")
    near = opened.evaluate(RANGE, 1)
    assert near[1] - near[0] == pytest.approx((whole[1] - whole[0]) / 2)
    opened.keyboard.press("d")
    assert opened.evaluate(RANGE, 1)[0] > near[0]
    opened.keyboard.press("f")
    assert opened.evaluate(RANGE, 1) == pytest.approx(whole)


def test_the_keys_are_listed_on_request(opened: Any) -> None:
    """A question mark shows them, Escape hides them."""
    keys = opened.locator("#view-1 .keys")
    opened.locator("#view-1").focus()
    opened.keyboard.press("?")
    assert keys.is_visible()
    opened.screenshot(path=SCREENS / "report-keys.png")
    opened.keyboard.press("Escape")
    assert keys.is_hidden()


@pytest.mark.parametrize(
    "tab", ["threads", "locks", "callbacks", "spans", "blame", "difference", "findings"]
)
def test_each_tab_says_something(opened: Any, tab: str, console_errors: list[str]) -> None:
    """Every table is there, as a table or as a sentence."""
    opened.locator(f"#view-1 [data-tab={tab}]").click()
    assert len(opened.locator("#view-1 [role=tabpanel]").inner_text()) > 20
    assert console_errors == []


def test_tables_follow_the_visible_range(opened: Any) -> None:
    """After a zoom, threads have less time than before."""
    table = opened.locator("#view-1 [role=tabpanel]")
    before = table.inner_text()
    opened.locator("#view-1").focus()
    opened.keyboard.press("w")
    opened.wait_for_function(
        "old => document.querySelector('#view-1 [role=tabpanel]').innerText !== old", arg=before
    )


def test_runs_can_be_aligned_at_their_ends_or_made_equally_long(opened: Any) -> None:
    """Aligned by ends, both runs end at 0; normalised, both end at 100."""
    ends = """() => document.querySelector("#view-1").gilscope.timelines
        .map((timeline) => timeline.to_axis(timeline.duration))"""
    align = opened.locator("#view-1 select[data-role=align]")
    align.select_option("end")
    assert opened.evaluate(ends) == pytest.approx([0, 0], abs=1e-6)
    opened.wait_for_timeout(400)
    opened.screenshot(path=SCREENS / "report-ends.png")
    align.select_option("normalised")
    assert opened.evaluate(ends) == pytest.approx([100, 100])


def test_filters_leave_what_fits(opened: Any) -> None:
    """A thread's name and a least duration thin out what is drawn."""
    boxes = "() => document.querySelector('#view-2').gilscope.painters[0].boxes.data.left.length"
    before = opened.evaluate(boxes)
    opened.locator("#view-2 input[data-role=thread]").fill("eval-2")
    shown = "() => document.querySelector('#view-2').gilscope.timelines[0].shown.length"
    opened.wait_for_function(f"() => ({shown})() === 1")
    assert 0 < opened.evaluate(boxes) < before
    least = opened.locator("#view-2 input[data-role=least]")
    least.fill("500 µs")
    least.press("Enter")
    few = opened.evaluate(boxes)
    assert few < before
    least.fill("soon")
    least.press("Enter")
    assert "a time such as" in opened.locator("#view-2 [role=status]").inner_text()
    opened.locator("#view-2").evaluate("one => one.scrollIntoView()")
    opened.screenshot(path=SCREENS / "report-filtered.png")


def test_search_finds_locks(opened: Any) -> None:
    """A lock's name leads to the longest wait for it."""
    opened.locator("#view-2").focus()
    opened.keyboard.press("/")
    opened.keyboard.type("table<int>")
    opened.keyboard.press("Enter")
    assert "of 1 found" in opened.locator("#view-2 [role=status]").inner_text()
    assert "table<int>" in opened.locator("#view-2 .details").inner_text()


def test_dark_and_light(opened: Any) -> None:
    """The key T turns the whole page dark."""
    choose_wait(opened)
    opened.keyboard.press("t")
    assert opened.evaluate("() => document.body.dataset.theme") == "dark"
    opened.wait_for_timeout(400)
    opened.screenshot(path=SCREENS / "report-dark.png", full_page=True)


def test_the_report_fits_a_narrow_window(opened: Any) -> None:
    """Half a screen is enough: nothing is cut off sideways."""
    opened.set_viewport_size({"width": 640, "height": 900})
    opened.wait_for_function("() => document.documentElement.scrollWidth <= innerWidth")
    opened.wait_for_function(TITLES_FIT)
    settled(opened, 1)
    opened.screenshot(path=SCREENS / "report-narrow.png", full_page=True)
