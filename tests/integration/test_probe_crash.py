"""Whatever becomes of a program, its trace can be read and tells what became of it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from conftest import Recorded, finished
from gilscope.analysis.waits.contention import check_invariants
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Interpreter

    type Record = Callable[..., Recorded]

PAIRS = 20_000


@pytest.fixture(scope="module", params=["killed", "segmentation_fault"])
def crashed(
    request: pytest.FixtureRequest,
    interpreter: Interpreter,
    tmp_path_factory: pytest.TempPathFactory,
) -> Recorded:
    """A program that was killed, or that killed itself, in the middle of its run."""
    path: Path = tmp_path_factory.mktemp("crash") / "trace.gilscope"
    process = interpreter.start("crash.py", request.param, path)
    assert process.stdout is not None
    lines = [process.stdout.readline()]
    if request.param == "killed":
        lines.append(process.stdout.readline())
        process.kill()
    ended = finished(process, path)
    assert lines == ["ready\n"] * len(lines), ended.err
    return ended


def test_signal_ends_the_program(crashed: Recorded) -> None:
    """The probe keeps no signal from the program."""
    assert -crashed.status in {signal.SIGKILL, signal.SIGSEGV}


def test_trace_of_a_crash_opens(crashed: Recorded) -> None:
    """It is known to be cut short, nothing in it is dropped, nothing contradicts anything else."""
    trace = crashed.trace
    assert (trace.ended_early, trace.end_reason, trace.dropped_events) == (True, None, 0)
    assert check_invariants(trace) == []


def test_trace_of_a_crash_has_all_until_then(interpreter: Interpreter, crashed: Recorded) -> None:
    """Every hold of threads that had ended before the crash is there."""
    holds = [
        sum(row.thread == thread.index for row in crashed.rows(Event.GIL_HOLD))
        for thread in crashed.trace.threads
        if thread.name.startswith("busy-") or thread.native
    ]
    assert holds == [PAIRS + 1 if interpreter.build == "gil" else 0] * 3


@pytest.mark.parametrize("crashed", ["killed"], indirect=True)
def test_trace_of_a_crash_shows_who_waits(crashed: Recorded) -> None:
    """A thread that waited for a lock when the program was killed waits to the end."""
    (thread,) = [t for t in crashed.trace.threads if t.name == "waits for ever"]
    *_, wait = [row for row in crashed.rows(Event.LOCK_WAIT) if row.thread == thread.index]
    assert wait.open
    assert crashed.trace.locks[wait.what].kind == "lock"


@pytest.mark.parametrize("interpreter", ["gil"], indirect=True)
@pytest.mark.parametrize("scenario", ["full", "full_of_threads"])
def test_full_trace_says_so(record: Record, scenario: str) -> None:
    """At the limit recording ends, the program goes on, and what is missing is counted."""
    recorded = record("crash.py", scenario)
    trace = recorded.trace
    assert (trace.end_reason, trace.ended_early) == ("max_bytes", False)
    assert trace.dropped_events == recorded.facts["report"]["dropped"] > 0
    assert recorded.path.stat().st_size <= 8 << 20


@pytest.mark.parametrize("interpreter", ["gil"], indirect=True)
def test_what_is_dropped_and_what_is_there_add_up(record: Record) -> None:
    """Each hold of a native thread is in the trace or counted as dropped, waits aside."""
    recorded = record("crash.py", "full")
    for tid in recorded.facts["tids"]:
        thread = recorded.thread(tid)
        holds = len(recorded.rows(Event.GIL_HOLD, tid))
        assert thread.dropped > 0
        assert holds + thread.dropped >= recorded.facts["pairs"] + 1


@pytest.mark.parametrize("interpreter", ["gil"], indirect=True)
def test_trace_that_is_not_full_does_not_say_so(record: Record) -> None:
    """A trace with nothing dropped ended because it was stopped."""
    recorded = record("crash.py", "nearly_full")
    assert recorded.facts["report"]["dropped"] == 0
    assert recorded.trace.end_reason == "stop"


@pytest.mark.parametrize("interpreter", ["gil"], indirect=True)
def test_disk_that_gets_full(record: Record) -> None:
    """Recording ends, the program goes on, and the trace says why it is not whole."""
    recorded = record("crash.py", "disk_full")
    trace = recorded.trace
    assert (trace.end_reason, trace.problems) == ("disk_full", ())
    assert trace.dropped_events == recorded.facts["report"]["dropped"] > 0


def test_disk_that_is_full_from_the_start(record: Record) -> None:
    """The start is refused in one line and leaves no file; with room again the probe starts."""
    recorded = record("crash.py", "disk_full_before")
    refusals = recorded.facts["refusals"]
    assert len(refusals) == 3
    assert all(text.startswith("cannot record to /") and "\n" not in text for text in refusals)
    assert not recorded.facts["left"]
    assert (recorded.trace.end_reason, recorded.trace.problems) == ("stop", ())
