"""Python 3.14 and later take the agent in by sys.remote_exec(): no import in the program.

The commands run in the program's own interpreter: in a chroot there is no other one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

import gilscope
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = """
import os, sys, threading, time
stop = threading.Event()
def work():
    while not stop.is_set():
        sum(range(20_000))
        time.sleep(0.001)
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
threading.Thread(target=lambda: (sys.stdin.readline(), stop.set())).start()
print(os.getpid(), flush=True)
# What is to be executed, the main thread executes, when it runs Python code.
while not stop.is_set():
    time.sleep(0.01)
"""
AS_NOBODY = """
import os, runpy, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
runpy.run_module("gilscope", run_name="__main__", alter_sys=True)
"""
REMOTE_AS_NOBODY = """
import os, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try: sys.remote_exec(int(sys.argv[1]), "/etc/passwd")
except PermissionError: print("refused")
"""


def _version() -> tuple[int, ...]:
    python = os.environ.get("GILSCOPE_PYTHON")
    if not python:
        return ()
    code = "import sys; print(*sys.version_info[:2])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return tuple(map(int, done.stdout.split()))


pytestmark = pytest.mark.skipif(_version() < (3, 14), reason="sys.remote_exec() is in 3.14")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="takes root to be another user")


@contextmanager
def program() -> Iterator[int]:
    """Run the program; yield its process id. It has to go on to its own end."""
    with subprocess.Popen(
        [os.environ["GILSCOPE_PYTHON"], "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
            process.communicate("\n", timeout=60)
            assert process.returncode == 0
        finally:
            process.kill()


def command(*words: object, code: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command of gilscope's, or code, in the interpreter under test."""
    begin = ["-c", code] if code else ["-m", "gilscope"]
    return subprocess.run(
        [os.environ["GILSCOPE_PYTHON"], *begin, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_program_that_knows_nothing_of_gilscope_is_recorded(tmp_path: Path) -> None:
    """For some seconds, twice; it goes on."""
    with program() as pid:
        for name in ("a.gilscope", "b.gilscope"):
            done = command("attach", pid, "--seconds", "1", "-o", tmp_path / name)
            assert done.returncode == 0, done.stderr
    for name in ("a.gilscope", "b.gilscope"):
        trace = gilscope.open(tmp_path / name)
        assert (trace.pid, trace.ended_early) == (pid, False)
        assert len(trace.intervals.where(Event.GIL_HOLD)) > 10


def test_a_snapshot_while_it_is_recorded(tmp_path: Path) -> None:
    """The recording goes on, and ends with its command."""
    with program() as pid:
        words = [os.environ["GILSCOPE_PYTHON"], "-m", "gilscope", "attach", str(pid)]
        with subprocess.Popen(
            [*words, "-o", tmp_path / "t.gilscope"], stderr=subprocess.PIPE, text=True
        ) as recording:
            assert recording.stderr is not None
            assert "recording process" in recording.stderr.readline()
            time.sleep(0.5)
            done = command("snapshot", pid, "-o", tmp_path / "s.gilscope")
            assert done.returncode == 0, done.stderr
            recording.send_signal(signal.SIGINT)
            assert recording.wait(60) == 0
    assert gilscope.open(tmp_path / "s.gilscope").end_reason == "snapshot"
    assert not gilscope.open(tmp_path / "t.gilscope").ended_early


def test_a_main_thread_that_waits_is_told(tmp_path: Path) -> None:
    """It runs no Python code, and so takes nothing in."""
    python = os.environ["GILSCOPE_PYTHON"]
    code = "import os; print(os.getpid(), flush=True); input()"
    with subprocess.Popen(
        [python, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        done = command("attach", pid, "-o", tmp_path / "t.gilscope")
        _, errors = process.communicate("\n")
        # What it was asked to execute is still there.
        assert (process.returncode, errors) == (0, "")
    assert done.returncode == 2
    assert f"the main thread of process {pid} has run no Python code" in done.stderr
    assert "import gilscope.agent" in done.stderr  # what to do


@as_root
def test_another_user_cannot_attach(tmp_path: Path) -> None:
    """Neither by the command, in one line, nor by what it uses."""
    with program() as pid:
        done = command("attach", pid, "-o", tmp_path / "t.gilscope", code=AS_NOBODY)
        assert done.stderr.count("\n") == 1, done.stderr
        assert f"process {pid} belongs to the user root" in done.stderr
        assert command(pid, code=REMOTE_AS_NOBODY).stdout == "refused\n"
        # Nor where its owner has brought the agent in already.
        assert (
            command("attach", pid, "--seconds", "0.1", "-o", tmp_path / "a.gilscope").returncode
            == 0
        )
        done = command("attach", pid, "-o", tmp_path / "t.gilscope", code=AS_NOBODY)
        assert f"process {pid} belongs to the user root" in done.stderr
