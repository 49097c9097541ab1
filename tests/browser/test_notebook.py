"""The magic in JupyterLab, in a real browser: the live view comes up, offline, and zooms."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(300)

SCREENS = Path(__file__).parents[2] / "out" / "screens"

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

QUIET = {"fetchNews": "false", "checkForUpdates": False}

DRAWN = """() => {
  const document = Bokeh.documents.at(-1)
  return ["gil", "ft"].map((build) => {
    const boxes = document.get_model_by_name(`boxes-${build}`)
    const picture = document.get_model_by_name(`picture-${build}`)
    return Math.max(boxes.data.left.length, picture.data.image[0].length)
  })
}"""

RANGE = """() => {
  const range = Bokeh.documents.at(-1).get_model_by_name("timeline-gil").x_range
  return [range.start, range.end]
}"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Run a JupyterLab on a free port of the loopback interface, with a token and its own files."""
    home = tmp_path_factory.mktemp("lab")
    settings = home / "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps(QUIET))
    (home / "work").mkdir()
    cells = [nbformat.v4.new_code_cell(source) for source in ("%load_ext gilscope", CODE)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
    nbformat.write(notebook, home / "work/threads.ipynb")
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", str(home / "work")]
    with (
        (home / "log.txt").open("w") as log,
        subprocess.Popen(
            command,
            env={**os.environ, **{name: str(home / place) for name, place in places.items()}},
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as server,
    ):
        try:
            yield _info(server, home)
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)


def _info(server: subprocess.Popen[bytes], home: Path) -> dict[str, Any]:
    """Return address and token of the server once it listens."""
    for _ in range(600):
        for file in (home / "runtime").glob("jpserver-*.json"):
            if text := file.read_text():
                info: dict[str, Any] = json.loads(text)
                return info
        assert server.poll() is None, (home / "log.txt").read_text()
        time.sleep(0.1)
    pytest.fail(f"JupyterLab does not start: {(home / 'log.txt').read_text()}")


@pytest.fixture
def notebook(page: Any, lab: dict[str, Any]) -> Any:
    """Open the notebook in a page and run its cells."""
    page.set_viewport_size({"width": 1400, "height": 1300})
    page.goto(f"{lab['url']}lab/tree/threads.ipynb?token={lab['token']}&reset")
    page.locator(".jp-CodeCell").nth(1).wait_for(timeout=60_000)
    page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for(timeout=60_000)
    page.locator(".jp-CodeCell .cm-content").first.click()
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Shift+Enter")
    page.locator('.gilscope[role="application"] .bk-Figure').nth(1).wait_for(timeout=120_000)
    return page


def test_the_magic_shows_both_timelines_live(notebook: Any, console_errors: list[str]) -> None:
    """The cell shows a live view with two timelines, in place of the static one."""
    notebook.wait_for_function("() => Bokeh.documents.at(-1)?.is_idle")
    notebook.wait_for_timeout(500)
    assert all(count > 1 for count in notebook.evaluate(DRAWN))
    assert notebook.locator("img.picture").is_hidden()
    assert notebook.get_by_text("done", exact=True).is_visible()
    SCREENS.mkdir(parents=True, exist_ok=True)
    notebook.screenshot(path=SCREENS / "lab.png")
    assert console_errors == []


def test_the_wheel_zooms_in_the_notebook(notebook: Any) -> None:
    """Turning the wheel over a timeline narrows the range of both, and they are drawn anew."""
    notebook.wait_for_function("() => Bokeh.documents.at(-1)?.is_idle")
    figure = notebook.locator('.gilscope[role="application"] .bk-Figure').first
    figure.scroll_into_view_if_needed()
    box = figure.bounding_box()
    before = notebook.evaluate(RANGE)
    notebook.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    for _ in range(5):
        notebook.mouse.wheel(0, -300)
        notebook.wait_for_timeout(100)
    notebook.wait_for_timeout(500)
    after = notebook.evaluate(RANGE)
    assert after[1] - after[0] < (before[1] - before[0]) / 2
    assert all(count > 0 for count in notebook.evaluate(DRAWN))
    notebook.screenshot(path=SCREENS / "lab-zoomed.png")
