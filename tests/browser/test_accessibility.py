"""What a report offers to people who do not use a mouse, or do not see it: checked by axe-core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from consumers import npm_release
from gilscope.view.html.report import write_report
from view_examples import comparison

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READY = '() => document.querySelector("section.gilscope")?.dataset.drawn'
TABS = ("threads", "locks", "callbacks", "spans", "blame", "difference", "findings")
SET = "([name, value]) => document.querySelector('#view-1').gilscope.set(name, value)"
# Heads without words are minor to axe; to who hears a table they are not.
CHECK = """async () => (await axe.run({ resultTypes: ["violations"] })).violations
  .filter(({ id, impact }) =>
    ["serious", "critical"].includes(impact) || id === "empty-table-header")
  .map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 200)}`)"""
CHOSEN = "#view-1 [role=tab][aria-selected=true]"


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Open a report with both builds."""
    write_report([comparison(tmp_path, "few", 120, 200_000)], tmp_path / "r.html", "a report")
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.goto((tmp_path / "r.html").as_uri())
        page.wait_for_function(READY)
        yield page


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(opened: Any, theme: str) -> None:
    """Contrast, roles and names, with each table shown, in both themes."""
    opened.evaluate(npm_release("axe-core").read_text())
    opened.evaluate(SET, ["theme", theme])
    found = []
    for tab in TABS:
        opened.evaluate(SET, ["tab", tab])
        opened.locator(f"{CHOSEN}[data-tab={tab}]").wait_for()
        found += opened.evaluate(CHECK)
    assert found == []


def test_arrow_keys_lead_from_tab_to_tab(opened: Any) -> None:
    """One tab is a stop of the tabulator key; arrows, Home and End lead to the others."""
    opened.locator("#view-1 [data-tab=threads]").click()
    assert opened.locator("#view-1 [role=tab][tabindex='0']").count() == 1
    for key, tab in (("ArrowRight", "locks"), ("End", "findings"), ("ArrowRight", "threads")):
        opened.keyboard.press(key)
        assert opened.locator(CHOSEN).get_attribute("data-tab") == tab
        assert opened.evaluate("() => document.activeElement.dataset.tab") == tab


def test_a_table_is_filtered_by_a_text(opened: Any) -> None:
    """Rows that have it stay; where none has, that is said."""
    opened.locator("#view-1 [data-tab=threads]").click()
    rows = opened.locator("#view-1 [role=tabpanel] tbody tr")
    all_rows = rows.count()
    opened.get_by_label("Filter rows").fill("main")
    assert 0 < rows.count() < all_rows
    assert all("main" in row.lower() for row in rows.all_inner_texts())
    opened.get_by_label("Filter rows").fill("nobody")
    assert opened.get_by_text("no row has “nobody”").first.is_visible()
