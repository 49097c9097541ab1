"""Timelines as numpy columns: merging of short segments, shares, the raster."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

import gilscope.view.data.columns
from gilscope.analysis.states.state import State
from gilscope.trace.reading.reader import read
from gilscope.view.data.columns import END, Columns, columns_of, raster, shares
from gilscope.view.data.palette import CALLBACK, ENTERING, LEAST, LOOKS, NOTHING, STACK, STATES
from gilscope.view.data.segments import Segments, bounded, merged
from trace_builder import TraceBuilder
from trace_examples import callback_trace, ft_trace, gil_trace
from view_examples import pool_run

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 24


def segments(lengths: list[int], states: list[int]) -> Segments:
    """Return a lane of segments end to end, from 0."""
    ends = np.cumsum(lengths, dtype=np.int64)
    starts = ends - np.array(lengths, np.int64)
    rows = np.arange(len(ends), dtype=np.int64)
    ones, codes = np.ones(len(ends), np.int64), np.zeros(len(ends), np.int64)
    return Segments(starts, ends, np.array(states, np.uint8), rows, ones, codes)


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


def first_lock_wait(columns: Columns, thread: str) -> tuple[int, int, bool]:
    """Return lock, lane of the other thread, and whether it held the lock."""
    rows = columns.lane(columns.names.index(thread))
    row = rows.start + int(np.argmax(columns.state[rows] == State.WAITING_LOCK))
    return columns.codes[columns.code[row]]


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
    trace = read(ft_trace().write(tmp_path / "t.gilscope"))
    [columns] = columns_of([trace])
    lock, peer, held = first_lock_wait(columns, 'worker "1"')
    assert trace.locks[columns.locks[lock]].name.startswith("dict at 0x7f0000002000")
    assert (columns.names[peer], held) == ("Arbeiter ü", False)


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
    """The holder of a native lock when the wait began is not the thread that ended the wait."""
    columns = only(callback_trace().write(tmp_path / "t.gilscope"))
    _, peer, held = first_lock_wait(columns, "late")
    assert (columns.names[peer], held) == ("pool", True)


def test_locks_and_callbacks_have_lanes_of_their_own(tmp_path: Path) -> None:
    """Below the threads there is a lane a contended lock and one a callable."""
    columns = only(callback_trace().write(tmp_path / "t.gilscope"))
    heads = [(head.kind, head.name) for head in columns.heads]
    assert ("lock", "dict `app.CACHE`") in heads
    assert ("callback", "app.on_event") in heads
    rows = columns.lane(heads.index(("callback", "app.on_event")))
    assert set(columns.state[rows]) == {CALLBACK, ENTERING, NOTHING}


def test_locks_of_one_name_have_one_lane(tmp_path: Path) -> None:
    """It shows when any of them was waited for."""
    columns = only(pool_run().write(tmp_path / "t.gilscope"))
    locks = [place for place, head in enumerate(columns.heads) if head.kind == "lock"]
    assert [columns.heads[place].name for place in locks] == ["list `pool.ITEMS`"]
    rows = columns.lane(locks[0])
    waited = columns.state[rows] == State.WAITING_LOCK
    lengths = np.diff(columns.starts[rows.start : rows.stop + 1])
    assert lengths[waited].sum() == 600_000


@pytest.mark.parametrize("kinds", [3, 100, 300])
def test_merging_keeps_what_each_lock_was_waited_for(kinds: int) -> None:
    """Segments with different codes or states are not thrown together, however many there are."""
    lane = random_lane(5_000, seed=9)
    lane = replace(lane, codes=np.arange(len(lane), dtype=np.int64) // 9 % kinds)
    result = merged(lane, 50_000)
    assert len(result) < len(lane)
    for one, other in ((lane.codes, result.codes), (lane.states, result.states)):
        before = np.bincount(one, lane.ends - lane.starts)
        assert np.array_equal(np.bincount(other, result.ends - result.starts), before)


def test_a_long_trace_is_drawn_from_its_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond many intervals, buckets of time keep the time of each state."""
    trace = read(gil_trace().write(tmp_path / "t.gilscope"))
    [exact] = columns_of([trace])
    monkeypatch.setattr(gilscope.view.data.columns, "MANY", 1)
    [drawn] = columns_of([trace], limit=200)
    edges = np.array([0.0, exact.duration])
    for lane in range(len(exact.names)):
        assert shares(drawn, lane, edges) == pytest.approx(shares(exact, lane, edges))
    assert drawn.grain_ns > 0
