"""Start and stop, in order and out of order, and what is left of the probe afterwards: nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gilscope.trace.format import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Interpreter, Recorded

    type Record = Callable[..., Recorded]


@pytest.fixture
def restored(record: Record) -> Recorded:
    """The words and pages that the probe changes, looked at before, during and after."""
    return record("lifecycle.py", "restored")


def test_stop_restores_every_word(restored: Recorded) -> None:
    """Each relocation slot that a session changed has its word again when the session is over."""
    assert min(restored.facts["changed"]) >= 5
    assert restored.facts["left"] == [[], []]


def test_pages_keep_their_protection(restored: Recorded) -> None:
    """The pages of the slots are as writable as before, during a session and after it."""
    assert restored.facts["unknown"] == 0
    assert not any(restored.facts["reprotected"])


def test_no_page_is_writable_and_executable(restored: Recorded) -> None:
    """The probe makes no memory that could be written to and run."""
    assert restored.facts["executable"] == []


def test_hooks_are_those_that_are_installed(restored: Recorded) -> None:
    """What hooks() tells is what is changed when the probe is started."""
    assert restored.facts["changed"] == [restored.facts["hooks"]] * 2


def test_library_that_is_closed_meanwhile(record: Record) -> None:
    """A library that the program closes does not hurt the stop, and is gone after it."""
    assert record("lifecycle.py", "library_that_is_closed").facts == {"left": 0, "mapped": False}


def test_what_the_probe_does_is_not_recorded(record: Record) -> None:
    """A trace begins when the start is done and ends when the stop begins: most of both is outside.

    Of twenty sessions one is enough: the machine may have been busy during the others.
    """
    recorded = record("lifecycle.py", "own_work")
    inside = []
    for number, (before, started, stopping, stopped) in enumerate(recorded.facts["times"]):
        trace = (recorded.beside(f".{number}") if number else recorded).trace
        begin, end = (trace.start_monotonic_ns + ns for ns in (0, trace.duration_ns))
        assert before <= begin <= end <= stopped
        inside.append(
            ((started - begin) / (started - before), (end - stopping) / (stopped - stopping))
        )
    for shares in zip(*inside, strict=True):
        assert min(shares) < 0.5


def test_second_start_is_refused(record: Record) -> None:
    """Starting twice and stopping twice are errors of one line; the session goes on unharmed."""
    recorded = record("lifecycle.py", "start_twice")
    second, same, third = recorded.facts["refusals"]
    assert second == same == "the probe is running already: stop it first"
    assert third == "the probe is not running: start it first"
    assert not recorded.facts["running"]
    assert (recorded.trace.problems, recorded.trace.end_reason) == ((), "stop")


def test_second_start_writes_nothing(interpreter: Interpreter, record: Record) -> None:
    """No file is made or replaced by a start that is refused."""
    recorded = record("lifecycle.py", "start_twice")
    assert not recorded.beside(".second").path.exists()
    holds = len(recorded.rows(Event.GIL_HOLD))
    assert holds >= (200 if interpreter.build == "gil" else 0)


def test_stop_without_a_start_is_refused(record: Record) -> None:
    """It is an error of one line, and the probe can be started afterwards."""
    recorded = record("lifecycle.py", "stop_without_start")
    assert recorded.facts["refusals"] == ["the probe is not running: start it first"]
    assert recorded.trace.problems == ()


def test_trace_that_cannot_be_written(record: Record) -> None:
    """A start names file and reason in one line, changes no file, and leaves the probe usable."""
    recorded = record("lifecycle.py", "bad_paths")
    refusals = recorded.facts["refusals"]
    assert len(refusals) == 4
    assert all(text.startswith("cannot record to /") and "\n" not in text for text in refusals)
    assert recorded.facts["running"] == [False]
    assert recorded.facts["file"] == "not a directory"
    assert recorded.trace.problems == ()


def test_snapshots_to_the_same_file_at_once(record: Record) -> None:
    """Each of several threads writes its snapshot; the last one is there, and whole."""
    recorded = record("lifecycle.py", "copies_at_once")
    assert recorded.facts == {"refusals": [""]}
    assert recorded.beside(".copy").trace.problems == ()


def test_file_names_may_be_odd(record: Record) -> None:
    """A trace can have any name that a file can have."""
    assert record("lifecycle.py", "odd_paths").facts["missing"] == []


def test_impossible_sizes_are_refused(record: Record) -> None:
    """Each is an error of one line, and nothing is left running."""
    facts = record("lifecycle.py", "odd_limits").facts
    assert all(text and "\n" not in text for text in facts["refusals"])
    assert not facts["running"]


def test_two_thousand_sessions_leave_nothing_behind(record: Record) -> None:
    """Neither descriptors nor threads, mappings or memory grow from session to session."""
    facts = record("lifecycle.py", "cycles").facts
    before, after = facts["before"], facts["after"]
    assert after["fds"] == before["fds"]
    assert after["threads"] == before["threads"]
    assert after["maps"] <= before["maps"] + 4  # the allocator has its own mind
    assert after["rss_kb"] <= before["rss_kb"] + 4096  # 2 KiB a session


def test_program_may_end_without_a_stop(record: Record) -> None:
    """The end of the interpreter stops the probe; the trace says so."""
    recorded = record("lifecycle.py", "abandoned")
    assert recorded.facts["running"]
    assert (recorded.trace.end_reason, recorded.trace.problems) == ("exit", ())


def test_probe_may_be_stopped_by_another_thread(record: Record) -> None:
    """Start and stop belong to no thread."""
    recorded = record("lifecycle.py", "stopped_by_another_thread")
    assert not recorded.facts["running"]
    assert (recorded.trace.end_reason, recorded.trace.problems) == ("stop", ())


def test_threads_that_start_and_stop_at_once(record: Record) -> None:
    """One of them gets through at a time; the others are told why not."""
    facts = record("lifecycle.py", "two_at_once").facts
    assert not facts["running"]
    allowed = ("", "another thread is", "the probe is running", "the probe is not")
    assert all(text.startswith(allowed) for text in facts["refusals"])


def test_self_test_passes(interpreter: Interpreter, record: Record) -> None:
    """Every class of event is proven here, or cannot happen in this build."""
    facts = record("lifecycle.py", "self_test").facts
    own = "ok" if interpreter.build == "ft" else "not applicable: a stock build has no object locks"
    assert facts["first"]["object_lock"] == own
    for result in (facts["first"], facts["again"]):
        assert {
            "gil",
            "mutex",
            "native_lock",
            "object_lock",
            "spin",
            "thread_lock",
        } <= result.keys()
        wrong = {name: text for name, text in result.items() if text != "ok"}
        assert all(text.startswith("not applicable: ") for text in wrong.values()), wrong


def test_self_test_is_refused_while_the_probe_runs(record: Record) -> None:
    """It would take the hooks away from the session."""
    assert record("lifecycle.py", "self_test").facts["refused"].startswith("the probe is running")


def test_hooks_of_the_interpreter_can_all_be_installed(record: Record) -> None:
    """Each function that the GIL and the locks need has a slot in the interpreter."""
    hooks = record("lifecycle.py", "self_test").facts["hooks"]
    needed = {"pthread_cond_signal", "pthread_cond_timedwait", "pthread_cond_wait"}
    needed |= {"pthread_mutex_lock", "pthread_create", "sem_wait", "sem_clockwait", "sem_post"}
    assert needed <= {function for function, _, slots in hooks if slots}


def test_not_measured_is_said(record: Record) -> None:
    """What this build keeps from the probe is named in every trace: nothing, here."""
    recorded = record("lifecycle.py", "abandoned")
    assert set(recorded.trace.not_measured) == set()


def test_start_while_the_list_of_interpreters_is_locked(
    interpreter: Interpreter, record: Record
) -> None:
    """Neither it nor a thread that wants that lock with the GIL waits for ever."""
    interpreter.compile("interpreters_lock")
    facts = record("interpreters_lock_kept.py", "wanted_with_the_gil").facts
    assert facts["running"]
    assert facts["frames"] == [2]
