"""What the waits for the GIL turned into, from traces whose answer is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gilscope.comparison.activity import NAMES, activity
from gilscope.comparison.matching import differences
from gilscope.trace.reading.reader import read
from gilscope.view.data.differences import difference_rows
from gilscope.view.html.differences import differences as table
from trace_builder import TraceBuilder

if TYPE_CHECKING:
    from gilscope.trace.model import Trace

GOLDEN = Path(__file__).parents[1] / "golden"
MS = 1_000_000
type Found = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def traces() -> list[tuple[str, Trace]]:
    """Of both builds."""
    return [(build, read(GOLDEN / f"{build}.gilscope")) for build in ("gil", "ft")]


@pytest.fixture(scope="module")
def found(traces: list[tuple[str, Trace]]) -> Found:
    """What is matched in them."""
    return differences(traces)


def test_what_a_wait_has_become_is_what_the_other_build_waits_for(found: Found) -> None:
    """Object locks and a pause took the place of some; the rest of the waits is gone."""
    [line] = found["lines"]
    assert line["builds"]["gil"] == {"waiting_gil_s": 80.6e-6, "other_locks_s": 8e-6}
    assert line["became"] == {"object_locks_s": 6e-6, "stopped_s": 1.5e-6, "gone_s": 73.1e-6}


def test_threads_spend_what_they_spend(found: Found, traces: list[tuple[str, Trace]]) -> None:
    """The rows of threads have the same times as the table of activities."""
    rows = {row["threads"]: row["builds"] for row in found["threads"]}
    for row in activity(traces):
        for build, cell in row["builds"].items():
            mine = rows[row["threads"]][build]
            assert [mine.get(name, 0.0) for name in NAMES] == [cell[name] for name in NAMES]


def test_locks_are_matched_without_their_addresses(found: Found) -> None:
    """The GIL is one of them."""
    locks = {row["lock"]: row["builds"] for row in found["locks"]}
    assert locks["the GIL"] == {"gil": {"waiting_gil_s": 80.6e-6}}
    assert locks["dict"] == {"ft": {"object_locks_s": 6e-6}}


def test_side_by_side_is_when_two_threads_run(tmp_path: Path) -> None:
    """Two threads of 30 ms, of which one waits for the first 10."""
    builder = TraceBuilder()
    main = builder.thread("MainThread", main=True)
    other = builder.thread("other")
    builder.gil_wait(other, 0, 10 * MS)
    builder.hold(other, 10 * MS, 30 * MS)
    builder.hold(main, 0, 30 * MS)
    rows = differences([("gil", read(builder.write(tmp_path / "t.gilscope")))])["threads"]
    assert {row["builds"]["gil"]["parallel_s"] for row in rows} == {0.02}


def test_one_build_alone_tells_nothing(traces: list[tuple[str, Trace]]) -> None:
    """There is nothing that its waits could have become."""
    rows = [row for rows in differences(traces[:1]).values() for row in rows]
    assert {row["became"] for row in rows} == {None}
    assert difference_rows(differences(traces[:1])) == []


def test_the_table_shows_the_longest_waits_first(found: Found) -> None:
    """With the columns that have a number; names of the program are no markup."""
    head, *rows = difference_rows(found)
    assert head == ["", "waited for the GIL", "object locks", "stop-the-world", "nothing"]
    assert [row[0] for row in rows[:2]] == ["threads pool", "threads worker"]
    assert rows[-1] == ["not known where", "80.6 µs", "6.00 µs", "1.50 µs", "73.1 µs"]
    renamed = {**found, "threads": [{**found["threads"][0], "threads": "<b>"}]}
    assert "&lt;b&gt;" in table({"differences": renamed})


def test_no_table_where_nobody_waited() -> None:
    """A summary may be of one trace, or of an earlier version."""
    assert table({}) == ""
