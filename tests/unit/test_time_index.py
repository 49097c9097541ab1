"""The index of a trace: times of any stretch, the same as counting every segment."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

import gilscope.analysis.states.time_index
from gilscope.analysis.states.state import State
from gilscope.analysis.states.subjects import interval_codes
from gilscope.analysis.states.thread_states import lanes
from gilscope.analysis.states.time_index import Index
from gilscope.trace.reading.reader import read
from trace_builder import TraceBuilder
from trace_examples import callback_trace, ft_trace, gil_trace

if TYPE_CHECKING:
    from pathlib import Path

    from gilscope.trace.model import Trace

EXAMPLES = {"gil": gil_trace, "ft": ft_trace, "callbacks": callback_trace}


@pytest.fixture(params=sorted(EXAMPLES))
def trace(request: pytest.FixtureRequest, tmp_path: Path) -> Trace:
    """Return an example, once a kind of build."""
    return read(EXAMPLES[request.param]().write(tmp_path / "t.gilscope"))


def plain_times(trace: Trace, edges: list[int]) -> np.ndarray:
    """Return the time of each thread, state and column, segment by segment."""
    found = lanes(trace)
    result = np.zeros((len(found), len(State), len(edges) - 1), np.int64)
    for place, lane in enumerate(found):
        rows = zip(lane.starts.tolist(), lane.ends.tolist(), lane.states.tolist(), strict=True)
        for start, end, state in rows:
            for column, (left, right) in enumerate(pairwise(edges)):
                result[place, state, column] += max(0, min(end, right) - max(start, left))
    return result


def test_times_are_those_of_the_segments(trace: Trace) -> None:
    """However the columns lie, each state has exactly the time that its segments have there."""
    index = Index(trace)
    for count in (1, 7, 50):
        edges = np.linspace(0, trace.duration_ns, count + 1).astype(np.int64)
        wanted = plain_times(trace, edges.tolist())
        for lane in range(len(trace.threads)):
            assert index.times(lane, edges).tolist() == wanted[lane].tolist()


@pytest.mark.parametrize("dense", [0, 1 << 24])
@pytest.mark.parametrize("coded", [True, False])
def test_cells_add_up_to_the_times(
    trace: Trace, monkeypatch: pytest.MonkeyPatch, *, coded: bool, dense: int
) -> None:
    """Locks and other threads divide a state's time among them, bucket by bucket."""
    monkeypatch.setattr(gilscope.analysis.states.time_index, "DENSE", dense)
    index = Index(trace)
    grain = trace.duration_ns // 7
    for lane, thread in enumerate(trace.threads):
        edges = np.arange(0, thread.end_ns + grain, grain)
        sums = np.zeros((len(State), len(edges) - 1), np.int64)
        cells = index.cells(lane, grain, coded=coded)
        np.add.at(sums, (cells.state, cells.bucket), cells.time)
        assert sums.tolist() == index.times(lane, edges).tolist()


def test_cells_have_the_time_and_number_of_the_waits_of_each_lock(trace: Trace) -> None:
    """As adding them up one by one has them."""
    index = Index(trace)
    codes, intervals = index.codes[0], trace.intervals
    wanted: dict[tuple[int, int, int], list[int]] = {}
    for row in range(len(intervals)):
        if index.states[row] not in (State.HOLDING_GIL, State.RUNNING):
            key = (int(intervals.thread[row]), int(index.states[row]), int(codes[row]))
            entry = wanted.setdefault(key, [0, 0])
            entry[0] += int(intervals.duration[row])
            entry[1] += 1
    found: dict[tuple[int, int, int], list[int]] = {}
    for lane, thread in enumerate(trace.threads):
        cells = index.cells(lane, trace.duration_ns // 7, coded=True)
        for state, code, time, count in zip(
            cells.state.tolist(), cells.code.tolist(), cells.time.tolist(), cells.count.tolist(),
            strict=True,
        ):  # fmt: skip
            if state not in (State.HOLDING_GIL, State.RUNNING):
                entry = found.setdefault((thread.index, state, code), [0, 0])
                entry[0] += time
                entry[1] += count
    assert found == {key: entry for key, entry in wanted.items() if entry[0]}


def test_lanes_of_a_stretch_are_those_of_the_trace(trace: Trace) -> None:
    """Segments between two moments are the same as when all are looked at."""
    start, end = trace.duration_ns // 4, trace.duration_ns // 2
    for mine, whole in zip(Index(trace).lanes(start, end), lanes(trace), strict=True):
        seen = (whole.ends > start) & (whole.starts < end)
        assert mine.states.tolist() == whole.states[seen].tolist()
        assert mine.refs.tolist() == whole.refs[seen].tolist()


def test_a_stretch_counts_what_is_in_it(tmp_path: Path) -> None:
    """Intervals elsewhere are not counted, but for one a group at most."""
    builder = TraceBuilder()
    main = builder.thread("MainThread", main=True)
    for start in range(0, 100_000, 1_000):
        builder.hold(main, start, start + 500)
    index = Index(read(builder.write(tmp_path / "t.gilscope")))
    assert 10 <= index.count(50_000, 60_000) <= 11
    assert index.count(0, 100_000) == 100


def test_codes_name_lock_and_other_thread(tmp_path: Path) -> None:
    """Each combination has a number; the first stands for none."""
    trace = read(ft_trace().write(tmp_path / "t.gilscope"))
    codes, names = interval_codes(trace)
    assert names[0] == (-1, 0, False)
    row = int(np.flatnonzero(trace.intervals.start == 1_000)[0])
    lock, peer, held = names[codes[row]]
    assert trace.locks[lock].type == "dict"
    assert (trace.thread_name(peer), held) == ("Arbeiter ü", False)


def test_a_trace_without_intervals_has_an_index(tmp_path: Path) -> None:
    """Nothing is no error."""
    index = Index(read(TraceBuilder().write(tmp_path / "t.gilscope")))
    assert index.count(0, 1000) == 0
    assert index.lanes(0, 1000) == []
