"""A notebook whose page is loaded again while its kernel runs: the live view comes back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from front_ends import LIVE, opened, run_first, saved_with, shoot

if TYPE_CHECKING:
    from collections.abc import Iterator

LOADS = int(os.environ.get("GILSCOPE_RELOADS", "5"))

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

OURS = "text=/cannot be zoomed|must be under/"
# Now and then a front end does not ask the kernel for its widgets, if something else of it was
# connected to the kernel first; then its words are replaced by ours.
THEIRS = "text=/Error displaying widget/"
INSTEAD = "(one) => getComputedStyle(one, '::after').content"


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


def test_each_load_shows_the_live_view(notebook: Any) -> None:
    """Loads in a row, each as soon as the view of the one before is there."""
    shown = 0
    for _ in range(LOADS):
        notebook.reload()
        notebook.locator(LIVE).or_(notebook.locator(THEIRS)).or_(
            notebook.locator(OURS)
        ).first.wait_for()
        if notebook.locator(OURS).count():
            shoot(notebook, "reload-failed")
        assert notebook.locator(OURS).count() == 0
        if notebook.locator(THEIRS).count():
            assert notebook.locator("img.picture").first.is_visible()
            assert "Run the cell again" in notebook.locator(THEIRS).evaluate(INSTEAD)
        else:
            assert notebook.locator("img.picture").first.is_hidden()
            shown += 1
    assert shown > LOADS / 2
