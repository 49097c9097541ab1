"""What Perfetto's own engine makes of our exports."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from perfetto_engine import PerfettoEngine, opened

from gilscope.export import FORMATS, count, export_file
from gilscope.export.marks import race_marks
from gilscope.race import Access, Place, Race, Races
from gilscope.results.races import WatchedRun
from gilscope.trace.reading.reader import read
from trace_examples import callback_trace, ft_trace, gil_trace, span_trace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from gilscope.trace.model import Trace

TIMELINES = ("chrome", "perfetto")
SLICES = """
select process.name, thread.name, slice.name, slice.ts, slice.dur, slice.depth
from slice join thread_track on slice.track_id = thread_track.id
join thread using (utid) join process using (upid)
"""
BLOCKED = """
include perfetto module android.monitor_contention;
select blocked_thread_name, blocking_thread_name, waiter_count, short_blocked_method,
  short_blocking_method, dur
from android_monitor_contention order by ts
"""
FLOWS = """
select o.name, ot.name, i.name, it.name from flow
join slice o on flow.slice_out = o.id join slice i on flow.slice_in = i.id
join thread_track oo on o.track_id = oo.id join thread ot on oo.utid = ot.utid
join thread_track ii on i.track_id = ii.id join thread it on ii.utid = it.utid
"""


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> list[Trace]:
    """Both runs of a comparison."""
    folder = tmp_path_factory.mktemp("traces")
    gil = read(gil_trace().write(folder / "gil.gilscope"))
    return [gil, read(ft_trace().write(folder / "ft.gilscope"))]


@pytest.fixture(scope="module", params=TIMELINES)
def engine(
    request: pytest.FixtureRequest,
    browser: Browser,
    traces: list[Trace],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[PerfettoEngine]:
    """An engine that has loaded both runs in one file, once a format."""
    path = tmp_path_factory.mktemp("exports") / ("both" + FORMATS[request.param].suffix)
    export_file(traces, request.param, path)
    page = browser.new_page()
    with opened(page, path) as engine:
        engine.format = request.param
        yield engine
    page.close()


def slices_in(format: str, traces: list[Trace]) -> int:  # noqa: A002
    """Slices that an export must have."""
    expected = count(traces)
    inside = expected.contentions if format == "perfetto" else 0
    return expected.slices + expected.instants + inside


def slices(engine: PerfettoEngine, thread: str) -> list[list[Any]]:
    """(name, start, duration, depth) of the slices of a thread, in order."""
    chosen = f"thread.name = '{thread}' and slice.name not like 'monitor contention%'"
    found = engine.query(f"{SLICES} where {chosen} order by ts, depth")
    return [row[2:] for row in found]


def test_no_import_errors(engine: PerfettoEngine) -> None:
    """The engine takes the file without an error or a loss."""
    errors = "select name, value from stats where severity in ('error', 'data_loss') and value > 0"
    assert engine.query(errors) == []


def test_slice_count(engine: PerfettoEngine, traces: list[Trace]) -> None:
    """There are as many slices as `count` says."""
    assert engine.value("select count(*) from slice") == slices_in(engine.format, traces)
    assert engine.value("select count(*) from flow") == count(traces).flows


def test_processes(engine: PerfettoEngine) -> None:
    """Each run is a process that is named after its build."""
    names = engine.query("select name from process where name is not null order by name")
    assert names == [["ft 3.13.5"], ["gil 3.13.5"]]


def test_threads(engine: PerfettoEngine) -> None:
    """Thread names arrive as they are, quotes and umlauts included."""
    found = engine.query("select thread.name from thread join process using (upid) where pid > 0")
    names = {name for (name,) in found}
    assert {"MainThread", "worker", "pool", 'worker "1"', "Arbeiter ü"} <= names


def test_slices_of_a_thread(engine: PerfettoEngine) -> None:
    """Names, times in ns and nesting are those of the trace."""
    assert slices(engine, "pool") == [
        ["waiting for the GIL", 20_000, 40_100, 0],
        ["holding the GIL", 60_100, 19_900, 0],
        ["waiting for threading.Lock at 0x7f0000001000", 62_000, 8_000, 1],
        *[row for row in slices(engine, "pool") if row[0].startswith("woken")],
    ]


def test_common_start(engine: PerfettoEngine) -> None:
    """Both runs start at the same zero."""
    at_zero = {row[0] for row in engine.query(SLICES) if row[3] == 0}
    assert at_zero == {"ft 3.13.5", "gil 3.13.5"}


def test_lock_wait_names_its_object(engine: PerfettoEngine) -> None:
    """A wait for an object's lock says which object it is."""
    waits = [row[0] for row in slices(engine, 'worker "1"')]
    assert "waiting for dict at 0x7f0000002000 (object lock)" in waits


def test_gil_flows(engine: PerfettoEngine) -> None:
    """Arrows lead from the hold that ended to the hold that had been waited for."""
    found = engine.query(f"{FLOWS} where o.name = 'holding the GIL' order by o.ts")
    hold = "holding the GIL"
    assert found == [
        [hold, "MainThread", hold, "worker"],
        [hold, "worker", hold, "MainThread"],
        [hold, "MainThread", hold, "pool"],
    ]


def test_wake_flows(engine: PerfettoEngine) -> None:
    """Arrows lead from the wake to the thread that was woken."""
    found = engine.query(f"{FLOWS} where o.name like 'wakes %' order by o.ts")
    assert ["wakes pool", "worker", "woken by worker", "pool"] in found
    assert len(found) == 4


def test_arguments(engine: PerfettoEngine) -> None:
    """A slice carries who held the GIL, who ended the wait, and what was special."""
    sql = "select key, display_value from args"
    found = {(key.split(".")[-1], str(value)) for key, value in engine.query(sql)}
    assert {
        ("held by", "MainThread"),
        ("ended by", "worker"),
        ("note", "release was forced, held since before the session"),
        ("note", "not over when the trace ended"),
        ("note", "woke up owning the lock"),
        ("switch intervals", "1"),
    } <= found


def test_counter(engine: PerfettoEngine) -> None:
    """A counter says how many threads wait for the GIL."""
    sql = """select c.ts, c.value from counter c join track t on c.track_id = t.id
    where t.name like 'threads waiting for the GIL%' order by c.ts"""
    expected = [
        (4_000, 1),
        (10_000, 2),
        (10_500, 1),
        (20_000, 2),
        (30_000, 1),
        (60_100, 0),
        (86_000, 1),
        (100_000, 0),
    ]
    found = engine.query(sql)
    assert [ts for ts, _ in found] == [ts for ts, _ in expected]
    assert all(math.isclose(a, b) for (_, a), (_, b) in zip(found, expected, strict=True))


def asked(browser: Browser, trace: Trace, format: str, path: Path, sql: str) -> list[Any]:  # noqa: A002
    """Rows of a query on a trace in Perfetto, which has all slices and no complaint."""
    export_file([trace], format, path)
    page = browser.new_page()
    with opened(page, path) as engine:
        assert engine.value("select count(*) from slice") == slices_in(format, [trace])
        errors = "select count(*) from stats where severity in ('error', 'data_loss') and value > 0"
        assert engine.value(errors) == 0
        found = engine.query(sql)
    page.close()
    return found


@pytest.mark.parametrize("format", TIMELINES)
def test_callbacks(format: str, browser: Browser, tmp_path: Path) -> None:  # noqa: A002
    """Callbacks are slices on tracks of their own, whole and nested as they were."""
    trace = read(callback_trace().write(tmp_path / "calls.gilscope"))
    found = asked(
        browser,
        trace,
        format,
        tmp_path / ("calls" + FORMATS[format].suffix),
        "select slice.name, slice.ts, slice.dur, slice.depth from slice"
        " where category = 'callback' order by ts",
    )
    first = found[0][1]
    assert [[name, ts - first, dur, depth] for name, ts, dur, depth in found] == [
        ["builtins.print", 0, 8_500, 0],
        ["app.on_event", 500, 6_000, 0],
        ["builtins.print", 1_500, 1_000, 1],
        ["app.on_event", 7_000, 2_500, 0],
    ]


def test_races(browser: Browser, tmp_path: Path) -> None:
    """Each access is an instant in its thread, with its place, and an arrow leads to the other."""
    trace = read(gil_trace().write(tmp_path / "watched.gilscope"))
    one, two = trace.threads[0], trace.threads[1]
    accesses = tuple(
        Access(
            thread.name, write=True, what="write", stack=(Place("x.py", line, "add"),), locks=(),
            time_ns=trace.start_monotonic_ns + thread.start_ns + after, tid=thread.tid,
        )
        for thread, line, after in ((one, 3, 100), (two, 5, 200))
    )  # fmt: skip
    found = Race("lost-update", "witnessed", "C.n of c", accesses, 2, "Lost.", "Hold a lock.")
    run = WatchedRun("gil", Races([found]), trace=trace)
    path = tmp_path / "races.perfetto-trace"
    export_file([trace, trace], "perfetto", path, marks=[[], race_marks(run)])
    sql = f"{FLOWS} where o.category = 'race'"
    placed = """select extract_arg(slice.arg_set_id, 'debug.at'), process.name from slice
    join thread_track on slice.track_id = thread_track.id join thread using (utid)
    join process using (upid) where category = 'race' order by ts"""
    page = browser.new_page()
    with opened(page, path) as engine:
        errors = "select count(*) from stats where severity in ('error', 'data_loss') and value > 0"
        assert engine.value(errors) == 0
        name = "race: lost update on C.n of c: write"
        (arrow,) = engine.query(sql)
        assert sorted(arrow) == sorted([name, one.name, name, two.name])
        where = "gil 3.13.5, watched for races"
        assert sorted(engine.query(placed)) == [
            ["x.py:3 in add, holding no lock", where],
            ["x.py:5 in add, holding no lock", where],
        ]
    page.close()


@pytest.mark.parametrize("format", TIMELINES)
def test_spans(format: str, browser: Browser, tmp_path: Path) -> None:  # noqa: A002
    """Spans are slices on tracks of their own, nested as they were, with their bytes."""
    trace = read(span_trace().write(tmp_path / "spans.gilscope"))
    found = asked(
        browser,
        trace,
        format,
        tmp_path / ("spans" + FORMATS[format].suffix),
        "select name, ts, dur, depth, extract_arg(arg_set_id, 'args.bytes'),"
        " extract_arg(arg_set_id, 'debug.bytes') from slice"
        " where category = 'span' order by ts",
    )
    first = found[0][1]
    rows = [[name, ts - first, dur, depth, a or b] for name, ts, dur, depth, a, b in found]
    assert rows == [
        ["send ü", 0, 3_000, 0, None],
        ["pickle", 1_000, 1_000, 1, 70_000],
        ["pickle", 1_500, 6_500, 0, (5 << 32) + 7],
        ["pickle", 4_000, 0, 0, rows[3][4]],
    ]
    assert not rows[3][4]


def test_tables_of_contention(browser: Browser, tmp_path: Path) -> None:
    """Perfetto's own table says who blocked whom, where, and how many others waited."""
    path = tmp_path / "calls.perfetto-trace"
    export_file([read(callback_trace().write(tmp_path / "calls.gilscope"))], "perfetto", path)
    page = browser.new_page()
    with opened(page, path) as engine:
        found = engine.query(BLOCKED)
    page.close()
    fire, bare, unknown = "events::Loop::fire[int]", "libevents.so.1+0x5678", "?"
    assert found == [
        ["late", "pool", 0, bare, unknown, 500],
        ["late", "pool", 0, unknown, unknown, 100],
        ["pool", "MainThread", 0, fire, fire, 600],
        ["pool", "late", 0, bare, unknown, 2_200],
    ]
