"""JupyterLab and Notebook 7 as servers on the loopback interface, and what a reader does there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from playwright.sync_api import TimeoutError as TookTooLong

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SCREENS = Path(__file__).parents[2] / "out" / "screens"

LIVE = '.gilscope[role="application"][data-drawn]'
VIEW = "document.querySelector('.gilscope[role=application]').gilscope"
IDLE = """() => [...document.querySelectorAll(
  ".jp-Notebook-ExecutionIndicator, .jp-NotebookKernelStatus")].some((one) =>
  one.dataset.status === "idle" || /idle/i.test(one.title + one.textContent)) ||
  !!document.querySelector("[data-status=idle]")"""
CONTENDED = """\
%%profile_threads --repeat 3
import threading, time

lock = threading.Lock()

def work():
    for _ in range(60):
        with lock:
            time.sleep(0.002)

threads = [threading.Thread(target=work, name=f"worker {n}") for n in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
"""A cell whose three threads wait for one lock under each build: it always has a finding."""

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
QUIET = {"fetchNews": "false", "checkForUpdates": False}

# JupyterLab's and Notebook's own: what hides the page while a theme is loaded is removed twice
# where the second change of a theme comes before the first has been saved.
SPLASH = "Failed to execute 'removeChild' on 'Node'"
# Notebook's own, where it asks for its settings before they are there.
SETTINGS = "Cannot read properties of undefined (reading 'schema')"

FRONTS = {"lab": ("jupyterlab", "lab/tree"), "notebook": ("notebook", "notebooks")}


@contextmanager
def serving(
    front: str, home: Path, notebooks: Mapping[str, Sequence[str]], *options: str
) -> Iterator[dict[str, Any]]:
    """Run a server on a free port, with a token and its own files.

    Args:
        front: One of `FRONTS`.
        home: A directory of its own.
        notebooks: The cells of each, by name.
        *options: More of the server's.
    """
    package, place = FRONTS[front]
    pytest.importorskip(package)
    settings = home / "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps(QUIET))
    (home / "work").mkdir()
    for name, sources in notebooks.items():
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        notebook = nbformat.v4.new_notebook(cells=cells, metadata=KERNEL)
        nbformat.write(notebook, home / f"work/{name}.ipynb")
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    command = [sys.executable, "-m", package, "--no-browser", "--allow-root"]
    command += ["--expose-app-in-browser"]  # as `jupyterapp`, to change the theme
    command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", *options, str(home / "work")]
    with (
        (home / "log.txt").open("w") as log,
        subprocess.Popen(
            command,
            env={**os.environ, **{name: str(home / place) for name, place in places.items()}},
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        try:
            info = _info(process, home)
            yield {**info, "name": front, "place": place, "home": home}
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _info(server: subprocess.Popen[bytes], home: Path) -> dict[str, Any]:
    """Return address and token of the server once it listens."""
    for _ in range(600):
        for file in (home / "runtime").glob("jpserver-*.json"):
            if text := file.read_text():
                info: dict[str, Any] = json.loads(text)
                return info
        assert server.poll() is None, (home / "log.txt").read_text()
        time.sleep(0.1)
    pytest.fail(f"the server does not start: {(home / 'log.txt').read_text()}")


def opened(browser: Any, server: dict[str, Any], name: str, errors: list[str]) -> Any:
    """Open a notebook in a page of its own."""
    context = browser.new_context(viewport={"width": 1400, "height": 1300})
    context.set_default_timeout(120_000)
    page = context.new_page()

    def keep(text: str) -> None:
        if SPLASH not in text and SETTINGS not in text:
            errors.append(text)

    page.on("console", lambda note: keep(note.text) if note.type == "error" else None)
    page.on("pageerror", lambda error: keep(str(error)))
    page.goto(f"{server['url']}{server['place']}/{name}.ipynb?token={server['token']}&reset")
    page.locator(".jp-CodeCell").first.wait_for()
    page.wait_for_function(IDLE)
    errors.clear()  # what a front end itself complains of while it starts is not ours
    page.name = server["name"]
    SCREENS.mkdir(parents=True, exist_ok=True)
    return page


def run_first(page: Any, number: int) -> None:
    """Run a cell that has not run yet; a page that is still being set up loses keys."""
    cell = page.locator(".jp-CodeCell").nth(number)
    for _ in range(12):
        choose_kernel(page)
        try:
            cell.locator(".cm-content").click(timeout=10_000)
        except TookTooLong:  # a dialog has come before it
            continue
        page.keyboard.press("Shift+Enter")
        for _ in range(50):
            if "[ ]" not in cell.locator(".jp-InputPrompt").inner_text():
                return
            page.wait_for_timeout(200)
    shoot(page, "does-not-run")
    pytest.fail("the front end does not run the cell")


def choose_kernel(page: Any) -> None:
    """Answer the front end's question for a kernel, which it asks on a busy machine."""
    dialog = page.locator("dialog.jp-Dialog")
    if dialog.count():
        said = dialog.inner_text()
        assert "kernel" in said.lower(), said
        dialog.locator(".jp-mod-accept").click()


def run_cell(page: Any, source: str) -> Any:
    """Run the cell that contains a text again; returns the cell."""
    cell = page.locator(".jp-CodeCell", has_text=source)
    cell.locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    return cell


def shoot(page: Any, name: str) -> None:
    """Keep a picture for people to look at."""
    page.screenshot(path=SCREENS / f"{page.name}-{name}.png")


def stop_kernels(page: Any, server: dict[str, Any], name: str) -> None:
    """Have the server shut down the kernels of a notebook for good."""
    api, headers = f"{server['url']}api", {"Authorization": f"token {server['token']}"}
    for session in page.request.get(f"{api}/sessions", headers=headers).json():
        if session["path"] == f"{name}.ipynb":
            kernel = session["kernel"]["id"]
            assert page.request.delete(f"{api}/kernels/{kernel}", headers=headers).ok


def saved_with(page: Any, server: dict[str, Any], name: str, words: str) -> str:
    """Save a notebook, as a reader does; returns its text once it has ``words``."""
    # Within a view, keys are the view's.
    page.locator(".jp-CodeCell .cm-content").first.click()
    page.keyboard.press("Control+s")
    saved = server["home"] / f"work/{name}.ipynb"
    for _ in range(600):
        if words in (text := saved.read_text()):
            return str(text)
        page.wait_for_timeout(100)
    pytest.fail(f"the front end does not save {name}")
