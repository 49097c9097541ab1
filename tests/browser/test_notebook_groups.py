"""Threads that share a lane in a notebook: the live view unfolds them, and is sent little."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from front_ends import LIVE, opened, run_first, saved_with, shoot

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(300)

CODE = f"""\
import sys, tempfile
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from view_examples import crowd
crowd(Path(tempfile.mkdtemp()), 1000)
"""
NOTEBOOKS = {"crowd": ("%load_ext gilscope", CODE)}
SAVED_LIMIT = 100_000  # bytes
VIEW = f"document.querySelector('{LIVE}').gilscope"
SHOWN = f"() => {VIEW}.timelines.map(({{ shown }}) => shown.length)"


@pytest.fixture(scope="module")
def notebook(browser: Any, server: dict[str, Any], errors: list[str]) -> Iterator[Any]:
    """Run the cells."""
    page = opened(browser, server, "crowd", errors)
    for number in range(2):
        run_first(page, number)
    page.locator(LIVE).wait_for()
    yield page
    page.context.close()


def test_a_group_unfolds_in_a_notebook(notebook: Any, errors: list[str]) -> None:
    """Its lanes are sorted by waiting and holding, as the control says."""
    assert notebook.evaluate(SHOWN) == [2, 3]
    order = notebook.get_by_label("Lanes", exact=True)
    words = order.locator("option:checked").inner_text().replace("\xa0", " ")
    assert words == "by waiting and holding"
    name = notebook.locator(f"{LIVE} .names button").first
    assert name.inner_text() == "▸ f × 1,000"
    name.click()
    notebook.wait_for_function(f"() => {VIEW}.timelines[0].shown.length === 32")
    shoot(notebook, "crowd")
    assert [text for text in errors if "gilscope" in text] == []


def test_the_saved_notebook_is_small(notebook: Any, server: dict[str, Any]) -> None:
    """Whatever the number of threads."""
    assert len(saved_with(notebook, server, "crowd", "gilscope-static")) < SAVED_LIMIT
