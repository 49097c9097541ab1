"""Ctrl-C while a comparison runs: the workers end, what there is is shown, its traces are kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

import gilscope

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT_S = 120
PROGRAM = """
import os, sys, time
print("first", flush=True)
for name in sys.argv[1:]:
    if not os.path.exists(name):
        open(name, "w").close()
        break
if os.path.exists("second"):
    time.sleep(1000)
"""


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str, str]:
    """Interrupt the second run of a program, which would take an hour: its place and its end."""
    place = tmp_path_factory.mktemp("interrupted")
    (place / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "gilscope", "compare", "--builds", "gil", "-o", "traces"]
    with subprocess.Popen(
        [*command, "program.py", "first", "second"],
        cwd=place,
        env={**os.environ, "GILSCOPE_PYTHON": sys.executable},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + TIMEOUT_S
        while not (place / "second").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT_S)
    return place, process.returncode, out, err


def test_the_status_is_that_of_an_interrupt(interrupted: tuple[Path, int, str, str]) -> None:
    """After one line, without a traceback of ours."""
    _, status, _, err = interrupted
    assert status == 130
    assert err.splitlines()[-1] == "gilscope: interrupted"
    assert "Traceback" not in err


def test_what_there_was_is_shown(interrupted: tuple[Path, int, str, str]) -> None:
    """With a note that there would have been more."""
    out = interrupted[2]
    assert "note: Interrupted: partial results from the runs completed so far" in out
    assert "threads" in out


def test_the_trace_is_kept(interrupted: tuple[Path, int, str, str]) -> None:
    """That of the run before, which was complete; nothing else is left."""
    traces = interrupted[0] / "traces"
    assert [path.name for path in traces.iterdir()] == ["program-gil.gilscope"]
    assert not gilscope.open(traces / "program-gil.gilscope").ended_early
