"""A notebook whose page is loaded again while its kernel runs: the live view comes back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from front_ends import LIVE, opened, run_first, saved_with, shoot

if TYPE_CHECKING:
    from collections.abc import Iterator

LOADS = int(os.environ.get("GILSCOPE_RELOADS", "10"))

pytestmark = pytest.mark.timeout(300 + 30 * LOADS)

CODE = """\
%%profile_threads --builds gil --repeat 1
import threading

threads = [threading.Thread(target=sum, args=[range(100_000)]) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
NOTEBOOKS = {"reloads": ("%load_ext gilscope", CODE)}

FAILED = "text=/cannot be zoomed|Error displaying widget|must be under/"


@pytest.fixture(scope="module")
def notebook(browser: Any, server: dict[str, Any], errors: list[str]) -> Iterator[Any]:
    """Run the cell and save the notebook."""
    page = opened(browser, server, "reloads", errors)
    for number in range(2):
        run_first(page, number)
    page.locator(LIVE).wait_for()
    saved_with(page, server, "reloads", "gilscope-static")
    yield page
    page.context.close()


def test_each_load_shows_the_live_view(notebook: Any, errors: list[str]) -> None:
    """Loads in a row, each as soon as the view of the one before is there."""
    for _ in range(LOADS):
        notebook.reload()
        found = notebook.locator(LIVE).or_(notebook.locator(FAILED)).first
        found.wait_for()
        if notebook.locator(FAILED).count():
            shoot(notebook, "reload-failed")
        assert notebook.locator(FAILED).count() == 0
        assert notebook.locator("img.picture").is_hidden()
    assert [text for text in errors if "gilscope" in text or "body" in text] == []
