"""Timelines as numpy columns: merging of short segments, shares, the raster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from gilscope.trace.model import State
from gilscope.trace.reader import read
from gilscope.view.columns import END, Columns, columns_of, raster, shares
from gilscope.view.merge import Segments, bounded, merged
from gilscope.view.palette import LEAST, LOOKS, STACK, STATES
from trace_builder import TraceBuilder
from trace_examples import callback_trace, ft_trace, gil_trace

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 24


def segments(lengths: list[int], states: list[int]) -> Segments:
    """Return a lane of segments end to end, from 0."""
    ends = np.cumsum(lengths, dtype=np.int64)
    starts = ends - np.array(lengths, np.int64)
    rows = np.arange(len(ends), dtype=np.int64)
    return Segments(starts, ends, np.array(states, np.uint8), rows, np.ones(len(ends), np.int64))


def random_lane(count: int, seed: int) -> Segments:
    """Return a lane with segments of very different lengths."""
    random = np.random.default_rng(seed)
    lengths = random.lognormal(6, 2, count).astype(np.int64) + 1
    return segments(lengths.tolist(), random.integers(0, STATES, count).tolist())


def time_a_state(lane: Segments) -> list[int]:
    """Return the time that a lane spends in each state."""
    lengths = lane.ends - lane.starts
    return [int(lengths[lane.states == state].sum()) for state in range(STATES)]


def only(path: Path) -> Columns:
    """Return the columns of the one trace in ``path``."""
    [columns] = columns_of([read(path)])
    return columns


def one_thread(tmp_path: Path, *waits: tuple[int, int], duration: int = 100_000) -> Columns:
    """Return the columns of a trace with one thread that waits for the GIL now and then."""
    builder = TraceBuilder()
    thread = builder.thread("MainThread", main=True)
    for start, end in waits:
        builder.gil_wait(thread, start, end)
    return only(builder.write(tmp_path / "t.gilscope", duration=duration))


def test_few_segments_are_left_as_they_are() -> None:
    """Nothing is merged below the limit, and the grain says so."""
    lane = random_lane(100, seed=1)
    result, grain = bounded([lane], limit=1000)
    assert grain == 0
    assert result == [lane]


@pytest.mark.parametrize("seed", range(5))
def test_merging_keeps_each_states_time(seed: int) -> None:
    """However short its segments are, a state keeps its time to the nanosecond."""
    lane = random_lane(20_000, seed)
    [result], grain = bounded([lane], limit=1000)
    assert grain > 0
    assert len(result) <= 1000
    assert time_a_state(result) == time_a_state(lane)
    assert result.counts.sum() == len(lane)


def test_merged_segments_leave_no_gap() -> None:
    """Each merged segment starts where the one before ends."""
    lane = random_lane(5_000, seed=7)
    result = merged(lane, 5_000)
    assert result.starts[0] == lane.starts[0]
    assert result.ends[-1] == lane.ends[-1]
    assert (result.starts[1:] == result.ends[:-1]).all()


def test_long_segments_are_never_merged() -> None:
    """What is longer than the grain keeps its times and its reference."""
    lane = random_lane(5_000, seed=3)
    result = merged(lane, 1_000)
    long = lane.ends - lane.starts >= 1_000
    kept = result.counts == 1
    assert set(lane.starts[long]) <= set(result.starts[kept])
    assert set(lane.refs[long]) <= set(result.refs[kept])


def test_columns_name_locks_and_peers(tmp_path: Path) -> None:
    """A wait knows the lock it was for and the thread that ended it."""
    columns = only(ft_trace().write(tmp_path / "t.gilscope"))
    lane = columns.names.index('worker "1"')
    rows = columns.lane(lane)
    row = rows.start + int(np.argmax(columns.state[rows] == State.WAITING_LOCK))
    assert columns.locks[columns.lock[row]].startswith("dict at 0x7f0000002000")
    assert columns.threads[columns.peer[row]] == "ended by Arbeiter ü"


def test_a_lane_ends_with_its_thread(tmp_path: Path) -> None:
    """The row that ends a lane has the time of the thread's exit, in ms."""
    columns = only(gil_trace().write(tmp_path / "t.gilscope"))
    last = columns.lane(columns.names.index("pool")).stop
    assert columns.state[last] == END
    assert columns.start[last] == pytest.approx(0.09)


def test_shares_of_a_column_add_up_to_the_life_in_it(tmp_path: Path) -> None:
    """In every column that a thread lives through, the shares of its states make 1."""
    columns = only(gil_trace().write(tmp_path / "t.gilscope"))
    edges = np.linspace(0.01, 0.08, 13)
    for lane in range(len(columns.names)):
        assert shares(columns, lane, edges).sum(axis=0) == pytest.approx(1.0)


def test_a_wait_is_drawn_at_half_height(tmp_path: Path) -> None:
    """A column full of waiting shows a bar of half a lane, from the bottom."""
    columns = one_thread(tmp_path, (20_000, 60_000))
    column = raster(columns, 0, np.array([0.03, 0.04]), ROWS)[:, 0]
    assert (column[: ROWS // 2] == State.WAITING_GIL + 1).all()
    assert (column[ROWS // 2 :] == 0).all()


def test_a_short_wait_can_be_seen(tmp_path: Path) -> None:
    """A wait of a ten-thousandth of its column still gets a sixth of the lane."""
    columns = one_thread(tmp_path, (50_000, 50_010))
    picture = raster(columns, 0, np.array([0.0, 0.1]), ROWS)
    assert (picture[:, 0] == State.WAITING_GIL + 1).sum() == ROWS // LEAST


def test_nothing_is_drawn_outside_a_threads_life(tmp_path: Path) -> None:
    """Before a thread starts and after it ends its lane is empty."""
    columns = only(gil_trace().write(tmp_path / "t.gilscope"))
    lane = columns.names.index("pool")
    picture = raster(columns, lane, np.array([0.0, 0.002, 0.09, 0.1]), ROWS)
    assert not picture[:, [0, 2]].any()
    assert picture[:, 1].any()


def test_a_trace_without_threads_gives_no_lanes(tmp_path: Path) -> None:
    """An empty trace is no error."""
    columns = only(TraceBuilder().write(tmp_path / "t.gilscope"))
    assert columns.names == ()
    assert len(columns.start) == 0


def test_every_state_has_a_look_and_a_place() -> None:
    """No state is left without colour, or twice in the stack."""
    assert set(LOOKS) == set(STACK) == set(State)
    assert len(STACK) == len(State)


def test_a_holder_is_called_so(tmp_path: Path) -> None:
    """Who held a native lock when the wait for it began is not said to have ended the wait."""
    columns = only(callback_trace().write(tmp_path / "t.gilscope"))
    rows = columns.lane(columns.names.index("late"))
    row = rows.start + int(np.argmax(columns.state[rows] == State.WAITING_LOCK))
    assert columns.threads[columns.peer[row]] == "held by pool"
