"""Callbacks as waits to get into Python, and what they did there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gilscope.trace.reading.reader import read
from gilscope.view.data.columns import columns_of
from gilscope.view.data.entering import entries
from gilscope.view.data.palette import CALLBACK, ENTERING, NOTHING
from gilscope.view.html.legend import legend
from trace_builder import TraceBuilder

if TYPE_CHECKING:
    from pathlib import Path

    from gilscope.trace.model import Trace
    from gilscope.view.data.columns import Columns


def shown(path: Path, *callbacks: tuple[int, int, int]) -> tuple[Trace, Columns]:
    """Return a trace of callbacks (start, end, time to get in) of one callable, and its columns."""
    builder = TraceBuilder()
    builder.thread("MainThread", main=True)
    entry = builder.entry(builder.site(builder.module("/lib/app.so"), 0x10, "App::call"))
    called = builder.callable(name="tick", module="app")
    for start, end, enter in callbacks:
        thread = builder.thread("caller", native=True)
        builder.callback(thread, start, end, entry=entry, callable=called, enter=enter)
    builder.ticks(1000)
    trace = read(builder.write(path / "t.gilscope"))
    return trace, columns_of([trace])[0]


def segments(columns: Columns) -> list[tuple[int, int]]:
    """Return start and state of what the lane of callbacks shows."""
    kinds = [head.kind for head in columns.heads]
    rows = columns.lane(kinds.index("callback"))
    return [*zip(columns.starts[rows].tolist(), columns.state[rows].tolist(), strict=True)]


def test_a_callback_waits_first_and_is_in_python_then(tmp_path: Path) -> None:
    """The lane tells both apart, and has nothing between callbacks."""
    _, columns = shown(tmp_path, (100, 300, 50), (400, 500, 0))
    assert segments(columns) == [(100, ENTERING), (150, CALLBACK), (300, NOTHING), (400, CALLBACK)]


def test_while_one_is_in_python_the_lane_says_so(tmp_path: Path) -> None:
    """Others that wait to get in meanwhile do not hide it."""
    _, columns = shown(tmp_path, (100, 300, 20), (110, 500, 190))
    assert segments(columns) == [(100, ENTERING), (120, CALLBACK)]


def test_all_waits_to_get_in_are_hatched(tmp_path: Path) -> None:
    """Also those that last while another one is in Python; what overlaps is one."""
    trace, columns = shown(tmp_path, (100, 300, 20), (110, 500, 190), (600, 700, 30))
    found = entries(trace, columns)
    assert found["en_start"].tolist() == [100, 600]
    assert found["en_duration"].tolist() == [200, 30]
    assert len(np.unique(found["en_lane"])) == 1


def test_callbacks_that_get_in_at_once_have_nothing_to_hatch(tmp_path: Path) -> None:
    """Neither on the lanes nor in the legend."""
    trace, columns = shown(tmp_path, (100, 300, 0))
    assert entries(trace, columns) == {}
    assert "waits to get in" not in legend([trace])


def test_the_legend_explains_what_is_hatched(tmp_path: Path) -> None:
    """Where there is any."""
    trace, _ = shown(tmp_path, (100, 300, 50))
    assert "callback waits to get in" in legend([trace])
