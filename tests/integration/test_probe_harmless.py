"""A program runs under the probe as it runs without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conftest import finished
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Interpreter, Recorded

    type Record = Callable[..., Recorded]


def test_errno_is_kept(record: Record) -> None:
    """Waiting for the GIL, a mutex and a thread lock, and ending waits, leave errno alone."""
    facts = record("harmless.py", "errno").facts
    assert (facts["mutex"], facts["lock"]) == (facts["same"], facts["same"])
    assert facts["gil"] == []


def test_signal_handlers_run(record: Record) -> None:
    """A signal handler that runs every millisecond and the probe do not disturb each other."""
    recorded = record("harmless.py", "signals")
    assert recorded.facts == {"odd": 0}
    assert (recorded.trace.problems, recorded.trace.end_reason) == ((), "stop")


def test_exception_leaves_the_block(record: Record) -> None:
    """What the profiled block raises ends the program as ever, with a whole trace."""
    recorded = record("harmless.py", "exception")
    assert recorded.status == 1
    assert recorded.err.splitlines()[-1] == "LookupError: the program's own"
    assert recorded.trace.end_reason == "stop"


def test_exit_status_and_output_are_the_program_s(record: Record) -> None:
    """A program that exits with the probe running has its own status, output, and a whole trace."""
    recorded = record("harmless.py", "exit_status")
    assert (recorded.status, recorded.out, recorded.err) == (7, "last words\n", "")
    assert (recorded.trace.end_reason, recorded.trace.ended_early) == ("exit", False)


def test_exit_without_clean_up(interpreter: Interpreter, record: Record) -> None:
    """os._exit ends the program with its status; what was recorded until then is there."""
    recorded = record("harmless.py", "os_exit")
    assert recorded.status == 3
    assert recorded.trace.ended_early
    holds = len(recorded.rows(Event.GIL_HOLD))
    assert holds >= (200 if interpreter.build == "gil" else 0)


def test_children_that_cannot_be_followed_leave_nothing_behind(record: Record) -> None:
    """Where multiprocessing cannot be loaded, nothing is half started: one line, then a session."""
    recorded = record("harmless.py", "nothing_to_follow_with")
    assert recorded.facts == {"said": "cannot record the child processes"}
    assert recorded.trace.end_reason == "stop"


def test_daemon_threads_at_the_end(record: Record) -> None:
    """Daemon threads that run and wait when the interpreter ends neither crash it nor keep it."""
    recorded = record("harmless.py", "daemons")
    assert recorded.facts == {"threads": 4}
    assert recorded.err == ""
    assert recorded.trace.end_reason == "exit"
    assert len(recorded.trace.threads) == 5


def test_native_threads_at_the_end(record: Record) -> None:
    """They are in hooks when the interpreter ends: it does, with a whole trace."""
    recorded = record("harmless.py", "native_threads_at_the_end")
    assert recorded.facts == {}
    assert recorded.err == ""
    assert (recorded.trace.end_reason, recorded.trace.problems) == ("exit", ())


def test_subinterpreters_come_and_go(record: Record) -> None:
    """Sessions begin and end meanwhile; neither disturbs the other."""
    recorded = record("harmless.py", "subinterpreters_come_and_go")
    assert recorded.facts == {"errors": []}
    assert (recorded.trace.end_reason, recorded.trace.problems) == ("stop", ())


@pytest.mark.parametrize("scenario", ["fork", "fork_among_threads"])
def test_forked_children_run_unrecorded(record: Record, scenario: str) -> None:
    """Children do their work, can record themselves, and end with 0."""
    recorded = record("harmless.py", scenario)
    assert set(recorded.facts["statuses"]) == {0}


@pytest.mark.parametrize("scenario", ["fork", "fork_among_threads"])
def test_parent_s_trace_is_whole_after_a_fork(record: Record, scenario: str) -> None:
    """The trace has nothing of the child, and all of the parent."""
    recorded = record("harmless.py", scenario)
    assert "of the child" not in {thread.name for thread in recorded.trace.threads}
    assert (recorded.trace.problems, recorded.trace.dropped_events) == ((), 0)
    assert recorded.trace.end_reason == "stop"


def test_nothing_that_a_child_does_is_counted(interpreter: Interpreter, record: Record) -> None:
    """The child's thousands of holds are not in the parent's trace, the parent's are."""
    recorded = record("harmless.py", "fork")
    expected = recorded.facts["pairs"] if interpreter.build == "gil" else 0
    assert expected <= len(recorded.rows(Event.GIL_HOLD)) <= expected + 200


def test_child_can_record_itself(interpreter: Interpreter, record: Record) -> None:
    """A forked child that starts the probe writes a whole trace of its own."""
    recorded = record("harmless.py", "fork")
    (path,) = recorded.path.parent.glob("trace.gilscope.*")
    child = recorded.beside(path.suffix)
    assert child.trace.problems == ()
    assert child.trace.pid == int(path.suffix[1:]) != recorded.trace.pid
    if interpreter.build == "gil":
        assert 200 <= len(child.rows(Event.GIL_HOLD)) <= 300


@pytest.mark.parametrize("scenario", ["multiprocessing_fork", "multiprocessing_spawn"])
def test_processes_of_a_pool_work(record: Record, scenario: str) -> None:
    """Worker processes compute what they should, and the trace is whole."""
    recorded = record("harmless.py", scenario)
    assert recorded.facts["sum"] == recorded.facts["expected"]
    assert recorded.err == ""
    assert (recorded.trace.problems, recorded.trace.end_reason) == ((), "stop")


def test_programs_that_are_started_run(record: Record) -> None:
    """Programs started by vfork and by fork print what they print."""
    recorded = record("harmless.py", "subprocesses")
    assert recorded.facts["outputs"] == ["42\n", "42\n"]
    assert recorded.trace.problems == ()


def test_interpreter_with_a_gil_of_its_own(record: Record) -> None:
    """A subinterpreter runs as ever; its GIL is not taken for the main one's."""
    recorded = record("harmless.py", "subinterpreter")
    assert recorded.facts["errors"] == []
    assert recorded.trace.problems == ()


def test_no_function_of_the_loader_is_called_with_the_gil(
    interpreter: Interpreter, tmp_path: Path
) -> None:
    """Whoever has the loader's lock may wait for the GIL: start, stop and hooks would hang then."""
    interpreter.compile("loader_calls")
    preloaded = str(interpreter.modules / f"loader_calls{interpreter.suffix}")
    path = tmp_path / "trace.gilscope"
    recorded = finished(interpreter.start("loader_calls.py", path, LD_PRELOAD=preloaded), path)
    assert recorded.status == 0, recorded.err
    assert not any(recorded.facts.values()), recorded.facts


@pytest.mark.parametrize("watch", ["races", "order"])
def test_a_watch_asks_the_loader_only_where_something_was_loaded(
    interpreter: Interpreter, watch: str
) -> None:
    """A dlopen() that loads nothing takes no lock for long, and so must the hook of it."""
    interpreter.compile("loader_calls")
    preloaded = str(interpreter.modules / f"loader_calls{interpreter.suffix}")
    process = interpreter.start("watched_loading.py", watch, LD_PRELOAD=preloaded)
    ended = finished(process, interpreter.modules)
    assert (ended.status, ended.out) == (0, "0\n"), ended.err
