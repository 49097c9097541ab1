"""The notebooks run from top to bottom in a real kernel, and show what they promise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
LIMIT = 100_000  # bytes of a saved notebook
WIDGET = "application/vnd.jupyter.widget-view+json"

pytestmark = pytest.mark.timeout(300)


def outputs(notebook: Any, mime: str) -> list[str]:
    """Return all outputs of one mime type."""
    return [
        output["data"][mime]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if mime in output.get("data", {})
    ]


@pytest.fixture(scope="module")
def quickstart() -> Any:
    """Run the quickstart; a cell that fails raises here."""
    notebook = nbformat.read(NOTEBOOKS / "quickstart.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    resources = {"metadata": {"path": str(NOTEBOOKS)}}
    client = NotebookClient(notebook, timeout=200, kernel_name="python3", resources=resources)
    return client.execute()


def test_both_timelines_come_out(quickstart: Any) -> None:
    """Each comparison shows a picture with both builds, and a live view."""
    html = [text for text in outputs(quickstart, "text/html") if 'class="gilscope' in text]
    assert len(html) == 2
    for view in html:
        assert "Timelines of the threads: GIL build – CPython 3." in view
        assert "and Free-threaded build – CPython 3." in view
        assert view.count("eval-3") >= 2
    assert len(outputs(quickstart, WIDGET)) == 2


def test_the_summary_comes_out_as_text(quickstart: Any) -> None:
    """Where nothing can be drawn, the table says what the GIL cost."""
    tables = [text for text in outputs(quickstart, "text/plain") if "speed-up" in text]
    assert len(tables) == 2
    for table in tables:
        assert "waiting for the GIL" in table
        assert "free-threaded build" in table


def test_no_cell_complains(quickstart: Any) -> None:
    """No cell fails, and none writes to standard error."""
    for cell in quickstart.cells:
        for output in cell.get("outputs", ()):
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.get("text")


def test_a_saved_notebook_is_small(quickstart: Any) -> None:
    """The live views leave their data with the kernel: what is saved stays small."""
    assert len(nbformat.writes(quickstart)) < LIMIT


def test_the_committed_notebook_can_be_read_without_running() -> None:
    """It is committed with its pictures and text, and without state of widgets."""
    text = (NOTEBOOKS / "quickstart.ipynb").read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    assert len(outputs(notebook, "text/html")) == 2
    assert "widgets" not in notebook.metadata
    assert len(text) < LIMIT
    assert str(ROOT) not in text
