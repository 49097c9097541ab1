"""How often the threads of a process change on the processors."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from gilscope.target.sharing.switches import EACH_S, Switches
from gilscope.trace.reading.shared_memory import not_sampled

TURNS = """
import os, threading
(a, b), (c, d) = os.pipe(), os.pipe()
def answer():
    while os.read(a, 1):
        os.write(d, b"x")
threading.Thread(target=answer, daemon=True).start()
print("ready", flush=True)
while True:
    os.write(b, b"x")
    os.read(c, 1)
"""
ASLEEP = """
import time
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(("program", "often"), [(TURNS, True), (ASLEEP, False)])
def test_threads_that_change(program: str, often: bool) -> None:  # noqa: FBT001 - a parameter
    """Threads that answer each other change often; one that sleeps does not."""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            switches = Switches(process.pid)
            said = []
            for _ in range(6):
                time.sleep(EACH_S)
                said.append(switches.often())
            assert any(said) == often
        finally:
            process.kill()


def test_a_process_that_has_ended() -> None:
    """It has no threads, and they do not change."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    switches = Switches(process.pid)
    time.sleep(EACH_S)
    assert not switches.often()


@pytest.mark.parametrize("text", [None, "x", -1, 0])
def test_what_was_sampled(text: object) -> None:
    """Nothing is said where all was, or where the trace does not say how much."""
    assert not_sampled({"not_sampled_ns": text}) == {}


def test_what_was_not_sampled() -> None:
    """The time is said, and why."""
    [(what, why)] = not_sampled({"not_sampled_ns": 2_500_000_000}).items()
    assert what == "cache lines that threads share"
    assert why.startswith(
        "not sampled for 2.5 s or more, in which threads changed on the processors more"
    )
