"""Signals that come when a thread is about to wait: their handlers run, and do not wait with it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 240
PYTHONS = [
    pytest.param(os.environ.get("GILSCOPE_PYTHON", sys.executable), id="gil"),
    pytest.param(os.environ.get("GILSCOPE_FT_PYTHON", ""), id="ft"),
]
N = 600
MOST_LOST = 12
"""Some are lost without the probe, too: those that come when Python has looked for the last time.
With a probe that loses them it is one in twenty."""
TRIES = 4
"""On a busy machine a thread may be away from the processor until the second one comes."""

PROGRAM = """
import os, random, signal, threading
class Rings(Exception): pass
def ring(*_):
    if armed: raise Rings
reading, writing = os.pipe()
os.set_blocking(writing, False)
signal.set_wakeup_fd(writing)
signal.signal(signal.SIGALRM, ring)
lock = threading.Lock()
lock.acquire()
lost, armed = 0, False
random.seed(1)
for _ in range({n}):
    try:
        armed = True
        # The second one ends a wait that the first one should have ended.
        signal.setitimer(signal.ITIMER_REAL, random.uniform(5e-6, 60e-6), 0.2)
        lock.acquire()
    except Rings:
        pass
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
    lost += len(os.read(reading, 100)) > 1
print(lost)
"""


@pytest.mark.parametrize("python", PYTHONS)
def test_a_signal_when_a_thread_is_about_to_wait(python: str, tmp_path: Path) -> None:
    """What the probe does before a wait loses no signal."""
    if not python:
        pytest.skip("no interpreter of this build")
    words = ["-m", "gilscope", "run", "-o", "x.gilscope", "-c", PROGRAM.format(n=N)]
    least = N
    for _ in range(TRIES):
        done = subprocess.run(
            [python, *words],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        least = min(least, int(done.stdout))
        if least <= MOST_LOST:
            return
    pytest.fail(f"of {N} signals {least} were lost")
