#!/usr/bin/env python3
"""Takes a picture of each state that a report can be in, from real runs, for people to look at.

    .venv/bin/python tools/states.py [--out out/states] [--only NAME …]

Runs small programs under both builds and opens their reports in Chromium. What saved notebooks look
like is in out/screens, where tests/browser puts it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.view_bench import PROGRAM as MANY
from pictures import FLAGS
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
WIDTH, HEIGHT = 1280, 1000
READY = "() => [...document.querySelectorAll('section.gilscope')].every((one) => one.dataset.drawn)"
SETTLED_MS = 800  # until tables are there and nothing is drawn any more

THREADS = """
threads = [threading.Thread(target=work, name=f"worker {n}") for n in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
FASTER = f"""
import threading

def work():
    for _ in range(120):
        sum(n * n for n in range(20_000))
{THREADS}"""
SLOWER = f"""
import threading

lock, table = threading.Lock(), {{}}

def work():
    for n in range(100_000):
        with lock:
            table[n % 100] = n
{THREADS}"""
SAME = f"""
import threading, time

def work():
    for _ in range(10):
        time.sleep(0.02)
{THREADS}"""
FAILED = f"""
import sys, threading

def work():
    sum(range(2_000_000))
{THREADS}
if not sys._is_gil_enabled():
    raise RuntimeError("this program needs the GIL")
"""
HELD = f"""
import threading, time

lock = threading.Lock()

def work():
    for _ in range(12):
        with lock:
            time.sleep(0.004)
        sum(range(200_000))
{THREADS}"""
HERE = f"""
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "gilscope")
shell.run_cell_magic("profile_threads", "--here -D here.html", {FASTER!r})
"""


@dataclass(frozen=True)
class Program:
    """What is run for a report.

    Attributes:
        source: Of the program.
        options: Of `gilscope compare`.
        arguments: Of the program.
    """

    source: str
    options: tuple[str, ...] = ("--repeat", "5")
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class State:
    """One picture.

    Attributes:
        report: A key of `PROGRAMS`, or "here".
        clicks: What is clicked before, by selector, one after the other.
        size: Of the window, pixels.
        dark: The reader's system is dark.
        paper: As it is printed.
    """

    report: str
    clicks: tuple[str, ...] = ()
    size: tuple[int, int] = (WIDTH, HEIGHT)
    dark: bool = False
    paper: bool = False


ONCE = ("--repeat", "1")
PROGRAMS = {
    "faster": Program(FASTER),
    "slower": Program(SLOWER),
    "same": Program(SAME),
    "failed": Program(FAILED),
    "single": Program(SLOWER, ONCE),
    "held": Program(HELD),
    "many": Program(MANY, ONCE, ("3000",)),
}
FIRST_FINDING = "[data-tab=findings]", "[data-finding]"
SECOND_THREAD = "[data-tab=threads]", "[data-lane] >> nth=1"
STATES = {
    "faster": State("faster"),
    "slower": State("slower"),
    "no-difference": State("same"),
    "failed-arm": State("failed"),
    "single-run": State("single"),
    "here": State("here"),
    "many-folded": State("many"),
    "many-unfolded": State("many", (".names button",)),
    "finding": State("held", FIRST_FINDING),
    "wait": State("faster", SECOND_THREAD),
    "paper": State("held", paper=True, size=(760, HEIGHT)),
    "dark": State("faster", SECOND_THREAD, dark=True),
    "narrow": State("held", size=(600, HEIGHT)),
    "4k": State("held", size=(3840, 2160)),
}


@cache
def report_of(name: str, folder: Path) -> Path:
    """Run a program, once for all pictures of its report; return the report."""
    report = folder / f"{name}.html"
    report.unlink(missing_ok=True)
    print(f"states: running {name}", file=sys.stderr, flush=True)
    command = [sys.executable, "-c", HERE]
    if name != "here":
        program = PROGRAMS[name]
        script = folder / f"{name}.py"
        script.write_text(program.source, encoding="utf-8")
        command = [sys.executable, "-m", "gilscope", "compare", *program.options]
        command += ["--html", report.name, script.name, *program.arguments]
    # One of them fails under a build: that is what it shows.
    done = subprocess.run(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if not report.is_file():
        raise SystemExit(f"states: {name} left no report: {done.stdout}")
    return report


def take(browser: Any, state: State, report: Path, place: Path) -> None:
    """Open a report, do what a reader does, and take the picture of all of it."""
    scheme = "dark" if state.dark else "light"
    width, height = state.size
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    page.goto(report.resolve().as_uri())
    page.wait_for_function(READY, timeout=60_000)
    page.wait_for_timeout(SETTLED_MS)
    for selector in state.clicks:
        page.locator(f"#view-1 {selector}").first.click()
        page.wait_for_timeout(SETTLED_MS)
    if state.paper:
        page.emulate_media(media="print")
        page.pdf(path=place.with_suffix(".pdf"), print_background=True)
    page.screenshot(path=place, full_page=True)
    page.close()


def take_all(names: Sequence[str], out: Path, chromium: str) -> None:
    """Take the pictures with these names."""
    out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for name in names:
            state = STATES[name]
            take(browser, state, report_of(state.report, out), out / f"{name}.png")
            print(out / f"{name}.png", flush=True)
        browser.close()


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "states")
    parser.add_argument("--only", nargs="+", choices=list(STATES), default=list(STATES))
    chosen = parser.parse_args()
    found = subprocess.run(
        [sys.executable, ROOT / "tools" / "chromium.py"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if found.returncode == 0:
        take_all(chosen.only, chosen.out, found.stdout.strip())
    return found.returncode


if __name__ == "__main__":
    sys.exit(main())
