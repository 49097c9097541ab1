"""Which callables ran at the same time, or would without the GIL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import gilscope
from gilscope.analysis.concurrency import Concurrency, concurrency
from gilscope.analysis.facts import Facts
from trace_builder import TraceBuilder

if TYPE_CHECKING:
    from pathlib import Path


def recorded(path: Path, *, free_threaded: bool = True) -> Concurrency:
    """Three threads: two in ``log``, of which one waits 30 ns to get in, and one in ``tick``."""
    builder = TraceBuilder(free_threaded=free_threaded)
    builder.thread("MainThread", main=True)
    first, second, third = (builder.thread(f"worker-{n}", native=True) for n in range(3))
    entry = builder.entry(builder.site(builder.module("/lib/x.so"), 0x10, function="worker"))
    log = builder.callable(builder.code("log", "a.py", 3))
    tick = builder.callable(builder.code("tick", "a.py", 9))
    builder.callback(first, 100, 200, entry=entry, callable=log)
    builder.callback(second, 150, 240, enter=30, entry=entry, callable=log)
    builder.callback(third, 190, 400, entry=entry, callable=tick)
    builder.callback(first, 300, 310, entry=entry, callable=log)
    builder.callback(second, 500, 900, entry=entry)  # calls nothing
    builder.callback(third, 500, 900, entry=entry, callable=tick)
    return concurrency(Facts(gilscope.open(builder.write(path / "t.gilscope"))))


def told(found: Concurrency) -> dict[tuple[str, str], tuple[int, int, int, int]]:
    """Return the figures by the names of both callables."""
    return {
        tuple(sorted((pair.first.callable.name, pair.second.callable.name))): (
            pair.count,
            pair.total_ns,
            pair.longest_ns,
            pair.start_ns,
        )
        for pair in found.pairs
    }


def test_calls_that_overlap(tmp_path: Path) -> None:
    """Counted by callables, with the longest overlap; the wait to get in is no overlap."""
    found = recorded(tmp_path)
    assert not found.gil
    assert told(found) == {("log", "log"): (1, 20, 20, 180), ("log", "tick"): (3, 70, 50, 190)}


def test_threads_of_the_longest_overlap(tmp_path: Path) -> None:
    """They are those of the example."""
    pair = recorded(tmp_path).pairs[0]
    assert sorted(pair.threads) == [3, 4]


def test_under_the_gil_the_wait_to_get_in_counts(tmp_path: Path) -> None:
    """Without the GIL the call would have run there."""
    found = recorded(tmp_path, free_threaded=False)
    assert found.gil
    assert told(found)["log", "log"] == (1, 50, 50, 150)


def test_no_callbacks(tmp_path: Path) -> None:
    """A trace without them has no pairs."""
    builder = TraceBuilder(free_threaded=True)
    builder.thread("MainThread", main=True)
    assert concurrency(Facts(gilscope.open(builder.write(tmp_path / "t.gilscope")))).pairs == []


@pytest.mark.parametrize("most", [1, 2, 3])
def test_pairs_are_looked_at_in_parts(
    tmp_path: Path, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many at a time changes nothing."""
    monkeypatch.setattr("gilscope.analysis.waits.overlaps.MOST_PAIRS", most)
    assert told(recorded(tmp_path))["log", "tick"] == (3, 70, 50, 190)
