"""Executes the notebooks anew and saves them with their outputs, as JupyterLab would.

    .venv/bin/python tools/notebooks.py [NAME ...]

Without names, all of notebooks/. Run it on an idle machine: the outputs have times in them. The
kernel needs the extensions of `make demo`. What differs from run to run without meaning (moments
of execution, state of widgets) is left out. Exit status: 0; 1 if a cell failed or wrote to standard
error, then its notebook stays as it was.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
SECONDS = 250  # for one cell


def executed(path: Path) -> Any:
    """Run a notebook from top to bottom; return it with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        notebook,
        timeout=SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        store_widget_state=False,  # as JupyterLab saves a notebook
        record_timing=False,
    )
    return client.execute()


def joined(outputs: list[Any]) -> list[Any]:
    """Join what a cell wrote to one stream piece by piece: where it is cut is chance."""
    found: list[Any] = []
    for output in outputs:
        last = found[-1] if found else {}
        is_same = output.output_type == "stream" == last.get("output_type")
        if is_same and output.name == last["name"]:
            last["text"] += output.text
        else:
            found.append(output)
    return found


def save(path: Path) -> str:
    """Execute a notebook and save it; return what is wrong, or nothing."""
    notebook = executed(path)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = joined(cell.outputs)
    said = [
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.get("name") == "stderr"
    ]
    if said:
        return "".join(said)
    notebook.metadata = {
        "kernelspec": notebook.metadata["kernelspec"],
        "language_info": {"name": "python"},
    }
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    return ""


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="of a notebook, without .ipynb")
    names = parser.parse_args().names or sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
    status = 0
    for name in names:
        wrong = save(NOTEBOOKS / f"{name}.ipynb")
        print(f"{name}: {wrong or 'saved'}", flush=True)
        status = status or int(bool(wrong))
    return status


if __name__ == "__main__":
    sys.exit(main())
