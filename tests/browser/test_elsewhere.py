"""The widget outside Jupyter's own front ends: a page with its state, and VS Code's manager."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from front_ends import CONTENDED, LIVE, SCREENS, VIEW, serving
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from consumers import npm_release

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(200)

HERE = Path(__file__).parent
ANYWIDGET = Path(sys.prefix) / "share/jupyter/nbextensions/anywidget/index.js"
CODE = CONTENDED.replace("--repeat 3", "--repeat 3 -o result")
ABSENT = re.compile("ERR_FAILED|ERR_FILE_NOT_FOUND")

SCRIPTS = {
    "services.js": "jupyterlab-services",
    "require.js": "requirejs",
    "ipywidgets.js": "vscode-ipywidgets",
}
"""Of the page with VS Code's manager, and what tools/npm_release.py calls them."""


class Addresses:
    """Answers what pages ask a network for with files that are here."""

    def __init__(self, files: dict[str, Path]) -> None:
        self.files = files  # by a pattern of their addresses
        self.asked: set[str] = set()

    def __call__(self, route: Any) -> None:
        """Answer, or refuse."""
        for pattern, path in self.files.items():
            if re.search(pattern, route.request.url):
                self.asked.add(pattern)
                route.fulfill(path=path, content_type="text/javascript")
                return
        route.abort()


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page that nbconvert has made of a notebook that was saved with its widgets."""
    cells = [nbformat.v4.new_code_cell(source) for source in ("%load_ext gilscope", CODE)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=250, kernel_name="python3", store_widget_state=True).execute()
    path = tmp_path_factory.mktemp("saved") / "saved.html"
    path.write_text(HTMLExporter().from_notebook_node(notebook)[0])
    return path


def test_a_page_with_the_state_shows_the_static_view(
    saved: Path, page: Any, console_errors: list[str]
) -> None:
    """Verdict, picture and findings stay; the manager loads our widget, which says what to do."""
    network = Addresses(
        {
            r"require(\.min)?\.js": npm_release("requirejs"),
            r"html-manager": npm_release("html-manager"),
            r"anywidget": ANYWIDGET,
        }
    )
    page.route(re.compile("^https?:"), network)
    page.goto(saved.as_uri())
    page.get_by_text("cannot be zoomed: this page has no kernel.").wait_for()
    static = page.locator(".gilscope-static")
    assert static.locator(".outcome .headline").is_visible()
    assert static.locator("img.picture").first.is_visible()
    assert static.locator("article.finding li").first.is_visible()
    assert network.asked == set(network.files)
    page.screenshot(path=SCREENS / "html-manager.png", full_page=True)
    # What nbconvert asks for besides: a style sheet beside the page, and formulas.
    assert [line for line in console_errors if not ABSENT.search(line)] == []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A server of kernels, which has the page as well."""
    files = tmp_path_factory.mktemp("files")
    shutil.copy(HERE / "vscode_page.html", files)
    for name, package in SCRIPTS.items():
        shutil.copy(npm_release(package), files / name)
    option = f"--ServerApp.extra_static_paths={files}"
    with serving("lab", tmp_path_factory.mktemp("kernels"), {}, option) as info:
        yield info


def test_the_view_is_live_in_vs_codes_manager(
    server: dict[str, Any], page: Any, console_errors: list[str]
) -> None:
    """With a real kernel: anywidget comes from a CDN, all else from the kernel."""
    network = Addresses({r"jsdelivr\.net/npm/anywidget@": ANYWIDGET})
    page.route(re.compile("^https:"), network)
    page.goto(f"{server['url']}static/vscode_page.html")
    page.wait_for_function("() => window.start && window.vscIPyWidgets")
    page.evaluate("([url, token]) => start(url, token)", [server["url"], server["token"]])
    try:
        page.evaluate("() => run('%load_ext gilscope')")
        page.evaluate("(code) => run(code)", CODE)
        page.locator(LIVE).wait_for()
        assert page.locator(".gilscope-static").first.is_hidden()
        page.evaluate("() => run('result.widget.range = (0, 5)')")
        page.wait_for_function(f"() => {VIEW}.axis.range.end === 5")
        page.screenshot(path=SCREENS / "vscode-manager.png", full_page=True)
    finally:
        page.evaluate("() => stop()")
    assert network.asked == set(network.files)
    assert console_errors == []
