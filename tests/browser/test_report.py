"""The report in a real browser, opened from disk: timelines are drawn, zoom works, no errors."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gilscope.comparison import Comparison, Run
from gilscope.trace.reader import read
from gilscope.view.columns import columns_of, raster
from gilscope.view.palette import LOOKS
from gilscope.view.report import write_report
from gilscope.view.timeline import ROWS
from trace_builder import TraceBuilder

if TYPE_CHECKING:
    from gilscope.trace.model import Trace

SCREENS = Path(__file__).parents[2] / "out" / "screens"
LANES = 5

# Bring an interval of the second comparison into the middle; its place within the last figure.
LOOK_AT = """([start, end, lane]) => {
  const figure = Bokeh.documents[1].get_model_by_name("timeline-ft")
  const half = end - start
  figure.x_range.setv({ start: (start + end) / 2 - half, end: (start + end) / 2 + half })
  const { bbox } = Bokeh.index.find_one(figure).frame
  return [bbox.left + bbox.width / 2, bbox.top + bbox.height * (lane + 0.5) / figure.y_range.end]
}"""

# What the browser has drawn, by build: how many boxes, or the raster, whichever is visible.
DRAWN = """(number) => {
  const document = Bokeh.documents[number]
  return Object.fromEntries(["gil", "ft"].map((build) => {
    const figure = document.get_model_by_name(`timeline-${build}`)
    const boxes = document.get_model_by_name(`boxes-${build}`)
    const picture = document.get_model_by_name(`picture-${build}`)
    const view = figure.renderers.find((renderer) => renderer.data_source === picture)
    const raster = view.visible && picture.data.image.map((image) => ({
      shape: image.shape, pixels: Array.from(image),
    }))
    return [build, { range: [figure.x_range.start, figure.x_range.end],
                     boxes: view.visible ? null : boxes.data.left.length, raster }]
  }))
}"""

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


def gil_run(events: int, scale: int) -> TraceBuilder:
    """Threads that take turns: each works, waits for the GIL, holds it."""
    chance = random.Random(events)  # noqa: S311 - the same picture each time
    builder = TraceBuilder()
    builder.thread("MainThread", main=True)
    threads = [builder.thread(f"eval-{n}", native=True, start=50 * n) for n in range(LANES - 1)]
    ready, free = dict.fromkeys(threads, 300), 0
    holder = threads[0]
    for _ in range(events):
        thread = min(ready, key=lambda t: ready[t])
        asked = ready[thread] + chance.randrange(10 * scale)
        taken = max(asked, free)
        if taken > asked:
            builder.gil_wait(thread, asked, taken, peer=holder)
        free = taken + 1 + chance.randrange(4 * scale)
        builder.hold(thread, taken, free)
        ready[thread], holder = free, thread
    return builder


def ft_run(events: int, scale: int) -> TraceBuilder:
    """Threads that now and then wait for one object."""
    chance = random.Random(events)  # noqa: S311 - the same picture each time
    builder = TraceBuilder(free_threaded=True)
    builder.thread("MainThread", main=True)
    threads = [builder.thread(f"eval-{n}", native=True, start=50 * n) for n in range(LANES - 1)]
    table = builder.lock("object", type="table<int>", address=0x7F0C5A3B2E4A, object=0x7F0C5A3B2E40)
    for thread in threads:
        now = 500
        for _ in range(events // LANES):
            now += chance.randrange(20 * scale)
            end = now + 1 + chance.randrange(2 * scale)
            builder.wait(thread, table, now, end, peer=threads[thread % len(threads)])
            now = end
    return builder


def comparison(directory: Path, title: str, events: int, scale: int) -> Comparison:
    """Return a comparison with made-up traces of ``events`` events."""
    made = {"gil": gil_run(events, scale), "ft": ft_run(events // 3, scale)}
    runs = []
    for build, builder in made.items():
        path = builder.write(directory / f"{title}-{build}.gilscope")
        trace = read(path)
        on, wall = build == "gil", (trace.duration_ns / 1e9,)
        runs.append(
            Run(build, trace.python, "python", not on, on, on, None, wall, wall, path, trace, 0)
        )
    return Comparison(title, (title,), tuple(runs))


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
    write_report([one.section() for one in traces], path, "gilscope: a report")
    return path


@pytest.fixture
def opened(page: Any, report: Path) -> Any:
    """Open the report from disk in a page without a network."""
    page.context.set_offline(True)
    page.goto(report.as_uri())
    page.wait_for_function("() => Bokeh.documents.length === 2")
    page.wait_for_function("() => Bokeh.documents.every((document) => document.is_idle)")
    page.wait_for_timeout(300)
    return page


def wheel(page: Any, figure: int, turns: int) -> None:
    """Zoom in with the pointer in the middle of a figure."""
    place = page.locator(".bk-Figure").nth(figure)
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    for _ in range(turns):
        page.mouse.wheel(0, -400)
        page.wait_for_timeout(80)
    page.wait_for_timeout(400)


def picture_of(trace: Trace, lane: int, drawn: dict[str, Any]) -> np.ndarray:
    """Draw one lane with numpy as the browser has been asked to."""
    width = drawn["raster"][lane]["shape"][1]
    [columns] = columns_of([trace])
    return raster(columns, lane, np.linspace(*drawn["range"], width + 1), ROWS)


def test_the_report_opens_without_errors_and_shows_all_timelines(
    opened: Any, console_errors: list[str]
) -> None:
    """Both timelines of both comparisons are drawn, and the console is silent."""
    many, few = (opened.evaluate(DRAWN, number) for number in (0, 1))
    assert all(len(drawn["raster"]) == LANES for drawn in many.values())
    assert all(drawn["boxes"] > LANES for drawn in few.values())
    assert console_errors == []
    SCREENS.mkdir(parents=True, exist_ok=True)
    opened.screenshot(path=SCREENS / "report.png", full_page=True)


def test_the_canvas_shows_the_states_in_their_colours(opened: Any) -> None:
    """Holding, running and both kinds of waiting are there as pixels."""
    colors = [look.color.upper() for look in LOOKS.values()]
    counts = opened.evaluate(COLORS, colors)
    assert all(counts[color] > 500 for color in colors[:4])


def test_the_browser_draws_as_numpy_does(opened: Any, traces: list[Comparison]) -> None:
    """The raster of the page and the one of columns.py are the same but for rounding."""
    for build, drawn in opened.evaluate(DRAWN, 0).items():
        trace = traces[0].run(build).trace
        assert trace is not None
        for lane in range(LANES):
            pixels = np.array(drawn["raster"][lane]["pixels"]).reshape(ROWS, -1)
            assert (pixels == picture_of(trace, lane, drawn)).mean() > 0.999


def test_the_wheel_zooms_both_timelines_down_to_single_intervals(
    opened: Any, console_errors: list[str]
) -> None:
    """Zoom narrows the shared range, and a few intervals in view are drawn as boxes."""
    before = opened.evaluate(DRAWN, 0)
    wheel(opened, 0, 6)
    after = opened.evaluate(DRAWN, 0)
    assert after["gil"]["range"] == after["ft"]["range"]
    width = [drawn["gil"]["range"][1] - drawn["gil"]["range"][0] for drawn in (before, after)]
    assert width[1] < width[0] / 20
    assert before["gil"]["boxes"] is None
    assert LANES <= after["gil"]["boxes"] < 1500
    assert console_errors == []
    opened.screenshot(path=SCREENS / "report-zoomed.png")


def test_zooming_one_comparison_leaves_the_other_alone(opened: Any) -> None:
    """Sections of a report have time axes of their own."""
    before = opened.evaluate(DRAWN, 1)
    wheel(opened, 0, 2)
    assert opened.evaluate(DRAWN, 1) == before


def test_the_pointer_asks_for_the_interval_below_it(opened: Any, traces: list[Comparison]) -> None:
    """The tooltip says state, duration, thread, start, the lock and who ended the wait."""
    trace = traces[1].run("ft").trace
    assert trace is not None
    wait = trace.intervals.select(trace.intervals.thread == 3)
    start, length = wait.start[0] / 1e6, wait.duration[0] / 1e6
    opened.locator(".bk-Figure").nth(3).scroll_into_view_if_needed()
    x, y = opened.evaluate(LOOK_AT, [start, start + length, 2])
    place = opened.locator(".bk-Figure").nth(3).bounding_box()
    for step in (0, 2):
        opened.mouse.move(place["x"] + x + step, place["y"] + y)
        opened.wait_for_timeout(300)
    text = opened.locator('.bk-Tooltip div[style*="pre-line"]').inner_text()
    assert "waiting for a lock: " in text
    assert f"eval-1, from {start:.3f} ms" in text
    assert "for table<int> at 0x7f0c5a3b2e40" in text
    assert "ended by eval-3" in text
    opened.screenshot(path=SCREENS / "report-tooltip.png")


def test_the_report_fits_a_narrow_window(opened: Any) -> None:
    """Half a screen is enough: nothing is cut off sideways."""
    opened.set_viewport_size({"width": 640, "height": 900})
    opened.wait_for_timeout(500)
    overflow = "() => document.documentElement.scrollWidth - innerWidth"
    assert opened.evaluate(overflow) <= 0
    opened.screenshot(path=SCREENS / "report-narrow.png", full_page=True)
