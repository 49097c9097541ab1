"""The notebooks run from top to bottom in a real kernel, and show what they promise."""

from __future__ import annotations

import re
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

if TYPE_CHECKING:
    from collections.abc import Iterator

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


COMPARISONS = {
    "quickstart": 2,
    "serialised_callbacks": 3,
    "logging_to_batching": 2,
    "ready_for_free_threading": 3,
    "from_race_to_repair": 1,
}
"""Notebooks, and how many views each of them shows."""


@pytest.fixture(scope="module", params=sorted(COMPARISONS))
def name(request: pytest.FixtureRequest) -> str:
    """Name of a notebook."""
    return str(request.param)


@pytest.fixture(scope="module")
def running() -> Iterator[dict[str, Future[Any]]]:
    """All notebooks, which run two at a time: each waits for processes most of its time."""
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(execute, name) for name in sorted(COMPARISONS)}
        pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def executed(name: str, running: dict[str, Future[Any]]) -> Any:
    """Return a notebook that has run; a cell that fails raises here."""
    return running[name].result()


def execute(name: str) -> Any:
    """Run a notebook from top to bottom."""
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    resources = {"metadata": {"path": str(NOTEBOOKS)}}
    client = NotebookClient(
        notebook,
        timeout=250,
        kernel_name="python3",
        resources=resources,
        store_widget_state=False,  # as JupyterLab saves a notebook
    )
    return client.execute()


def committed(name: str) -> str:
    """Return the text of a notebook as it is in the repository."""
    return (NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8")


def test_every_notebook_is_tested() -> None:
    """No notebook is left out here."""
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == set(COMPARISONS)


def test_views_come_out_still_and_live(name: str, executed: Any) -> None:
    """Each comparison shows a picture, a table as text, and a live view."""
    html = [text for text in outputs(executed, "text/html") if 'class="gilscope' in text]
    assert len(html) == COMPARISONS[name]
    assert all("Timelines of the threads: " in view for view in html)
    assert len(outputs(executed, WIDGET)) == COMPARISONS[name]
    tables = [text for text in outputs(executed, "text/plain") if "waiting for the GIL" in text]
    assert len(tables) == COMPARISONS[name]


def test_no_cell_complains(executed: Any) -> None:
    """No cell fails, and none writes to standard error."""
    for cell in executed.cells:
        for output in cell.get("outputs", ()):
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.get("text")


def test_a_saved_notebook_is_small(name: str, executed: Any) -> None:
    """The live views leave their data with the kernel: what is saved of each stays small."""
    assert len(nbformat.writes(executed)) < LIMIT * COMPARISONS[name]


def test_the_committed_notebook_can_be_read_without_running(name: str) -> None:
    """It is committed with its pictures and text, and without state of widgets."""
    text = committed(name)
    notebook = nbformat.reads(text, as_version=4)
    html = [text for text in outputs(notebook, "text/html") if 'class="gilscope' in text]
    assert len(html) == COMPARISONS[name]
    assert "widgets" not in notebook.metadata
    assert len(text) < LIMIT
    assert str(ROOT) not in text


def test_a_converted_notebook_shows_the_static_view(name: str) -> None:
    """Converted to HTML, a notebook has pictures and tables, and needs no kernel."""
    notebook = nbformat.reads(committed(name), as_version=4)
    html, _ = HTMLExporter().from_notebook_node(notebook)
    without_zooms = re.sub('<details class="zoom">.*?</details>', "", html, flags=re.DOTALL)
    assert without_zooms.count('class="picture" src="data:image/svg+xml,') == COMPARISONS[name]
    assert "<caption>Threads</caption>" in html


def test_the_race_is_found_under_the_gil_and_the_repair_holds_without_it(
    name: str, executed: Any
) -> None:
    """The GIL build alone finds both races; repaired, neither build finds one."""
    if name != "from_race_to_repair":
        pytest.skip("of another notebook")
    printed = [
        output["text"]
        for cell in executed.cells
        for output in cell.get("outputs", ())
        if output.get("name") == "stdout"
    ]
    text = "".join(printed)
    assert "lost-update on counts" in text
    assert "check-then-act on best" in text
    assert "\n0 races\n" in text
    assert "gil 0 races\nft 0 races\n" in text


HERE = """\
import threading
threads = [threading.Thread(target=sum, args=(range(200_000),), name=f"adder {n}") for n in (1, 2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
kept = len(threads)
"""


def run_cells(*sources: str) -> Any:
    """Run cells in a kernel of their own; errors stay in the outputs."""
    cells = [nbformat.v4.new_code_cell(source) for source in ("%load_ext gilscope", *sources)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    return NotebookClient(notebook, timeout=250, kernel_name="python3", allow_errors=True).execute()


def test_here_runs_in_the_kernel() -> None:
    """Variables stay, the cell's threads are recorded, and a cell that raises fails."""
    ran = run_cells(
        f"%%profile_threads --here -o result\n{HERE}",
        "print(kept, [thread.name for thread in result.runs[0].trace.threads])",
        "%%profile_threads --here -o failed\nraise ValueError('no')",
        "print(failed.failed[0].error)",
    )
    texts = ["".join(output.get("text", "") for output in cell.outputs) for cell in ran.cells]
    assert texts[2].startswith("2 [")
    assert "adder 1" in texts[2]
    assert "adder 2" in texts[2]
    errors = [output for output in ran.cells[3].outputs if output.output_type == "error"]
    assert errors
    assert texts[4].strip() == "ValueError: no"
