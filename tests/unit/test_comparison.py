"""The summary of a comparison, as JSON and as a table; the runs are made up."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import gilscope
from gilscope.comparison import Run
from gilscope.comparison.compare import compare_target
from gilscope.comparison.notices import noticed
from gilscope.comparison.table import grid
from gilscope.errors import GilscopeError, UsageError
from gilscope.presentation import Comparison
from gilscope.results.conditions import Conditions
from gilscope.target.worker.program import Target
from gilscope.text import seconds_text
from gilscope.trace.reading.reader import read
from trace_builder import TraceBuilder
from trace_examples import calls

if TYPE_CHECKING:
    from pathlib import Path

MS = 1_000_000


def make_run(build: str = "gil", **facts: Any) -> Run:
    """A run without a trace."""
    free_threaded = build != "gil"
    gil = build != "ft"
    standard: dict[str, Any] = {
        "build": build,
        "python": "3.13.5",
        "executable": "/py",
        "free_threaded": free_threaded,
        "gil_enabled_before": gil,
        "gil_enabled_after": gil,
        "gil_enabled_by": None,
        "wall_s": (2.0, 4.0, 3.0) if build == "gil" else (1.0, 1.5, 2.0),
        "probed_wall_s": (3.5,),
        "trace_path": None,
        "trace": None,
        "status": 0,
    }
    return Run(**{**standard, **facts})


def make(*runs: Run, notices: tuple[str, ...] = ()) -> Comparison:
    """A comparison of these runs."""
    return Comparison("title", ("x.py", "a"), runs, notices)


@pytest.fixture
def traced(tmp_path: Path) -> Run:
    """A run with a trace: two threads, one of which waits 3 ms for the GIL and 2 for a dict."""
    builder = TraceBuilder()
    main, worker = builder.thread("MainThread", main=True), builder.thread("worker")
    builder.hold(main, 0, 5 * MS)
    builder.gil_wait(worker, 2 * MS, 5 * MS, peer=main)
    builder.hold(worker, 5 * MS, 6 * MS)
    table = builder.lock("object", type="dict", object=0x1000, address=0x100A)
    builder.wait(worker, table, 6 * MS, 8 * MS, peer=main)
    builder.not_measured("spin", "not seen")
    path = builder.write(tmp_path / "x.gilscope")
    return make_run(trace_path=path, trace=gilscope.open(path))


def test_speedup_is_of_medians() -> None:
    """Median GIL time over median free-threaded time, probe off."""
    assert make(make_run("gil"), make_run("ft")).speedup == 2.0


@pytest.mark.parametrize(
    "runs", [(), (make_run("gil"),), (make_run("gil"), make_run("ft", wall_s=()))]
)
def test_no_speedup_without_both_builds(runs: tuple[Run, ...]) -> None:
    """It is null, and the table says why."""
    assert make(*runs).summary()["speedup"] is None
    if runs:
        assert "Not compared: " in make(*runs).summary_text()


def test_a_free_threaded_run_with_the_gil_on_is_invalid() -> None:
    """A GIL that is on in the GIL build is as it should be."""
    assert not make_run("ft", gil_enabled_after=True).valid
    assert make_run("ft").valid
    assert make_run("gil").valid


def test_the_gil_is_meant_to_be_on_in_ft_gil() -> None:
    """That arm is invalid where the GIL was off."""
    assert make_run("ft-gil").valid
    assert not make_run("ft-gil", gil_enabled_before=False).valid
    off = make_run("ft-gil", gil_enabled_before=False, gil_enabled_after=False)
    assert "off: INVALID" in make(off).summary_text()


def test_an_invalid_run_makes_no_speedup() -> None:
    """A number without meaning is not shown."""
    assert make(make_run("gil"), make_run("ft", gil_enabled_after=True)).speedup is None


@pytest.mark.parametrize(
    ("wall_s", "says"),
    [
        ((1.0, 1.1, 1.2), "(here: 2.7 × faster,"),
        ((6.0, 6.1, 6.2), "(not as it is: 2.0 × slower,"),
        ((3.0,), "(here: not known from one run of each)"),
    ],
)
def test_advice_says_what_the_free_threaded_build_brings(
    wall_s: tuple[float, ...], says: str, tmp_path: Path
) -> None:
    """Where the program was slower there, nobody is told to take it as it is."""
    path = calls(30_000, work=MS, count=200).write(tmp_path / "x.gilscope")
    times = (3.0, 3.0, 3.1) if len(wall_s) > 1 else (3.0,)
    gil = make_run("gil", wall_s=times, trace_path=path, trace=gilscope.open(path))
    ((_, finding),) = make(gil, make_run("ft", wall_s=wall_s)).findings
    assert says in finding.advice


def test_runs_by_build() -> None:
    """A build that was not run is a KeyError."""
    comparison = make(make_run("gil"))
    assert comparison.run("gil").build == "gil"
    with pytest.raises(KeyError, match="no ft run"):
        comparison.run("ft")


def test_the_summary_has_the_numbers_of_the_trace(traced: Run) -> None:
    """Seconds, and names as documented."""
    [run] = make(traced).summary()["runs"]
    assert run["gil"]["wait_s"] == pytest.approx(0.003)
    assert run["gil"]["hold_s"] == pytest.approx(0.006)
    assert (run["gil"]["acquires"], run["gil"]["releases"]) == (2, 2)
    assert [thread["name"] for thread in run["threads"]] == ["MainThread", "worker"]
    assert run["threads"][1]["gil_wait_s"] == pytest.approx(0.003)
    [lock] = run["locks"]
    assert (lock["type"], lock["address"], lock["lock_address"]) == ("dict", "0x1000", "0x100a")
    assert (lock["waits"], lock["wait_s"]) == (1, pytest.approx(0.002))
    assert run["not_measured"] == [{"class": "spin", "reason": "not seen"}]
    assert run["dropped_events"] == 0


def test_the_summary_is_json(traced: Run) -> None:
    """With and without a trace: no numpy number is left in it, and the names are the same."""
    with_trace, without = make(traced, make_run("ft")).summary()["runs"]
    assert json.loads(json.dumps(with_trace)) == with_trace
    assert with_trace.keys() == without.keys()


def test_every_name_of_the_summary_is_documented(traced: Run, request: Any) -> None:
    """docs/summary.md knows them all."""
    document = (request.config.rootpath / "docs" / "summary.md").read_text(encoding="utf-8")

    def names(value: Any) -> set[str]:
        if isinstance(value, dict):
            return set(value).union(*map(names, value.values()))
        return set().union(*map(names, value)) if isinstance(value, list) else set()

    missing = {name for name in names(make(traced).summary()) if f"`{name}`" not in document}
    assert not missing


def test_the_findings_of_all_runs(tmp_path: Path) -> None:
    """Each comes with its build, in the summary and in words."""
    builder = TraceBuilder(free_threaded=True, minor=1)
    main = builder.thread("MainThread", main=True)
    builder.gil_switch(main, 5_000, flags=5, module=builder.module("/lib/fast.so"))
    trace = read(builder.write(tmp_path / "x.gilscope", end=False))
    comparison = make(make_run("ft", trace=trace))
    [finding] = comparison.summary()["findings"]
    assert (finding["build"], finding["name"]) == ("ft", "gil-reenabled")
    assert comparison.findings_text() == (
        "found (ft): the GIL was switched on by the import of fast (gilscope explain gil-reenabled)"
    )


def test_the_prediction_stands_beside_what_was_measured(traced: Run) -> None:
    """With half of the cost of the build, if that was measured; the range has all and none."""
    alone = make(traced).summary()["prediction"]
    assert alone["speedup"] == pytest.approx(8 / 7, rel=0.3)
    assert (alone["measured"], alone["error"], alone["speedup_with_build"]) == (None, None, None)
    both = make(traced, make_run("ft-gil", wall_s=(6.0, 6.0)), make_run("ft"))
    found = both.summary()["prediction"]
    assert found["build_factor"] == 0.5
    assert found["speedup_with_build"] == pytest.approx(alone["speedup"] * 0.5**0.5)
    low, _ = both.summary()["runs"][1]["speedup_interval"]
    least, most = found["speedup_range"]
    lowest, highest = found["speedup_with_build_range"]
    assert lowest <= least * low
    assert highest >= most
    assert found["error"] == pytest.approx(found["speedup"] / 2 - 1)
    assert found["error_with_build"] == pytest.approx(found["speedup_with_build"] / 2 - 1)
    assert "predicted from the GIL build's trace" in both.summary_text()
    assert "too low" in both.summary_text()
    assert make(make_run("gil")).summary()["prediction"] is None


def test_the_table_shows_both_builds(traced: Run) -> None:
    """A column a build, the verdict, the contended locks and the notices."""
    text = make(traced, make_run("ft"), notices=("mind this",)).summary_text()
    assert "GIL build" in text
    assert "free-threaded build" in text
    assert "3 s ± 1 s" in text
    assert "Faster without the GIL: 3 s with the GIL → 1.5 s without (2.0 × faster, " in text
    assert "dict" in text
    assert "note: mind this" in text


def test_locks_that_threads_only_spun_for(tmp_path: Path) -> None:
    """Such a lock has no waits, but it has a time."""
    builder = TraceBuilder(free_threaded=True, minor=1)
    worker = builder.thread("worker")
    builder.spin(worker, builder.lock("object", type="dict", object=16), 0, 2 * MS, yields=9)
    trace = gilscope.open(builder.write(tmp_path / "ft.gilscope", duration=5 * MS))
    text = make(make_run("ft", trace=trace)).summary_text()
    assert "1 spin   2 ms" in text
    assert "0 waits" not in text


def test_threads_are_matched_over_the_builds(traced: Run, tmp_path: Path) -> None:
    """A group a name without its numbers; the sums are those of the lives of its threads."""
    builder = TraceBuilder(free_threaded=True)
    builder.thread("MainThread", main=True)
    workers = [builder.thread(f"pool-{i}") for i in range(2)]
    mutex, table = builder.lock("native_mutex"), builder.lock("object", type="dict", object=16)
    builder.wait(workers[0], mutex, 1 * MS, 3 * MS)
    builder.wait(workers[1], table, 2 * MS, 6 * MS)
    trace = gilscope.open(builder.write(tmp_path / "ft.gilscope", duration=10 * MS))
    rows = make(traced, make_run("ft", trace=trace)).summary()["activity"]
    groups = {row["threads"]: row["builds"] for row in rows}
    assert list(groups) == ["MainThread", "worker", "pool-#"]
    assert list(groups["MainThread"]) == ["gil", "ft"]
    assert groups["worker"]["gil"]["object_locks_s"] == pytest.approx(0.002)
    pool = groups["pool-#"]["ft"]
    assert pool["count"] == 2
    assert (pool["native_locks_s"], pool["object_locks_s"]) == pytest.approx((0.002, 0.004))
    assert pool["running_s"] == pytest.approx(0.014)
    text = make(traced, make_run("ft", trace=trace)).summary_text()
    assert "waiting for locks of native code" in text


def test_the_times_as_rows() -> None:
    """One a timed run, probe off and on."""
    rows = make(make_run("gil"), make_run("ft", probed_wall_s=())).times()
    assert len(rows) == 3 + 1 + 3
    assert rows[0] == {
        "build": "gil",
        "threads": None,
        "probe": False,
        "repetition": 1,
        "wall_s": 2.0,
    }
    assert [row["wall_s"] for row in rows if row["probe"]] == [3.5]


def test_pandas_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pandas, the error says what to install."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(GilscopeError, match="pip install pandas"):
        make(make_run("gil")).to_pandas()


@pytest.mark.parametrize("function", [lambda: None, Target("code", "").check])
def test_a_function_that_cannot_be_imported(function: Any) -> None:
    """It is refused before anything runs."""
    with pytest.raises(UsageError, match="other interpreters cannot import"):
        gilscope.compare(function)


def test_a_slower_build_is_called_slower() -> None:
    """A factor below one is hard to read."""
    slow, quick = make_run("ft", wall_s=(6.0, 6.0)), make_run("gil", wall_s=(3.0, 3.0))
    assert "2.0 × slower" in make(quick, slow).summary_text()


def test_one_run_of_each_gives_no_verdict() -> None:
    """Neither in words nor in the summary: their times differ by chance as well."""
    compared = make(make_run("gil", wall_s=(3.0,)), make_run("ft", wall_s=(6.0,)))
    assert "slower" not in compared.summary_text()
    assert "one run of each build does not show a difference" in compared.summary_text()
    assert compared.summary()["speedup_shown"] is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (12.345, "12.3 s"),
        (123.4, "123 s"),
        (0.0315, "31.5 ms"),
        (8.15e-6, "8.15 µs"),
        (4e-7, "400 ns"),
    ],
)
def test_durations(value: float, text: str) -> None:
    """Three digits and the unit that fits."""
    assert seconds_text(value) == text


def test_columns_line_up() -> None:
    """Text to the left, numbers to the right."""
    assert grid([["a", "1"], ["long", "23"]]) == ["a       1", "long   23"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"builds": ["gil", "nogil"]}, "unknown build 'nogil'"),
        ({"builds": ["gil", "gil"]}, "each build once"),
        ({"builds": []}, "each build once"),
        ({"repeat": 0}, "1 or more"),
        ({"threads": [0, 1]}, "1 or more"),
        ({"threads": [2, 2]}, "different numbers"),
        ({"max_bytes": 1 << 20}, "a trace is 8388608 to"),
        ({"affinity": [9999]}, "processor 9999 is not available"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    """They are refused before anything runs."""
    with pytest.raises(UsageError, match=message):
        compare_target(Target("code", "pass"), **options)


def test_the_version_is_the_distributions(request: Any) -> None:
    """It stands in two places."""
    project = (request.config.rootpath / "pyproject.toml").read_text(encoding="utf-8")
    assert f'\nversion = "{gilscope.__version__}"\n' in project


def test_times_as_a_frame_of_pandas() -> None:
    """One row a timed run, with the types of its columns."""
    pandas = pytest.importorskip("pandas")
    frame = make(make_run("gil"), make_run("ft")).to_pandas()
    assert list(frame.columns) == ["build", "threads", "probe", "repetition", "wall_s"]
    assert len(frame) == len(make(make_run("gil"), make_run("ft")).times()) > 0
    assert pandas.api.types.is_float_dtype(frame["wall_s"])
    assert frame.groupby("build")["wall_s"].median().keys().tolist() == ["ft", "gil"]


def test_different_versions_are_said() -> None:
    """They may be compared, but who reads that must know."""
    runs = [make_run("gil"), replace(make_run("ft"), python="3.14.1")]
    quiet = Conditions((0,), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.0)
    [notice] = noticed(runs, [], quiet)
    assert notice == ("the builds have different Python versions: 3.13.5 (gil), 3.14.1 (ft)")


@pytest.mark.parametrize("build", ["subinterpreters", "processes"])
def test_a_program_without_our_executor_has_no_alternatives(build: str) -> None:
    """Its run is one of the GIL build, and says so."""
    run = replace(make_run(build), executor={})
    assert "does not use gilscope.executor()" in (run.invalid or "")
    assert make(make_run("gil"), run).speedup_of(build) is None
    assert replace(run, executor={"kind": build}).valid
    assert replace(run, executor=None).valid, "it is not known"


def test_what_went_to_workers_is_shown_only_where_there_are_some() -> None:
    """A table is not longer because the one before it was."""
    facts = ("tasks", "workers", "sent_bytes", "returned_bytes", "shared_bytes")
    sent = dict.fromkeys((*facts, "pickle_ns", "unpickle_ns"), 1)
    worked = replace(make_run("processes"), executor={"kind": "processes", **sent})
    before = make(make_run("gil")).summary_text()
    assert "tasks sent to workers" in make(make_run("gil"), worked).summary_text()
    assert make(make_run("gil")).summary_text() == before
    assert "tasks sent to workers" not in before


def test_nothing_is_predicted_from_a_failed_run(traced: Run) -> None:
    """A deadlock has no speed-up."""
    assert make(traced).prediction is not None
    assert make(replace(traced, error="deadlocked")).prediction is None
