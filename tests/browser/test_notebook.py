"""The magic in JupyterLab and Notebook 7, in a real browser: the live view, offline."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from front_ends import LIVE, VIEW, opened, run_cell, run_first, saved_with, shoot, stop_kernels

from consumers import npm_release

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(300)

CODE = """\
%%profile_threads --repeat 1 -o result
import threading

def work():
    for _ in range(60):
        sum(range(20_000))

threads = [threading.Thread(target=work, name=f"worker {n}") for n in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("done")
"""

SET = "result.widget.thread = 'worker 1'; result.widget.least = '1 us'"
READ = "w = result.widget; print('it is', *w.range, w.thread or 'all', 'table', w.tab)"
CONTROLS = ("Time", "Lanes", "Thread", "At least", "Search")
CELLS = ("%load_ext gilscope", CODE, SET, READ)

# More intervals than a page is sent.
LONG = f"""\
%load_ext gilscope
import sys, tempfile
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from view_examples import comparison
comparison(Path(tempfile.mkdtemp()), "long", 60_000, 20_000)
"""

NOTEBOOKS = {"threads": CELLS, "long": (LONG,)}
SAVED_LIMIT = 100_000  # bytes

DARK = (60, 180)  # brighter than this is no dark paper, darker than that is no ink on it

THREADS = f"""{VIEW}.timelines[0].shown
  .filter((lane) => {VIEW}.timelines[0].lanes[lane].kind === "thread").length"""

DRAWN = f"""() => {VIEW}.painters.map(({{ boxes, picture }}) =>
  Math.max(boxes.data.left.length, picture.data.image[0].length))"""

RANGE = f"() => [{VIEW}.axis.range.start, {VIEW}.axis.range.end]"

# The status line names the range that was drawn last.
SETTLED = f"""() => {{
  const {{ start, end }} = {VIEW}.axis.range
  return {VIEW}.find("status").textContent
    .startsWith(`${{Number(start.toPrecision(6))}} to ${{Number(end.toPrecision(6))}} `)
}}"""

RESET = f"""() => {{
  const view = {VIEW}
  const first = {{ theme: "light", thread: "", least: "", search: "", align: "start" }}
  for (const [name, value] of Object.entries(first)) view.set(name, value)
  view.chooser.clear()
  view.axis.fit()
  view.lanes.rearrange()
}}"""

# The longest wait for the GIL, of a worker and after its start if there is one: where its middle is
# in the window.
PLACE_OF_WAIT = f"""() => {{
  const view = {VIEW}
  const {{ timeline, figure }} = view.painters[0]
  const {{ all }} = timeline
  let best = null, most = 0
  for (const lane of timeline.threads()) {{
    let begun = false
    for (let row = all.offsets[lane]; row < all.offsets[lane + 1] - 1; row++) {{
      if (all.state[row] !== 2) continue
      const inside = begun && timeline.lanes[lane].name.startsWith("worker")
      const weight = all.duration(row) * (inside ? 1e6 : 1)
      begun = true
      if (weight > most) [best, most] = [[lane, row], weight]
    }}
  }}
  const [lane, row] = best
  const {{ el, frame: {{ bbox }} }} = view.host.view_of(figure)
  el.scrollIntoView({{ block: "center" }})
  const {{ left, top }} = el.getBoundingClientRect()
  const time = timeline.to_axis((all.start[row] + all.start[row + 1]) / 2)
  const {{ start, end }} = view.axis.range
  const level = timeline.shown.indexOf(lane) + 0.5
  return [left + bbox.left + bbox.width * (time - start) / (end - start),
          top + bbox.top + bbox.height * level / timeline.shown.length]
}}"""

# Whether every title is one of those that there are, and has room.
TITLES_FIT = f"""() => {VIEW}.letters < 26 && {VIEW}.painters.every(({{ figure, timeline }}) => {{
  const pen = document.createElement("canvas").getContext("2d")
  pen.font = `bold ${{figure.title.text_font_size}} ${{figure.title.text_font}}`
  return timeline.titles.includes(figure.title.text) &&
    pen.measureText(figure.title.text).width <= figure.inner_width
}})"""

SERIOUS = """async () => (await axe.run(".gilscope[role=application]")).violations
  .filter(({ impact }) => ["serious", "critical"].includes(impact))
  .map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 200)}`)"""

# The page gives up on a kernel after ten seconds; for one that is known to be gone, one is enough.
IMPATIENT = """() => {
  const wait = window.setTimeout
  window.setTimeout = (run, ms, ...rest) => wait(run, ms === 10_000 ? 1_000 : ms, ...rest)
}"""


@pytest.fixture(scope="module")
def notebook(browser: Any, server: dict[str, Any], errors: list[str]) -> Iterator[Any]:
    """Open the notebook in a page and run its cells, once a front end."""
    page = opened(browser, server, "threads", errors)
    for number in range(2):
        run_first(page, number)
    page.locator(LIVE).wait_for()
    yield page
    page.context.close()


@pytest.fixture
def view(notebook: Any) -> Any:
    """Show the whole run as at first, nothing chosen."""
    notebook.evaluate(RESET)
    notebook.wait_for_function(SETTLED)
    return notebook


def test_the_magic_shows_both_timelines_live(view: Any, errors: list[str]) -> None:
    """The cell shows a live view with two timelines, in place of the static one."""
    assert all(count > 1 for count in view.evaluate(DRAWN))
    assert view.locator("img.picture").is_hidden()
    assert view.get_by_text("done", exact=True).is_visible()
    shoot(view, "live")
    assert errors == []


def test_the_wheel_zooms_in_the_notebook(view: Any) -> None:
    """Turning the wheel over a timeline narrows the range of both, and they are drawn anew."""
    figure = view.locator('.gilscope[role="application"] .bk-Figure').nth(1)
    figure.scroll_into_view_if_needed()
    box = figure.bounding_box()
    before = view.evaluate(RANGE)
    view.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    for _ in range(40):
        view.mouse.wheel(0, -300)
        view.wait_for_timeout(100)
        after = view.evaluate(RANGE)
        if after[1] - after[0] < (before[1] - before[0]) / 2:
            break
    assert after[1] - after[0] < (before[1] - before[0]) / 2
    view.wait_for_function(SETTLED)
    assert all(count > 0 for count in view.evaluate(DRAWN))
    shoot(view, "zoomed")


def test_keys_zoom_and_leave_the_notebook_alone(view: Any) -> None:
    """W zooms; it does not reach the notebook, where letters are commands."""
    cells = view.locator(".jp-Cell").count()
    view.locator(LIVE).focus()
    before = view.evaluate(RANGE)
    view.keyboard.press("w")
    view.keyboard.press("a")
    view.wait_for_function(SETTLED)
    after = view.evaluate(RANGE)
    assert after[1] - after[0] == pytest.approx((before[1] - before[0]) / 2)
    assert view.locator(".jp-Cell").count() == cells


def test_a_click_on_a_wait_shows_the_stacks_of_both_threads(view: Any, errors: list[str]) -> None:
    """The kernel looks them up; the lines of the cell stand with them."""
    view.mouse.click(*view.evaluate(PLACE_OF_WAIT))
    details = view.locator(".gilscope .details")
    view.wait_for_function(f"() => {VIEW}.find('details').querySelector('.stack')")
    text = details.inner_text()
    assert "waiting for the GIL: " in text
    assert "which gives up the GIL" in text
    lines = ("sum(range(20_000))", "for _ in range(60):", "thread.start()", "thread.join()")
    assert "<cell 2>" in text
    assert any(line in text for line in lines)
    details.scroll_into_view_if_needed()
    shoot(view, "wait")
    assert errors == []


def test_the_controls_are_ipywidgets_that_act_in_the_page(view: Any, errors: list[str]) -> None:
    """A name in a Combobox leaves one lane, a Dropdown aligns the ends; each has its label."""
    field = view.get_by_label("Thread", exact=True)
    assert view.locator(".gilscope .settings .jupyter-widgets").count() >= len(CONTROLS)
    field.fill("worker 1")
    view.wait_for_function(f"() => {THREADS} === 1")
    shoot(view, "filtered")
    field.fill("")
    view.wait_for_function(f"() => {THREADS} > 1")
    view.get_by_label("Time", exact=True).select_option("ends aligned")
    view.wait_for_function(f"() => Math.abs({VIEW}.axis.range.end) < 1e-9")
    view.locator(LIVE).focus()
    view.keyboard.press("e")
    view.wait_for_function(f"() => {VIEW}.settings.align === 'normalised'")
    assert view.get_by_label("Time", exact=True).evaluate("one => one.value") == "normalised"
    least = view.get_by_label("At least", exact=True)
    least.fill("soon")
    least.press("Enter")
    view.get_by_text("At least: a time such as 20 µs").wait_for()
    assert least.get_attribute("aria-invalid") == "true"
    least.fill("")
    least.press("Enter")
    view.locator(".gilscope [data-role=least] input[aria-invalid=false]").wait_for()
    assert errors == []


def test_a_cell_sets_what_the_view_shows(view: Any, errors: list[str]) -> None:
    """An attribute that a cell sets filters the lanes, and stands in the control."""
    run_cell(view, SET)
    view.wait_for_function(f"() => {THREADS} === 1 && {VIEW}.settings.least === '1 us'")
    assert view.get_by_label("Thread", exact=True).input_value() == "worker 1"
    assert errors == []


def test_a_cell_reads_what_the_reader_zoomed_to(view: Any) -> None:
    """The range of the view is an attribute in the kernel."""
    view.locator(LIVE).focus()
    view.keyboard.press("w")
    view.wait_for_function(SETTLED)
    start, end = view.evaluate(RANGE)
    view.wait_for_function(f"() => {VIEW}.settings.range?.[1] === {VIEW}.axis.range.end")
    cell = run_cell(view, READ)
    cell.get_by_text("it is").nth(1).wait_for()
    printed = cell.locator(".jp-OutputArea-output").inner_text().split()
    low, high, thread = printed[2:5]
    assert (float(low), float(high), thread) == (pytest.approx(start), pytest.approx(end), "all")


def test_the_theme_turns_dark_and_back(view: Any, errors: list[str]) -> None:
    """The button changes the view, whatever the page's theme is."""
    view.locator(".gilscope button[data-role=theme]").click()
    assert view.locator(LIVE).get_attribute("data-theme") == "dark"
    view.wait_for_timeout(500)
    view.locator(LIVE).scroll_into_view_if_needed()
    shoot(view, "dark")
    assert errors == []


def test_the_view_follows_the_theme_of_the_front_end(view: Any, errors: list[str]) -> None:
    """It turns dark and light with JupyterLab or Notebook, unless it is set by hand."""
    try:
        turn_page(view, "JupyterLab Dark")
        assert view.locator(LIVE).get_attribute("data-theme") == "light"  # by hand, see RESET
        view.locator(".gilscope button[data-role=theme]").click()  # as the page is: left to it
        assert view.evaluate(f"() => {VIEW}.settings.theme") == "auto"
        field = view.get_by_label("Thread", exact=True)
        colors = "one => [getComputedStyle(one).color, getComputedStyle(one).backgroundColor]"
        ink, paper = field.evaluate(colors)
        assert brightness(ink) > DARK[1] > DARK[0] > brightness(paper)
        view.locator(LIVE).scroll_into_view_if_needed()
        view.wait_for_timeout(500)  # for the picture
        shoot(view, "dark-theme")
        turn_page(view, "JupyterLab Light")
        view.wait_for_function(f"() => {VIEW}.box.dataset.theme === 'light'")
        turn_page(view, "JupyterLab Dark")
        view.wait_for_function(f"() => {VIEW}.box.dataset.theme === 'dark'")
    finally:
        turn_page(view, "JupyterLab Light")
    view.wait_for_function(f"() => {VIEW}.box.dataset.theme === 'light'")
    assert errors == []


def test_every_table_can_be_chosen_and_read_in_a_cell(view: Any) -> None:
    """A tab that is clicked is an attribute in the kernel."""
    for tab in view.locator('.gilscope[role="application"] [role=tab]').all():
        tab.click()
        name = tab.get_attribute("data-tab")
        cell = run_cell(view, READ)
        cell.get_by_text(f"table {name}").wait_for()
    view.evaluate(f"() => {VIEW}.set('tab', 'threads')")


def turn_page(page: Any, theme: str) -> None:
    """Choose a theme, as the menu Settings does, and wait until the page has it."""
    change = "(theme) => jupyterapp.commands.execute('apputils:change-theme', { theme })"
    page.evaluate(change, theme)
    # A change while the page still hides the one before fails in the front end itself.
    page.wait_for_function(
        """(theme) => document.body.dataset.jpThemeName === theme &&
          !document.getElementById("jupyterlab-splash")""",
        arg=theme,
    )


def brightness(color: str) -> float:
    """Mean of the parts of a colour such as "rgb(1, 2, 3)"."""
    parts = [float(part) for part in re.findall(r"[\d.]+", color)[:3]]
    return sum(parts) / 3


def test_a_narrow_cell_shows_whole_titles(view: Any) -> None:
    """Titles of which there is no room for all are shorter, not cut."""
    view.set_viewport_size({"width": 760, "height": 1300})
    try:
        view.wait_for_function(TITLES_FIT)
        view.locator(LIVE).scroll_into_view_if_needed()
        shoot(view, "narrow")
    finally:
        view.set_viewport_size({"width": 1400, "height": 1300})
    view.wait_for_function(f"() => {VIEW}.letters === 26")


def test_a_view_is_put_into_no_box_of_some_lines(view: Any) -> None:
    """Notebook 7 does that to tall outputs; of a view one would see a fifth, and print no more."""
    cell = view.locator(".jp-CodeCell", has=view.locator(LIVE))
    cell.evaluate("(cell) => cell.classList.add('jp-mod-outputsScrolled')")
    try:
        area = cell.locator(".jp-Cell-outputArea")
        shown, whole = area.evaluate("(area) => [area.clientHeight, area.scrollHeight]")
        assert shown == whole
        assert whole > view.locator(LIVE).bounding_box()["height"]
    finally:
        cell.evaluate("(cell) => cell.classList.remove('jp-mod-outputsScrolled')")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_the_view(view: Any, theme: str) -> None:
    """Contrast, roles and names of the live view; the front end's own page is not ours."""
    view.evaluate(npm_release("axe-core").read_text())
    view.evaluate(f"(theme) => {VIEW}.set('theme', theme)", theme)
    view.wait_for_function(f"(theme) => {VIEW}.box.dataset.theme === theme", arg=theme)
    assert view.evaluate(SERIOUS) == []


def test_the_picture_is_saved_from_a_cell(view: Any) -> None:
    """As SVG, with the names of the lanes and the verdict."""
    with view.expect_download() as saved:
        view.locator(".gilscope [data-role=svg]").click()
    assert saved.value.suggested_filename.endswith(".svg")
    root = ET.parse(saved.value.path()).getroot()  # noqa: S314 - our own
    words = "".join(root.itertext())
    assert "worker 1" in words
    assert "Not compared" in words


def test_what_goes_wrong_in_the_kernel_is_shown(view: Any) -> None:
    """An exception behind the page becomes words on the page."""
    ask = f"() => {VIEW}.host.ask('detail', {{ timeline: 99, row: 0 }}).catch((e) => e.message)"
    assert "IndexError" in view.evaluate(ask)


def test_after_a_reload_the_view_comes_back(notebook: Any, server: dict[str, Any]) -> None:
    """The saved notebook shows its picture, and the live view while the kernel runs."""
    assert len(saved_with(notebook, server, "threads", "gilscope-static")) < SAVED_LIMIT
    notebook.reload()
    notebook.locator(".jp-CodeCell").nth(1).wait_for()
    notebook.locator("img.picture, .gilscope[role=application]").first.wait_for(state="attached")
    shoot(notebook, "reloaded")
    assert notebook.get_by_text("Free-threaded build").count() > 0


def test_without_a_kernel_the_view_says_so_and_stays_of_use(
    browser: Any, server: dict[str, Any]
) -> None:
    """Zoom beyond what was sent is off, with a message; all else goes on to act."""
    errors: list[str] = []
    page = opened(browser, server, "long", errors)
    try:
        run_first(page, 0)
        page.locator(LIVE).wait_for()
        page.wait_for_function(SETTLED)
        stop_kernels(page, server, "long")
        page.evaluate(IMPATIENT)
        page.locator(LIVE).focus()
        for _ in range(14):
            page.keyboard.press("w")
        status = page.locator(".gilscope [data-role=status]", has_text="zoom beyond")
        status.wait_for()
        assert "is off: the kernel" in status.inner_text()
        assert all(count > 0 for count in page.evaluate(DRAWN))
        start, end = page.evaluate(RANGE)
        grain = page.evaluate(f"() => Math.max(...{VIEW}.timelines.map(({{ grain }}) => grain))")
        assert end - start == pytest.approx(40 * grain / 1e6)
        shoot(page, "no-kernel")
        page.keyboard.press("f")
        page.wait_for_function(SETTLED)
        page.get_by_label("Thread", exact=True).fill("eval-2")
        page.wait_for_function(f"() => {THREADS} === 1")
        assert page.locator(".gilscope [data-role=errors]").is_hidden()
    except BaseException:
        shoot(page, "no-kernel-failed")
        raise
    finally:
        page.context.close()
