"""What the waits for the GIL turned into, from traces whose answer is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gilscope.results.activity import NAMES, activity
from gilscope.results.difference_rows import difference_rows
from gilscope.results.matching import differences
from gilscope.trace.reading.reader import read
from gilscope.view.html.differences import differences as table
from trace_builder import TraceBuilder

if TYPE_CHECKING:
    from gilscope.results.matching import Differences
    from gilscope.trace.model import Trace

GOLDEN = Path(__file__).parents[1] / "golden"
MS = 1_000_000


@pytest.fixture(scope="module")
def traces() -> list[tuple[str, Trace]]:
    """Of both builds."""
    return [(build, read(GOLDEN / f"{build}.gilscope")) for build in ("gil", "ft")]


@pytest.fixture(scope="module")
def found(traces: list[tuple[str, Trace]]) -> Differences:
    """What is matched in them."""
    return differences(traces)


def test_what_a_wait_has_become_is_what_the_other_build_waits_for(found: Differences) -> None:
    """Object locks and a pause took the place of some; the rest of the waits is gone."""
    [line] = found["lines"]
    assert line.ns["gil"] == {"waiting_gil": 80_600, "other_locks": 8_000}
    assert line.became == {"object_locks": 6_000, "stopped": 1_500, "gone": 73_100}


def test_threads_spend_what_they_spend(found: Differences, traces: list[tuple[str, Trace]]) -> None:
    """The rows of threads have the same times as the table of activities."""
    rows = {row.place: row.ns for row in found["threads"]}
    for group in activity(traces):
        for build, cell in group.ns.items():
            mine = rows[group.threads,][build]
            assert [mine.get(name, 0.0) for name in NAMES] == [cell[name] for name in NAMES]


def test_locks_are_matched_without_their_addresses(found: Differences) -> None:
    """The GIL is one of them."""
    locks = {row.place[0]: row.ns for row in found["locks"]}
    assert locks["the GIL"] == {"gil": {"waiting_gil": 80_600}}
    assert locks["dict"] == {"ft": {"object_locks": 6_000}}


def test_side_by_side_is_when_two_threads_run(tmp_path: Path) -> None:
    """Two threads of 30 ms, of which one waits for the first 10."""
    builder = TraceBuilder()
    main = builder.thread("MainThread", main=True)
    other = builder.thread("other")
    builder.gil_wait(other, 0, 10 * MS)
    builder.hold(other, 10 * MS, 30 * MS)
    builder.hold(main, 0, 30 * MS)
    rows = differences([("gil", read(builder.write(tmp_path / "t.gilscope")))])["threads"]
    assert {row.ns["gil"]["parallel"] for row in rows} == {20 * MS}


def test_one_build_alone_tells_nothing(traces: list[tuple[str, Trace]]) -> None:
    """There is nothing that its waits could have become."""
    rows = [row for rows in differences(traces[:1]).values() for row in rows]
    assert {row.became for row in rows} == {None}
    assert difference_rows(differences(traces[:1])) == []


def test_the_table_shows_the_longest_waits_first(found: Differences) -> None:
    """With the columns that have a number; names of the program are no markup."""
    head, *rows = difference_rows(found)
    assert head == ["where", "waited for the GIL", "object locks", "stop-the-world", "nothing"]
    assert [row[0] for row in rows[:2]] == ["thread pool", "thread worker"]
    assert rows[-1] == ["unknown place", "80.6 µs", "6 µs", "1.5 µs", "73.1 µs"]
    renamed = {**found, "threads": [replace(found["threads"][0], place=("<b>",))]}
    assert "&lt;b&gt;" in table(renamed)


def test_no_table_where_nobody_waited() -> None:
    """There is nothing to show."""
    assert table({}) == ""
