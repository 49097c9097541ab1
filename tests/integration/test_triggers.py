"""Rings are written down by themselves: on long waits for a GIL, a lock, a pause, and on hangs."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

import gilscope
from gilscope.analysis.findings import find
from gilscope.cli import main
from gilscope.severity import Severity
from hang_programs import BUILDS, REPORT_S, TARGETS, reported, running

if TYPE_CHECKING:
    from pathlib import Path

WAIT = "long-wait"

# In each, something lasts for 0.4 s, five times.
GIL_WAIT = """
import ctypes, threading, time
threading.Thread(target=lambda: [time.sleep(0.01) for _ in range(300)], daemon=True).start()
for _ in range(5):
    ctypes.PyDLL(None).usleep(400_000)
    time.sleep(0.05)
"""
LOCK_WAIT = """
import threading, time
lock = threading.Lock()
def holder():
    for _ in range(5):
        with lock:
            time.sleep(0.4)
        time.sleep(0.05)
thread = threading.Thread(target=holder)
thread.start()
time.sleep(0.1)
while thread.is_alive():
    with lock:
        pass
    time.sleep(0.01)
"""
PAUSE = """
import ctypes, gc, threading, time
def collect():
    for _ in range(60):
        gc.collect()
        time.sleep(0.05)
threading.Thread(target=collect, daemon=True).start()
for _ in range(5):
    time.sleep(0.05)
    ctypes.PyDLL(None).usleep(400_000)
"""

pytestmark = pytest.mark.skipif(
    "GILSCOPE_FT_PYTHON" not in os.environ, reason="no interpreters: run `make test`"
)


def written(build: str, folder: Path, code: str, when: str) -> str:
    """Run a program to its end; return what was said, and check the one snapshot."""
    done = subprocess.run(
        [
            *(os.environ[BUILDS[build]], "-m", "gilscope", "run", "--ring", "--when", when),
            *("-o", "t.gilscope", "-c", code),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=2 * REPORT_S,
        check=True,
    )
    # Once in ten seconds, however often it happens.
    assert done.stderr.count("a snapshot is written") == 1, done.stderr
    assert gilscope.open(folder / "t.1.gilscope").end_reason == "snapshot"
    assert not (folder / "t.2.gilscope").exists()
    return done.stderr


@pytest.mark.parametrize(
    ("build", "code", "when"),
    [
        ("gil", GIL_WAIT, "gil_wait > 50 ms"),
        ("gil", LOCK_WAIT, "lock_wait > 50 ms"),
        ("ft", LOCK_WAIT, "lock_wait > 50 ms"),
        ("ft", PAUSE, "pause > 50 ms"),
    ],
    ids=["gil_wait", "lock_wait-gil", "lock_wait-ft", "pause"],
)
def test_a_long_wait_writes_the_ring_down(build: str, code: str, when: str, tmp_path: Path) -> None:
    """Beside the trace, while the program goes on."""
    said = written(build, tmp_path, code, when)
    assert f"{when.split(maxsplit=1)[0]} > 0.05 s" in said


STORE = """
import threading, time

class Store:
    def __init__(self):
        self.lock = threading.Lock()

    def save(self):
        with self.lock:
            time.sleep(3)

    def load(self):
        with self.lock:
            pass

store = Store()
threading.Thread(target=store.save, name="writer").start()
time.sleep(0.1)
threading.Thread(target=store.load, name="reader").start()
"""


@pytest.mark.parametrize("build", BUILDS)
def test_a_long_wait_for_a_lock_is_a_finding(build: str, tmp_path: Path) -> None:
    """Who waited for how long, for what, and who had it: one such wait is enough."""
    written(build, tmp_path, STORE, "lock_wait > 200 ms")
    (found,) = (one for one in find(gilscope.open(tmp_path / "t.1.gilscope")) if one.name == WAIT)
    wait = "reader (<string>:13) waits for threading.Lock `Store.lock`, held by writer: for "
    assert re.match(re.escape(wait) + r"\d+ ms or longer", found.title), found.title
    assert found.severity is Severity.MEDIUM
    assert any(
        line.startswith("writer (<string>:10) holds threading.Lock `Store.lock` and")
        for line in found.evidence
    )
    jump = found.intervals[0]
    assert gilscope.open(tmp_path / "t.1.gilscope").thread_name(jump.thread) == "reader"
    assert jump.end_ns - jump.start_ns >= 200_000_000
    # It is in the snapshot alone, so a folder shows both.
    assert main(["findings", "--fail-on", "medium", str(tmp_path)]) == 1


IDLE = """
import queue, threading, time
from concurrent.futures import ThreadPoolExecutor

work, condition, event = queue.Queue(), threading.Condition(), threading.Event()

def waits_for_condition():
    with condition:
        condition.wait(2)

for wait in (lambda: work.get(), waits_for_condition, event.wait):
    threading.Thread(target=wait, daemon=True).start()
with ThreadPoolExecutor(1) as pool:
    pool.submit(int).result()
    time.sleep(1.5)
"""


def said(place: Path, build: str, when: str, source: str) -> str:
    """Record a program with a ring and a condition; return what was said as errors."""
    python = os.environ[BUILDS[build]]
    options = ["--ring", "--when", when, "-o", "t.gilscope"]
    done = subprocess.run(
        [python, "-m", "gilscope", "run", *options, "-c", source],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=2 * REPORT_S,
        check=True,
    )
    return done.stderr


@pytest.mark.parametrize("build", BUILDS)
def test_threads_that_have_nothing_to_do_hold_nobody_up(build: str, tmp_path: Path) -> None:
    """A server's idle workers are no reason for a snapshot, however long they wait."""
    assert "a snapshot is written" not in said(tmp_path, build, "lock_wait > 100 ms", IDLE)
    assert [one.name for one in tmp_path.iterdir()] == ["t.gilscope"]


def test_a_pause_is_no_wait_for_a_lock(tmp_path: Path) -> None:
    """Each condition has one meaning."""
    assert "a snapshot is written" not in said(tmp_path, "ft", "lock_wait > 150 ms", PAUSE)


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("program", ["event", "mutex"])
def test_a_hang_writes_the_ring_down(build: str, program: str, tmp_path: Path) -> None:
    """Also where no thread can have the GIL; the copy has the report."""
    if (build, program) == ("ft", "mutex"):
        pytest.skip("it does not hang without the GIL")
    words = [str(TARGETS / "hung.py"), program]
    options = ["--ring", "--when=hang"]
    with running(build, [*options, *words], tmp_path) as (process, errors):
        reported(process, errors)
        target = tmp_path / "t.hang1.gilscope"
        while "is written" not in errors.read_text():
            assert process.poll() is None
        trace = gilscope.open(target)
    assert next(one.name for one in find(trace)) == "deadlock"
    assert len(trace.intervals)
