"""A cell that runs again and again leaves nothing behind, in the kernel or in the page."""

from __future__ import annotations

import os
from ast import literal_eval
from typing import TYPE_CHECKING, Any

import pytest
from front_ends import LIVE, opened, run_cell, run_first

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNS = int(os.environ.get("GILSCOPE_RERUNS", "5"))

pytestmark = pytest.mark.timeout(300 + 60 * RUNS)

CODE = """\
%%profile_threads --builds gil --repeat 1 -o result
import threading

threads = [threading.Thread(target=sum, args=[range(100_000)]) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
COUNT = """\
import comm, ipywidgets
there = len(ipywidgets.widgets.widget._instances), len(comm.get_comm_manager().comms)
counts = [*counts, there] if "counts" in globals() else [there]
print(f"counted {len(counts)}: {counts}")
"""
PLAIN = "'plain'"
NOTEBOOKS = {"reruns": ("%load_ext gilscope", CODE, COUNT, PLAIN)}

SLACK = 3  # MB; a view that stays has 4

# Whether there is a view that was not there before; all that there were are remembered weakly.
ANOTHER = f"""() => {{
  const view = document.querySelector('{LIVE}')?.gilscope
  window.views ??= []
  if (!view || window.views.some((one) => one.deref() === view)) return false
  window.views.push(new WeakRef(view))
  return true
}}"""
ALIVE = "() => window.views.filter((one) => one.deref()).length"


@pytest.fixture(scope="module")
def runs(browser: Any, server: dict[str, Any], errors: list[str]) -> Iterator[dict[str, Any]]:
    """Run the cell several times; what there is then, and the page's own growth by plain cells."""
    page = opened(browser, server, "reruns", errors)
    tools = page.context.new_cdp_session(page)
    for number in range(4):
        run_first(page, number)
    page.wait_for_function(ANOTHER)
    heaps, views = [], []
    for number in range(RUNS):
        run_cell(page, "%%profile_threads")
        page.wait_for_function(ANOTHER)
        counted = run_cell(page, "import comm").get_by_text(f"counted {number + 2}: ")
        counted.wait_for()
        page.wait_for_timeout(300)  # the page hears of what was closed
        heaps.append(heap(tools))
        views.append(page.evaluate(ALIVE))
    counts = counted.inner_text().partition(": ")[2]
    for _ in range(RUNS):
        run_cell(page, PLAIN)
        page.wait_for_timeout(300)
    yield {"heaps": heaps, "views": views, "counts": counts, "plain": heap(tools) - heaps[-1]}
    page.context.close()


def heap(tools: Any) -> float:
    """Return what the page's scripts hold once all is collected, in MB."""
    for _ in range(2):
        tools.send("HeapProfiler.collectGarbage")
    return float(tools.send("Runtime.getHeapUsage")["usedSize"]) / 1e6


def test_the_kernel_has_as_many_widgets_as_after_the_first_run(runs: dict[str, Any]) -> None:
    """What a run shows replaces what the run before showed: widgets, layouts, comms.

    On a busy machine a run has a remark more than another: that is no growth by the run.
    """
    counts = literal_eval(runs["counts"])
    assert len(counts) == RUNS + 1
    assert all(widgets == comms > 0 for widgets, comms in counts)
    widgets = [number for number, _ in counts]
    assert max(widgets) < widgets[0] + RUNS


def test_the_page_forgets_the_views_of_earlier_runs(runs: dict[str, Any]) -> None:
    """One view is alive; the heap grows as plain cells make it grow, two of them a run."""
    assert runs["views"] == [1] * RUNS
    grown = runs["heaps"][-1] - runs["heaps"][1]
    assert grown < 2 * runs["plain"] + SLACK


def test_no_run_leaves_an_error_on_the_console(runs: dict[str, Any], errors: list[str]) -> None:
    """Views end without a complaint, and cleaning up succeeds."""
    assert runs["views"]
    assert errors == []
