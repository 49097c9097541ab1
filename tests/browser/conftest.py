"""A real Chromium for the browser tests; they are skipped, by name, where there is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page

FINDER = Path(__file__).parents[2] / "tools" / "chromium.py"
FLAGS = (
    "--no-sandbox",  # the tests may run as root in a container
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TIMEOUT_MS = 60_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("browser")


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Path of a Chromium that is on this machine."""
    command = [sys.executable, str(FINDER), "--find"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if found.returncode:
        pytest.skip(f"needs Chromium: {found.stderr.strip()}; or run tools/chromium.py")
    return found.stdout.strip()


@pytest.fixture(scope="session")
def browser(chromium_path: str) -> Iterator[Browser]:
    """A headless Chromium with a fresh profile, closed afterwards."""
    playwright_api = pytest.importorskip("playwright.sync_api")
    with playwright_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture
def console_errors() -> list[str]:
    """Errors on the console of `page`, and exceptions that nothing caught."""
    return []


@pytest.fixture
def page(browser: Browser, console_errors: list[str]) -> Iterator[Page]:
    """A page in a context of its own."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            console_errors.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: console_errors.append(str(error)))
    yield page
    context.close()


@pytest.fixture(scope="module", params=["lab", "notebook"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """Run JupyterLab, then Notebook 7, with the notebooks that the module calls ``NOTEBOOKS``."""
    front_ends = pytest.importorskip("front_ends")
    home = tmp_path_factory.mktemp(request.param)
    with front_ends.serving(request.param, home, request.module.NOTEBOOKS) as info:
        yield info


@pytest.fixture(scope="module")
def errors() -> list[str]:
    """Errors on the console of the page that the tests of a server share."""
    return []
