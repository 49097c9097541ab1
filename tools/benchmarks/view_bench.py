"""What a report of thousands of threads costs a browser: first picture, zoom steps, memory.

Besides the time that passes there is the processor time of the page, which is the same whatever
else the machine does.

Chromium draws as it does for a user whose machine has no GPU. Zoom steps are timed a second time
with a GPU that is emulated in software, as the browser tests have it: nearly all of such a step is
the emulation, which no user has.

A program with so many threads, fifty at work at a time, is recorded under both builds; the
report is loaded by a real Chromium. Takes GILSCOPE_FT_PYTHON for the other build.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, CDPSession, Page

    Figure = tuple[Any, ...]

THREADS = (3000, 10_000)
TARGETS = {"first_picture": 3.0, "zoom_step": 100.0, "zoom_step_cpu": 100.0, "heap": 200.0}
STEPS = 8
FLAGS = ("--no-sandbox", "--enable-precise-memory-info")
EMULATED_GPU = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")
PATIENCE_S = 600
FINDER = Path(__file__).resolve().parents[1] / "chromium.py"
PROGRAM = """
import sys, threading, time

lock = threading.Lock()
slots = threading.Semaphore(50)

def f():
    with slots:
        for _ in range(3):
            with lock:
                sum(range(500))
            time.sleep(0.002)
            sum(range(2000))

threading.stack_size(128 * 1024)
threads = [threading.Thread(target=f) for _ in range(int(sys.argv[1]))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
READY = "() => [...document.querySelectorAll('section.gilscope')].every((one) => one.dataset.drawn)"
# From the change of the range to the next frame, ms; without the pause in which others may follow.
ZOOM = """async (factor) => {
  const view = document.querySelector("section.gilscope").gilscope
  const begin = performance.now()
  view.axis.zoom(factor)
  view.drawing.fit_page()
  view.drawing.draw()
  clearTimeout(view.redraw_timer)
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)))
  return performance.now() - begin
}"""
HEIGHT = """() => document.querySelector("section.gilscope").gilscope.painters
  .reduce((sum, { figure }) => sum + figure.frame_height, 0)"""


class Round(NamedTuple):
    """What one load of a report took.

    Attributes:
        first: Seconds to the first picture.
        first_cpu: Of these, on a processor.
        zooms: Of each step, ms: time that passed, time on a processor.
        heap: Memory of the page's scripts, MB.
        height: Of all lanes, pixels.
    """

    first: float
    first_cpu: float
    zooms: list[tuple[float, float]]
    heap: float
    height: float


def rows(rounds: int) -> Iterator[Figure]:
    """Measure, and yield (name, values, unit, target) of each figure; none without Chromium."""
    found = subprocess.run(
        [sys.executable, str(FINDER), "--find"], capture_output=True, text=True, check=False
    )
    if found.returncode:
        print(f"bench: view left out: {found.stderr.strip()}", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as folder:
        for threads in THREADS:
            report = record(threads, Path(folder))
            figures = measure(report, found.stdout.strip(), min(rounds, 3))
            for name, (values, unit) in figures.items():
                target = TARGETS.get(name) if threads == THREADS[0] else None
                yield f"view.threads_{threads}.{name}", values, unit, target


def record(threads: int, folder: Path) -> Path:
    """Run the program under both builds; its report."""
    program, report = folder / "many.py", folder / f"{threads}.html"
    program.write_text(PROGRAM, encoding="utf-8")
    builds = "gil,ft" if os.environ.get("GILSCOPE_FT_PYTHON") else "gil"
    command = [sys.executable, "-m", "gilscope", "compare", "--builds", builds, "--repeat", "1"]
    command += ["--html", str(report), str(program), str(threads)]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, timeout=PATIENCE_S)
    return report


def measure(report: Path, chromium: str, rounds: int) -> dict[str, tuple[list[float], str]]:
    """Load a report in new browsers, without a GPU and with an emulated one by turns."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only the tests have it

    plain: list[Round] = []
    emulated: list[Round] = []
    with sync_playwright() as playwright:
        for _ in range(rounds):
            for found, flags in ((plain, FLAGS), (emulated, (*FLAGS, *EMULATED_GPU))):
                browser = playwright.chromium.launch(executable_path=chromium, args=flags)
                found.append(one_round(browser, report))
                browser.close()
    zooms = [step for one in plain for step in one.zooms]
    return {
        "first_picture": ([one.first for one in plain], "s"),
        "first_picture_cpu": ([one.first_cpu for one in plain], "s"),
        "zoom_step": ([wall for wall, _ in zooms], "ms"),
        "zoom_step_cpu": ([cpu for _, cpu in zooms], "ms"),
        "worst_zoom_step": ([max(wall for wall, _ in zooms)], "ms"),
        "zoom_step_emulated_gpu": ([wall for one in emulated for wall, _ in one.zooms], "ms"),
        "heap": ([max(one.heap for one in plain)], "MB"),
        "height": ([one.height for one in plain], "px"),
    }


def one_round(browser: Browser, report: Path) -> Round:
    """Load a report, and zoom in and out."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    begin = time.perf_counter()
    page.goto(report.as_uri())
    page.wait_for_function(READY)
    first, first_cpu = time.perf_counter() - begin, processor_time(session)
    page.wait_for_timeout(1000)  # ms; until tables are there
    before = heap(page)
    zooms = [zoom(page, session, factor) for factor in [0.6] * STEPS + [1.8] * STEPS]
    return Round(first, first_cpu, zooms, max(before, heap(page)), page.evaluate(HEIGHT))


def zoom(page: Page, session: CDPSession, factor: float) -> tuple[float, float]:
    """Return how long one step took, and the processor time of the page, ms."""
    before = processor_time(session)
    wall: float = page.evaluate(ZOOM, factor)
    return wall, 1e3 * (processor_time(session) - before)


def processor_time(session: CDPSession) -> float:
    """Return the processor time of the page since it was opened, s."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(float(one["value"]) for one in metrics if one["name"] == "TaskDuration")


def heap(page: Page) -> float:
    """Memory of the page's scripts, with what nobody has thrown away yet, MB."""
    used: float = page.evaluate("performance.memory.usedJSHeapSize / 1e6")
    return used
