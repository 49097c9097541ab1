"""Thread states that others take, and waits that end otherwise than by returning."""

from __future__ import annotations

import itertools
import subprocess
from typing import TYPE_CHECKING

import pytest

from gilscope.trace.format import Event, LockWaitFlag

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Interpreter, Recorded

    type Record = Callable[..., Recorded]

UNHARMED = ["state_deleted", "state_used", "state_interpreter", "interrupted", "last_rites"]
CANCELLED = 20


@pytest.fixture
def play(interpreter: Interpreter, record: Record) -> Record:
    """Record a scenario of targets/departures.py."""
    interpreter.compile("departures_stage")
    return lambda scenario, **extra: record("departures.py", scenario, **extra)


@pytest.mark.parametrize("scenario", UNHARMED)
def test_runs_as_without_the_probe(play: Record, scenario: str) -> None:
    """The program ends as it does alone, and the trace is whole."""
    recorded = play(scenario)
    assert recorded.facts == play(scenario, BARE="1").facts
    assert (recorded.trace.problems, recorded.trace.end_reason) == ((), "stop")


@pytest.mark.parametrize("what", ["lock", "condition"])
def test_waits_of_cancelled_threads_are_recorded(play: Record, what: str) -> None:
    """Each wait out of which a thread was cancelled is there, as one that was interrupted."""
    recorded = play(f"cancelled_{what}")
    waits = [row for row in recorded.rows(Event.LOCK_WAIT) if row.flags & LockWaitFlag.INTERRUPTED]
    assert recorded.facts[0] == len(waits) == CANCELLED


def test_waker_is_known_after_many_cancelled_waits(play: Record) -> None:
    """Waits that were left behind do not hide who woke up a later one for the same lock."""
    recorded = play("cancelled_lock")
    (wait,) = recorded.rows(Event.LOCK_WAIT, recorded.facts[1])
    assert recorded.trace.thread_name(wait.peer) == "MainThread"


@pytest.mark.parametrize("what", ["mutex", "lock"])
def test_wait_left_by_a_jump_hides_no_later_one(play: Record, what: str) -> None:
    """After siglongjmp() out of a wait, the thread's next one is recorded, and nothing is open."""
    recorded = play(f"jumped_{what}")
    (wait,) = recorded.rows(Event.LOCK_WAIT, recorded.facts)
    assert recorded.trace.locks[wait.what].kind == "native_mutex"
    assert not wait.open


def test_wait_of_a_thread_that_a_handler_ends(play: Record) -> None:
    """pthread_exit() in a signal handler ends the wait, as an interrupted one."""
    recorded = play("exited")
    flags = [row.flags for row in recorded.rows(Event.LOCK_WAIT)]
    assert flags == [LockWaitFlag.INTERRUPTED]


def test_greenlets_that_switch_inside_callbacks(record: Record, interpreter: Interpreter) -> None:
    """The program runs as alone; no callback is recorded that did not end in its own order."""
    has_it = subprocess.run([interpreter.python, "-c", "import greenlet"], check=False)
    if has_it.returncode != 0:
        pytest.skip("there is no greenlet for this interpreter")
    recorded = record("switching.py", "callbacks")
    assert recorded.facts == record("switching.py", "callbacks", BARE="1").facts
    callbacks = recorded.trace.callbacks
    assert recorded.trace.problems == ()
    assert len(callbacks.start) >= 1
    spans = sorted(zip(callbacks.start.tolist(), callbacks.end.tolist(), strict=True))
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
