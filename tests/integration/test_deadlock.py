"""A program that can never go on is ended and told about; examples/deadlock is one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import gilscope
from gilscope.runner.watchdog import FUTEX

if TYPE_CHECKING:
    from gilscope.presentation import Comparison

SCRIPT = Path(__file__).parents[2] / "examples" / "deadlock" / "run.py"
TIMEOUT_S = 120

pytestmark = [
    pytest.mark.skipif(FUTEX is None, reason="no futex known on this machine"),
    pytest.mark.skipif(
        "GILSCOPE_FT_PYTHON" not in os.environ, reason="no interpreters: run `make test`"
    ),
]


@pytest.fixture(scope="module")
def said() -> list[str]:
    """Lines about what is done."""
    return []


@pytest.fixture(scope="module")
def comparison(said: list[str]) -> Comparison:
    """The example under both builds; the time-out is for a watchdog that sleeps."""
    args = ["--deposits=20"]
    return gilscope.compare(SCRIPT, args, repeat=1, timeout=TIMEOUT_S, progress=said.append)


def test_it_is_told_before_anything_else_runs(comparison: Comparison, said: list[str]) -> None:
    """The deadlock is shown at once, not at the end of the comparison."""
    (place,) = [n for n, line in enumerate(said) if "because of a deadlock" in line]
    assert said[place] == f"GIL build: {comparison.run('gil').error}"
    assert said[place - 1].startswith("[1/6] GIL build")
    assert said[place + 1] == f"GIL build: {comparison.run('gil').traceback}"


def test_the_gil_against_a_mutex_is_a_deadlock(comparison: Comparison) -> None:
    """One line has the waiting threads, the locks and their holders."""
    error = comparison.run("gil").error or ""
    assert error.startswith("stopped because of a deadlock: ")
    assert "teller waits for the GIL, held by MainThread" in error
    assert "MainThread waits for std::mutex" in error
    assert ", held by teller" in error


def test_the_stacks_of_both_threads_are_shown(comparison: Comparison) -> None:
    """From the program's first line to the native function that waits."""
    stacks = comparison.run("gil").traceback or ""
    assert "in main.<locals>.listener" in stacks
    assert "deadlock::Account::balance() const" in stacks
    assert "deadlock::Account::deposit(long)" in stacks
    assert "gilscope/target" not in stacks


def test_the_trace_is_kept(comparison: Comparison) -> None:
    """It ended early, with the waits open."""
    trace = comparison.run("gil").trace
    assert trace is not None
    assert trace.ended_early
    assert trace.intervals.open.sum() >= 2


def test_the_other_build_goes_on(comparison: Comparison) -> None:
    """Without a GIL the two orders never meet; and nothing is predicted from a deadlock."""
    run = comparison.run("ft")
    assert (run.error, run.stdout) == (None, "balance 20\n")
    assert len(run.wall_s) == 1
    assert comparison.prediction is None


def test_a_deadlock_with_the_probe_off_is_noticed() -> None:
    """It may happen in any run; the stacks are those that Python knows."""
    code = (
        "import os, threading\n"
        "from gilscope.target.recording import session as probe\n"
        "def wait(): lock.acquire()\n"
        "lock = threading.Lock()\n"
        "if not probe.running(): lock.acquire(); wait()\n"
    )
    from gilscope.comparison import compare_code  # noqa: PLC0415 - slow to load

    run = compare_code(code, builds=["gil"], repeat=1, timeout=TIMEOUT_S).run("gil")
    assert run.error == "stopped because of a deadlock"
    assert "in wait" in (run.traceback or "")


def test_the_fixed_program_ends(tmp_path: Path) -> None:
    """What gives the GIL up before it waits for the mutex deadlocks under no build."""
    path = tmp_path / "fixed"
    comparison = gilscope.compare(
        SCRIPT, ["--fixed", "--deposits=3"], builds=["gil"], repeat=1, timeout=60, out_dir=path
    )
    assert comparison.run("gil").error is None
