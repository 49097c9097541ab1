"""What is drawn over the lanes of a report: arrows of long waits, hatched callbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gilscope.presentation import Comparison
from gilscope.trace.reading.reader import read
from gilscope.view.html.report import write_report
from trace_builder import TraceBuilder
from view_examples import run_of

if TYPE_CHECKING:
    from pathlib import Path

READY = '() => document.querySelector("#view-1")?.dataset.drawn'
VIEW = 'document.querySelector("#view-1").gilscope'
ARROWS = f"() => ({{ ...{VIEW}.painters[0].arrows.data }})"
MS = 1_000_000


def opened(page: Any, folder: Path) -> None:
    """Open a report of a thread that waits for the GIL to get into Python, for 3 ms of 10 ms."""
    builder = TraceBuilder()
    main = builder.thread("MainThread", main=True)
    worker = builder.thread("worker", native=True)
    entry = builder.entry(builder.site(builder.module("/lib/app.so"), 0x10, "App::call"))
    called = builder.callable(name="tick", module="app")
    builder.hold(main, 0, 5 * MS)
    builder.gil_wait(worker, 2 * MS, 5 * MS, peer=main)
    builder.hold(worker, 5 * MS, 6 * MS)
    builder.callback(worker, 2 * MS, 6 * MS, entry=entry, callable=called, enter=3 * MS)
    builder.ticks(10 * MS)
    run = run_of("gil", read(builder.write(folder / "x.gilscope")))
    write_report([Comparison("waits", ("x",), (run,))], folder / "r.html", "waits")
    page.goto((folder / "r.html").as_uri())
    page.wait_for_function(READY)


def test_an_arrow_leads_from_a_long_wait_to_the_holder(
    page: Any, tmp_path: Path, console_errors: list[str]
) -> None:
    """It gives way to the line of what is chosen, and comes back."""
    opened(page, tmp_path)
    arrow = page.evaluate(ARROWS)
    assert (arrow["x0"], arrow["y0"], arrow["y1"]) == ([2], [1.5], [2.5])
    page.evaluate(f"() => {VIEW}.finder.choose_longest({VIEW}.timelines[0], 1)")
    assert page.evaluate(ARROWS)["x0"] == []
    page.evaluate(f"() => {VIEW}.chooser.clear()")
    assert page.evaluate(ARROWS) == arrow
    assert console_errors == []


def test_the_wait_to_get_into_python_is_hatched(page: Any, tmp_path: Path) -> None:
    """It is told apart from the time in Python, in the picture and by the pointer."""
    opened(page, tmp_path)
    hatched = page.evaluate(f"() => ({{ ...{VIEW}.painters[0].entries.data }})")
    assert (hatched["left"], hatched["right"]) == ([2], [pytest.approx(5, abs=0.01)])
    told = page.evaluate(f"""() => [3, 5.5].map((ms) => {{
      const view = {VIEW}, [timeline] = view.timelines
      const lane = timeline.others().at(-1), time = 1e6 * ms, segments = timeline.all
      view.pointer.tell({{ timeline, lane, time, segments, row: segments.at(lane, time) }})
      return view.find("tip").textContent.split(",")[0]
    }})""")
    assert told == [
        "callback waits to get into Python: 3 msapp.tick",
        "callback into Python: 1 msapp.tick",
    ]
