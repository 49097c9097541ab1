"""A saved notebook where no kernel knows its results: opened again, and converted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nbconvert
import pypdf
import pytest
from front_ends import CONTENDED, LIVE, opened, run_first, saved_with, shoot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)

NOTEBOOKS = {"saved": ("%load_ext gilscope", CONTENDED)}

SAVED_LIMIT = 100_000  # bytes
NO_WIDGET = ".jp-OutputArea-output.jupyter-widgets"
INSTEAD = """(one) => [getComputedStyle(one).fontSize, getComputedStyle(one, '::after').content]"""


@pytest.fixture(scope="module")
def saved(browser: Any, server: dict[str, Any], errors: list[str]) -> Path:
    """Run the cell, save the notebook, and restart its kernel."""
    page = opened(browser, server, "saved", errors)
    for number in range(2):
        run_first(page, number)
    page.locator(LIVE).wait_for()
    saved_with(page, server, "saved", "gilscope-static")
    page.context.close()
    api, headers = f"{server['url']}api", {"Authorization": f"token {server['token']}"}
    context = browser.new_context()
    for kernel in context.request.get(f"{api}/kernels", headers=headers).json():
        restarted = context.request.post(f"{api}/kernels/{kernel['id']}/restart", headers=headers)
        assert restarted.ok
    context.close()
    path: Path = server["home"] / "work/saved.ipynb"
    return path


@pytest.fixture
def reopened(browser: Any, server: dict[str, Any], saved: Path) -> Iterator[Any]:  # noqa: ARG001
    """Open the notebook again."""
    page = opened(browser, server, "saved", [])
    yield page
    page.context.close()


def test_a_saved_notebook_shows_all_without_its_kernel(reopened: Any) -> None:
    """Verdict, picture, findings and tables are there; a line says how to get the live view."""
    line = reopened.locator(NO_WIDGET)
    line.wait_for()
    assert line.evaluate(INSTEAD) == ["0px", '"Run the cell again for live zoom."']
    static = reopened.locator(".gilscope-static")
    assert static.locator(".outcome .headline").is_visible()
    assert static.locator("img.picture").first.is_visible()
    assert static.locator("article.finding li").first.is_visible()
    assert static.locator("table").first.is_visible()
    static.scroll_into_view_if_needed()
    shoot(reopened, "saved")


def test_the_zoom_of_a_saved_notebook_unfolds(reopened: Any) -> None:
    """Its pictures are there once it is clicked."""
    zoom = reopened.locator(".gilscope-static details.zoom")
    assert zoom.locator("img").first.is_hidden()
    zoom.locator("summary").click()
    zoom.locator("img").last.scroll_into_view_if_needed()
    assert zoom.locator("img").last.is_visible()
    shoot(reopened, "saved-zoom")


def test_a_saved_notebook_is_small(saved: Path) -> None:
    """With picture, zoom, findings and tables."""
    assert saved.stat().st_size < SAVED_LIMIT


def test_a_converted_notebook_shows_the_findings(saved: Path, page: Any, tmp_path: Path) -> None:
    """As HTML, and as the PDF that Chromium prints of it, which is what webpdf is."""
    (tmp_path / "saved.html").write_text(nbconvert.HTMLExporter().from_filename(saved)[0])
    page.goto(f"file://{tmp_path / 'saved.html'}")
    assert page.locator("article.finding li").first.is_visible()
    title = (
        page.locator("article.finding h4").first.evaluate("(one) => one.firstChild.data").strip()
    )
    assert page.get_by_text("Run the cell again for live zoom.").is_visible()
    page.emulate_media(media="print")
    page.pdf(path=tmp_path / "saved.pdf", print_background=True)
    pages = pypdf.PdfReader(tmp_path / "saved.pdf").pages
    printed = " ".join(" ".join(one.extract_text() for one in pages).split())
    assert title in printed
