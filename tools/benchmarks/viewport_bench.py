"""What a view of ten million intervals costs: the index, a viewport, the first picture, a report.

Made-up threads that compute, wait for the GIL and hold it, as threads of a real program do.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope.analysis.states.time_index import Index
from gilscope.results.model import ComparisonData, Run
from gilscope.trace.format import Event
from gilscope.trace.model import COLUMN_TYPES, Intervals, Locks, Thread, Trace, TraceEvents
from gilscope.view.html.report import write_report
from gilscope.view.notebook.widget import TimelineWidget

if TYPE_CHECKING:
    from collections.abc import Callable

    Figure = tuple[Any, ...]

INTERVALS = 10_000_000
THREADS = 16
COLUMNS = 1000
FINDER = Path(__file__).resolve().parents[1] / "chromium.py"
DRAWN = "() => [...document.querySelectorAll('section.gilscope')].every((one) => one.dataset.drawn)"


def rows(rounds: int) -> list[Figure]:
    """Measure, and return (name, values of all rounds, unit, target) of each figure."""
    rounds = min(rounds, 5)
    trace = long_trace(INTERVALS, free_threaded=False)
    index = Index(trace)
    index.cells(0, trace.duration_ns, coded=True)
    size = sum(getattr(trace.intervals, name).nbytes for name in COLUMN_TYPES)
    views = [timed(view, index, *stretch) for stretch in stretches(trace) for _ in range(rounds)]
    halves = [long_trace(INTERVALS // 2, free_threaded=ft) for ft in (False, True)]
    return [
        ("viewport.index", [timed(Index, trace) for _ in range(rounds)], "ms", 1000),
        ("viewport.view", views, "ms", 30),
        ("viewport.worst_view", [max(views)], "ms", 30),
        ("viewport.memory", [index.nbytes / size], "x", 2),
        (
            "viewport.first_picture",
            [timed(first_picture, trace) for _ in range(rounds)],
            "ms",
            2000,
        ),
        *report_rows(halves),
    ]


def long_trace(count: int, *, free_threaded: bool) -> Trace:
    """Return a trace of ``count`` intervals, without a file."""
    chance = np.random.default_rng(count + free_threaded)
    each = count // THREADS // 2
    lanes = []
    for _ in range(THREADS):
        gap, wait, hold = (chance.integers(50, most, each) for most in (4000, 3000, 2000))
        end = np.cumsum(gap + wait + hold)
        lanes.append((end - hold - wait, wait, end - hold, hold))
    total = 2 * each * THREADS
    columns = {name: np.zeros(total, kind) for name, kind in COLUMN_TYPES.items()}
    columns["kind"][0::2], columns["kind"][1::2] = Event.GIL_WAIT, Event.GIL_HOLD
    columns["thread"][:] = np.repeat(np.arange(1, THREADS + 1), 2 * each)
    columns["start"][:] = np.concatenate([np.stack(lane[::2], 1).ravel() for lane in lanes])
    columns["duration"][:] = np.concatenate([np.stack(lane[1::2], 1).ravel() for lane in lanes])
    waits = columns["kind"] == Event.GIL_WAIT
    columns["peer"][waits] = chance.integers(1, THREADS + 1, np.count_nonzero(waits))
    order = np.argsort(columns["start"], kind="stable")
    intervals = Intervals.of(**{name: column[order] for name, column in columns.items()})
    end = int(intervals.end.max())
    threads = [Thread(n, f"worker {n}", tid=n, end_ns=end) for n in range(1, THREADS + 1)]
    events = TraceEvents(
        duration_ns=end, threads=tuple(threads), intervals=intervals, wakes=Intervals.empty()
    )
    return Trace(
        load=lambda: events, path=Path("long"), build="ft" if free_threaded else "gil",
        python="3.13.5",
        free_threaded=free_threaded, gil_enabled_start=not free_threaded,
        gil_enabled_end=not free_threaded, pid=1, argv=(), executable="", start_monotonic_ns=0,
        start_realtime_ns=0, ended_early=False, end_reason="stop", load_locks=Locks,
        dropped_events=0, not_measured={}, probe_cost_ns=None,
    )  # fmt: skip


def timed(function: Callable[..., object], *args: object) -> float:
    """Return how long a call took, ms."""
    start = time.perf_counter()
    function(*args)
    return 1e3 * (time.perf_counter() - start)


def stretches(trace: Trace) -> list[tuple[int, float]]:
    """Return stretches of time from the whole trace down to a ten-thousandth of it."""
    return [
        (int(0.3 * trace.duration_ns * (1 - share)), share * trace.duration_ns)
        for share in (1.0, 0.3, 0.01, 0.0001)
    ]


def view(index: Index, start: int, length: float) -> None:
    """Compute what a page draws of a stretch."""
    edges = np.linspace(start, start + length, COLUMNS + 1).astype(np.int64)
    for lane in range(THREADS):
        index.times(lane, edges)


def comparison_of(*traces: Trace) -> ComparisonData:
    """Return a comparison whose programs nobody has timed."""
    runs = [
        Run(trace.build, trace.python, "python", trace.free_threaded, None, None, None, (), (),
            trace.path, trace, 0)
        for trace in traces
    ]  # fmt: skip
    return ComparisonData("long", (), tuple(runs))


def first_picture(trace: Trace) -> None:
    """Prepare what a notebook is sent first: the static view, then the live one."""
    widget = TimelineWidget(comparison_of(trace))
    widget.static_html()
    widget._view({})  # noqa: SLF001 - what a page is answered first


def report_rows(traces: list[Trace]) -> list[Figure]:
    """Write a report of both builds; have it loaded by Chromium, where there is one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        written = timed(write_report, [comparison_of(*traces)], path)
        rows = [
            ("report.write", [written], "ms"),
            ("report.size", [path.stat().st_size], "bytes", 5_000_000),
        ]
        found = subprocess.run(
            [sys.executable, str(FINDER), "--find"], capture_output=True, text=True, check=False
        )
        if found.returncode == 0:
            rows.append(("report.load", loads(path, found.stdout.strip()), "ms"))
        return rows


def loads(path: Path, chromium: str) -> list[float]:
    """Return how long it takes from the address to the drawn timelines, ms, three times."""
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only the tests have it
    except ImportError:
        return []
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_page()

        def load() -> None:
            page.goto(path.as_uri())
            page.wait_for_function(DRAWN)

        result = [timed(load) for _ in range(3)]
        browser.close()
    return result
