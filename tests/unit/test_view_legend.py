"""The legend explains what is drawn, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gilscope.trace.reading.reader import read
from gilscope.view.html.legend import ARROW_HINT, CURVE_HINT, legend
from trace_examples import ft_trace, gil_trace

if TYPE_CHECKING:
    from pathlib import Path

    from gilscope.trace.model import Trace


@pytest.fixture
def traces(tmp_path: Path) -> list[Trace]:
    """Return a trace of each build."""
    files = {"gil": gil_trace(), "ft": ft_trace()}
    return [read(made.write(tmp_path / f"{name}.gilscope")) for name, made in files.items()]


def test_the_live_view_explains_arrows_and_curves(traces: list[Trace]) -> None:
    """In a line each, and says which curve is of which build."""
    html = legend(traces, live=True)
    assert html.count(ARROW_HINT) == 1
    assert f"{CURVE_HINT}, GIL build" in html
    assert f"{CURVE_HINT}, Free-threaded build" in html


def test_the_static_picture_has_neither(traces: list[Trace]) -> None:
    """So its legend does not speak of them."""
    html = legend(traces)
    assert ARROW_HINT not in html
    assert CURVE_HINT not in html


def test_without_a_trace_there_is_no_legend() -> None:
    """Nothing is drawn then."""
    assert legend([]) == ""
