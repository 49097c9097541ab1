"""The lanes of the static picture, of threads and of groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from gilscope.analysis.states.state import State
from gilscope.trace.reading.reader import read
from gilscope.view.data.columns import columns_of, raster
from gilscope.view.data.rows import Row, band, counts, rows_of
from gilscope.view.html.picture import svg
from trace_builder import TraceBuilder
from view_examples import crowd_run

if TYPE_CHECKING:
    from pathlib import Path

    from gilscope.trace.model import Trace
    from gilscope.view.data.columns import Columns

GRID = np.linspace(0, 1e-3, 11)  # ms; columns of 100 ns


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Trace, Columns]:
    """Return a trace in which one of two threads waits from 200 to 600 ns, and its columns."""
    builder = TraceBuilder()
    builder.thread("MainThread", main=True)
    one = builder.thread("f-1", start=0, end=1000)
    builder.thread("f-2", start=300, end=500)
    builder.gil_wait(one, 200, 600)
    builder.ticks(1000)
    trace = read(builder.write(tmp_path / "t.gilscope"))
    return trace, columns_of([trace])[0]


def lanes_of(columns: Columns) -> list[int]:
    """Return the lanes of the two threads."""
    return [columns.names.index(name) for name in ("f-1", "f-2")]


def test_counts_are_threads_in_each_state(pair: tuple[Trace, Columns]) -> None:
    """The mean of each column of pixels."""
    found = counts(pair[1], lanes_of(pair[1]), GRID)
    assert found[State.WAITING_GIL].tolist() == pytest.approx([0, 0, 1, 1, 1, 1, 0, 0, 0, 0])
    assert found[State.RUNNING].tolist() == pytest.approx([1, 1, 0, 1, 1, 0, 1, 1, 1, 1])


def test_a_group_is_an_area_for_each_state(pair: tuple[Trace, Columns]) -> None:
    """As high as the share of the most threads; waits stand at the bottom."""
    row = Row("f × 2", tuple(lanes_of(pair[1])), 2)
    picture = band(pair[1], row, GRID, 16)
    assert (picture[:8, 4] == State.WAITING_GIL + 1).all()
    assert (picture[8:, 4] == State.RUNNING + 1).all()
    assert (picture[8:, 0] == 0).all()


def test_a_thread_is_drawn_as_in_other_views(pair: tuple[Trace, Columns]) -> None:
    """By the rule that the page has, too."""
    lane = lanes_of(pair[1])[0]
    assert (band(pair[1], Row("f-1", (lane,)), GRID, 16) == raster(pair[1], lane, GRID, 16)).all()


def test_threads_of_a_group_share_a_row(tmp_path: Path) -> None:
    """Without those that are hidden; few of them have a row each."""
    trace = read(crowd_run(200).write(tmp_path / "t.gilscope"))
    columns = columns_of([trace])
    [rows] = rows_of([trace], columns, ["Thread-7 (f)"], shared=True)
    assert [(row.name, len(row.lanes)) for row in rows] == [("MainThread", 1), ("f × 199", 199)]
    few = [name for name in columns[0].names if name not in {"MainThread", "Thread-7 (f)"}]
    [rows] = rows_of([trace], columns, few, shared=True)
    assert [row.name for row in rows] == ["MainThread", "Thread-7 (f)"]


def test_the_static_picture_has_all_threads(tmp_path: Path) -> None:
    """None of a thousand is left out, and it stays small."""
    trace = read(crowd_run(1000).write(tmp_path / "t.gilscope"))
    picture = svg([("gil", trace)])
    assert "f × 1,000" in picture
    assert "not shown" not in picture
    assert len(picture) < 10_000
