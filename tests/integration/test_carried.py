"""A cell that uses what other cells have made: run by a real shell under both builds."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from IPython.testing.globalipapp import start_ipython
from IPython.utils.capture import capture_output

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from IPython.core.interactiveshell import InteractiveShell

pytestmark = pytest.mark.skipif(
    "GILSCOPE_FT_PYTHON" not in os.environ, reason="no interpreters: run `make test`"
)

CELLS = (
    "import math as m\nfrom collections import Counter\nimport dataclasses",
    "factor = 3\ntable = {'a': [1, 2]}",
    "def scaled(x, by=factor):\n    return x * by + helper(x)",
    "def helper(x):\n    return m.floor(x) if x else scaled(1)",
    "def scaled_x(self):\n    return scaled(self.x)",
    "@dataclasses.dataclass\nclass Point:\n    x: int\n    y: int = 0\n    norm = scaled_x",
    "point, alias = Point(4), scaled",
)
USE = (
    "%%profile_threads --repeat 1 -o found\n"
    "print(alias(2.5), table, point, point.norm(), Counter('aab')['a'], isinstance(point, Point))"
)
SAID = "9.5 {'a': [1, 2]} Point(x=4, y=0) 16 2 True\n"


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    """A shell in which some cells have run; its names are those of `__main__`, as in a notebook."""
    shell = start_ipython()
    assert shell is not None
    main, sys.modules["__main__"] = sys.modules["__main__"], shell.user_module
    shell.run_line_magic("load_ext", "gilscope")
    for cell in CELLS:
        assert shell.run_cell(cell, store_history=True).success
    yield shell
    sys.modules["__main__"] = main


def run(shell: InteractiveShell, cell: str) -> tuple[Any, str]:
    """Run a cell; return its result, and what it showed."""
    with capture_output() as captured:
        result = shell.run_cell(cell, store_history=True)
    return result, captured.stdout


def test_a_cell_waits_at_its_top_and_shows_its_last_expression(shell: InteractiveShell) -> None:
    """Under both builds; what is shown is what the first of them shows."""
    cell = "%%profile_threads --repeat 1\nimport asyncio\nawait asyncio.sleep(0, [factor])"
    with capture_output() as captured:
        result = shell.run_cell(cell, store_history=True)
    assert result.success
    assert captured.outputs[0].data == {"text/plain": "[3]"}


def test_names_of_the_notebook_are_known_under_both_builds(shell: InteractiveShell) -> None:
    """Modules, what is in them, functions with what they need, classes, data and instances."""
    result, shown = run(shell, USE)
    assert result.success, shown
    found = shell.user_ns["found"]
    assert [run.stdout for run in found.runs] == [SAID, SAID]
    assert found.run("ft").gil_enabled_after is False


def test_a_function_of_the_notebook_has_its_own_lines_in_tracebacks(
    shell: InteractiveShell,
) -> None:
    """As if it had been called there."""
    shell.run_cell("def fails(x):\n    a = x\n    return a / 0", store_history=True)
    result, shown = run(shell, "%%profile_threads --repeat 1 --builds gil\nfails(1)")
    assert not result.success
    assert "line 3, in fails" in shown
    assert "return a / 0" in shown


def test_a_module_that_is_missing_there_is_named(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the interpreter that does not have it; the other build goes on."""
    (tmp_path / "only_here.py").write_text("x = 1")
    monkeypatch.syspath_prepend(tmp_path)
    shell.run_cell("import only_here", store_history=True)
    result, shown = run(shell, "%%profile_threads --repeat 1 --builds gil\nprint(only_here.x)")
    assert not result.success
    assert "only_here of the notebook needs only_here, which" in shown
