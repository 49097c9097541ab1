"""What a cell displays, in a real kernel: as it would without the magic, and once."""

from __future__ import annotations

import os
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = [
    pytest.mark.skipif(
        "GILSCOPE_FT_PYTHON" not in os.environ, reason="no interpreters: run `make test`"
    ),
    pytest.mark.timeout(300),
]

GIL = "%%profile_threads --repeat 1 --builds gil -o found\n"
BOTH = "%%profile_threads --repeat 1 -o found\n"
RICH = """\
class Rich:
    def __init__(self, name):
        self.name = name
    def __repr__(self):
        return f"plain {self.name}"
    def _repr_html_(self):
        return f"<b>{self.name}</b>"
"""
CELLS = {
    "setup": f"%load_ext gilscope\nfrom IPython.display import HTML, display as show\n{RICH}",
    "order": BOTH + "print('one', end=' ')\ndisplay(Rich('two'))\nprint('three')\nRich('four')",
    "text": "print(*(repr(run.stdout) for run in found.runs)); print(found.notices)",
    "notebook's own": GIL + "show(HTML('<i>mine</i>'))",
    "IPython of the cell": GIL + "from IPython.display import display, Markdown\n"
    "display(Markdown('*strong*')); display({'text/html': '<p>raw</p>'}, raw=True)",
    "table": GIL + "import pandas\npandas.DataFrame({'column': [1, 2]})",
    "figures": GIL + "import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.title('first')\n"
    "plt.show()\nprint('between')\nfig, ax = plt.subplots()\nax.plot([2, 1]);",
    "update": GIL + "handle = display(Rich('old'), display_id=True)\nhandle.update(Rich('new'))",
    "large": GIL + "from IPython.display import HTML\nHTML('x' * (9 << 20))",
    "raising": GIL + "class Raising(Rich):\n    def _repr_html_(self):\n        1 / 0\n"
    "Raising('text')",
    "lock order": "%%lock_order --builds gil\nRich('watched')",
}


@pytest.fixture(scope="module")
def ran() -> dict[str, list[Any]]:
    """Return the outputs of each cell, the views of results and progress left out."""
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS.values()]
    notebook = nbformat.v4.new_notebook(cells=cells)
    client = NotebookClient(notebook, timeout=250, kernel_name="python3", allow_errors=True)
    client.execute()
    return {
        name: [output for output in cell.outputs if not is_view(output)]
        for name, cell in zip(CELLS, notebook.cells, strict=True)
    }


def is_view(output: Any) -> bool:
    """Whether an output is one of gilscope's own."""
    data = output.get("data", {})
    text = data.get("text/plain", "")
    return "gilscope" in data.get("text/html", "") or any(
        words in text for words in ("live zoom", " in ", "deadlock")
    )


def said(outputs: list[Any], kind: str = "text/html") -> list[str]:
    """Return what was printed, and data of a kind, in order."""
    return [
        output["text"] if output.output_type == "stream" else output["data"].get(kind, "")
        for output in outputs
        if output.output_type != "error"
    ]


def test_displays_stand_where_they_were_made(ran: dict[str, list[Any]]) -> None:
    """Between what the cell prints; the last expression too; once for both builds."""
    assert "".join(said(ran["order"])) == "one <b>two</b>three\n<b>four</b>"
    assert "plain two" in said(ran["order"], "text/plain")


def test_both_builds_have_printed_the_same(ran: dict[str, list[Any]]) -> None:
    """The text of what they displayed: so that their outputs can be compared."""
    [text] = said(ran["text"])
    printed, notices = text.splitlines()
    assert printed == " ".join([repr("one plain two\nthree\nplain four\n")] * 2)
    assert "differs" not in notices


def test_the_notebooks_own_display_is_at_work(ran: dict[str, list[Any]]) -> None:
    """A function that another cell has imported, under another name."""
    assert said(ran["notebook's own"]) == ["<i>mine</i>"]


def test_ipythons_functions_display(ran: dict[str, list[Any]]) -> None:
    """Imported by the cell itself, where there is no shell of IPython."""
    first, second = ran["IPython of the cell"]
    assert first["data"]["text/markdown"] == "*strong*"
    assert second["data"]["text/html"] == "<p>raw</p>"


def test_a_table_is_shown_as_one(ran: dict[str, list[Any]]) -> None:
    """A DataFrame of pandas."""
    [html] = said(ran["table"])
    assert "<th>column</th>" in html


def test_figures_are_shown_as_pictures(ran: dict[str, list[Any]]) -> None:
    """By show() where it is called, and at the end what is still open."""
    pytest.importorskip("matplotlib")
    # Where it takes long to find the fonts, matplotlib says so.
    outputs = [output for output in ran["figures"] if output.get("name") != "stderr"]
    first, between, second = said(outputs, "image/png")
    assert first.startswith("iVBOR")
    assert between == "between\n"
    assert second.startswith("iVBOR")


def test_a_display_is_updated(ran: dict[str, list[Any]]) -> None:
    """In its place."""
    assert said(ran["update"]) == ["<b>new</b>"]


def test_what_is_too_large_is_told(ran: dict[str, list[Any]]) -> None:
    """As text, in place of it."""
    [output] = ran["large"]
    assert set(output["data"]) == {"text/plain"}
    assert "a display of 9 MB was left out" in output["data"]["text/plain"]


def test_an_object_that_cannot_show_itself_is_text(ran: dict[str, list[Any]]) -> None:
    """Its error is seen, and the cell goes on."""
    texts = said(ran["raising"], "text/plain")
    assert "plain text" in texts
    assert any("ZeroDivisionError" in text for text in texts)


def test_watched_cells_display_as_well(ran: dict[str, list[Any]]) -> None:
    """The only run under a build is the one that is shown."""
    assert "<b>watched</b>" in said(ran["lock order"])
