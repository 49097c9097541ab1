"""What leaves a report: tables as CSV, Markdown for an issue, pictures, an address, paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from gilscope import __version__
from gilscope.view.html.report import write_report
from view_examples import comparison

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READY = '() => document.querySelector("section.gilscope")?.dataset.drawn'
RANGE = """() => {
  const { start, end } = document.querySelector("#view-1").gilscope.axis.range
  return [start, end]
}"""
FIRST = "#view-1 [role=tabpanel] table tbody tr td:first-child"
PASTED = "() => navigator.clipboard.readText()"
# Size of the PNG in the clipboard, and which of some colours are in it.
PICTURE = """async (wanted) => {
  const [item] = await navigator.clipboard.read()
  const bitmap = await createImageBitmap(await item.getType("image/png"))
  const { width, height } = bitmap
  const canvas = new OffscreenCanvas(width, height), pen = canvas.getContext("2d")
  pen.drawImage(bitmap, 0, 0)
  const { data } = pen.getImageData(0, 0, width, height), seen = new Set()
  for (let at = 0; at < data.length; at += 4) {
    seen.add((data[at] << 16) | (data[at + 1] << 8) | data[at + 2])
  }
  return [width, height, wanted.filter((color) => seen.has(parseInt(color.slice(1), 16)))]
}"""
STAGE = "() => document.querySelector('#view-1 [data-role=stage]').clientWidth"
STATES = ["#0072b2", "#d55e00"]  # holding the GIL, waiting for it


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Write a report; return its address."""
    directory: Path = tmp_path_factory.mktemp("shared")
    write_report([comparison(directory, "few", 120, 200_000)], directory / "r.html", "a report")
    return (directory / "r.html").as_uri()


@pytest.fixture
def opened(browser: Any, address: str) -> Iterator[Any]:
    """Open the report in a page that may use the clipboard."""
    with browser.new_context(
        viewport={"width": 1280, "height": 900},
        permissions=["clipboard-read", "clipboard-write"],
    ) as context:
        page = context.new_page()
        page.goto(address)
        page.wait_for_function(READY)
        page.locator("#view-1 [data-tab=threads]").click()
        yield page


def test_a_table_is_sorted_by_click_and_by_keyboard(opened: Any) -> None:
    """The greatest first, then the least, then as it was; the head says which."""
    before = opened.locator(FIRST).all_inner_texts()
    head = opened.locator("#view-1 [data-sort='0:Threads']").first
    head.click()
    assert opened.locator("#view-1 th[aria-sort=descending]").first.is_visible()
    column = opened.locator("#view-1 .column").first.locator("tbody tr td:first-child")
    names = column.all_inner_texts()
    assert names == sorted(names, key=str.lower, reverse=True)
    # The head is made anew, and still has the focus.
    opened.keyboard.press("Enter")
    assert column.all_inner_texts() == sorted(names, key=str.lower)
    opened.keyboard.press("Enter")
    assert opened.locator(FIRST).all_inner_texts() == before


def test_a_table_is_copied_as_csv(opened: Any) -> None:
    """All of its rows, with the heads, go into the clipboard."""
    opened.locator("#view-1 [data-copy='0:Threads']").click()
    opened.wait_for_function("() => navigator.clipboard.readText().then((text) => text.length > 0)")
    lines = opened.evaluate(PASTED).splitlines()
    assert lines[0].startswith("Thread,Holds the GIL")
    rows = opened.locator("#view-1 .column").first.locator("tbody tr").count()
    assert len(lines) == rows + 1


def test_verdict_and_findings_are_copied_as_markdown(opened: Any) -> None:
    """What an issue on a forge needs: the verdict, each build, each finding with its advice."""
    opened.locator("#view-1 [data-role=markdown]").click()
    opened.wait_for_function("() => navigator.clipboard.readText().then((text) => text.length > 0)")
    text = opened.evaluate(PASTED)
    assert text.startswith("### few\n\n**Not compared")
    assert "- GIL build 3.13" in text
    assert "▲" not in text
    count = opened.evaluate("() => document.querySelector('#view-1').gilscope.data.findings.length")
    assert text.count("\n- **") == count
    assert text.endswith(f"\n\ngilscope {__version__}\n")


def test_the_picture_is_copied_as_png(opened: Any) -> None:
    """Sharp, with the states in their colours."""
    opened.locator("#view-1 [data-role=png]").click()
    opened.get_by_text("copied: the picture as PNG").wait_for()
    width, height, colors = opened.evaluate(PICTURE, STATES)
    assert width == 2 * (opened.evaluate(STAGE) + 32)
    assert height > 600
    assert colors == STATES


@pytest.mark.parametrize("zoom", [None, (5, 6)], ids=["whole", "zoomed"])
def test_the_picture_is_saved_as_svg(opened: Any, zoom: tuple[int, int] | None) -> None:
    """What is in view, with title, verdict, legend and lanes, as XML that is well-formed."""
    if zoom:
        opened.evaluate("(to) => document.querySelector('#view-1').gilscope.axis.show(...to)", zoom)
        opened.get_by_text("5 to 6 ms").wait_for()
    with opened.expect_download() as saved:
        opened.locator("#view-1 [data-role=svg]").click()
    assert saved.value.suggested_filename == "gilscope-few.svg"
    root = ET.parse(saved.value.path()).getroot()  # noqa: S314 - our own
    words = list(root.itertext())
    for expected in ("few", "waiting for the GIL", "MainThread", "eval-0"):
        assert expected in words
    assert any(word.startswith("– Not compared") for word in words)
    assert ("5.5" in words) == (zoom is not None)


def test_what_the_clipboard_refuses_is_saved(browser: Any, address: str) -> None:
    """As a file of its kind, and the status line says so."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.goto(address)
        page.wait_for_function(READY)
        session = context.new_cdp_session(page)
        target = session.send("Target.getTargetInfo")["targetInfo"]
        refused = {"permission": {"name": "clipboard-write"}, "setting": "denied"}
        refused["browserContextId"] = target["browserContextId"]
        session.send("Browser.setPermission", refused)
        for role, end in (("markdown", ".md"), ("png", ".png")):
            with page.expect_download() as saved:
                page.locator(f"#view-1 [data-role={role}]").click()
            name = saved.value.suggested_filename
            assert name == f"gilscope-few{end}"
            page.get_by_text(f"as {name}").wait_for()


def test_the_address_leads_to_what_is_seen(opened: Any, address: str) -> None:
    """A zoom is in the address; who opens that sees the same; the whole run leaves none."""
    opened.evaluate("() => document.querySelector('#view-1').gilscope.axis.show(5, 10)")
    opened.wait_for_function("() => location.hash === '#view-1=5,10'")
    opened.reload()
    opened.wait_for_function(READY)
    assert opened.evaluate(RANGE) == [5, 10]
    opened.evaluate("() => document.querySelector('#view-1').gilscope.axis.fit()")
    opened.wait_for_function("() => location.hash === ''")
    assert opened.url == address


def test_what_is_printed_has_no_controls(opened: Any) -> None:
    """On paper there are colours and tables, and nothing to click."""
    opened.emulate_media(media="print")
    for hidden in (".controls", ".rows", ".status", ".copy", ".bk-Toolbar"):
        assert not opened.locator(f"#view-1 {hidden}").first.is_visible()
    for shown in (".outcome", "[data-role=stage]", "[data-role=table]"):
        assert opened.locator(f"#view-1 {shown}").first.is_visible()
