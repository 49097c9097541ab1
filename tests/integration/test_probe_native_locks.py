"""Waits for the locks of native code: pthread mutexes, read-write locks, condition variables."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from conftest import TARGETS, Recorded, finished
from gilscope.trace.format import Event, LockWaitFlag

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Interpreter, Row

    type Play = Callable[..., Recorded]

HELD = {
    "mutex": "native_mutex",
    "timed_mutex": "native_mutex",
    "shared_reader": "native_rwlock",
}


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scenes, compiled as a plain library."""
    path: Path = tmp_path_factory.mktemp("native") / "libnative_stage.so"
    command = ["g++", "-std=c++17", "-O2", "-shared", "-fPIC", "-pthread", "-o", str(path)]
    subprocess.run([*command, str(TARGETS / "native_stage.cpp")], timeout=120, check=True)
    return path


@pytest.fixture
def play(record: Callable[..., Recorded], library: Path) -> Play:
    """Record a scene, once for all tests."""

    def run(scene: str, **extra: str) -> Recorded:
        return record("native_locks.py", scene, LIBRARY=str(library), **extra)

    return run


def waits(recorded: Recorded, who: str = "waiter") -> list[Row]:
    """Waits for the lock that the scene is about."""
    assert recorded.status == 0, recorded.err
    address = recorded.facts["address"]
    rows = recorded.rows(Event.LOCK_WAIT, recorded.facts[who])
    return [row for row in rows if recorded.trace.locks[row.what].address == address]


@pytest.mark.parametrize("scene", HELD)
@pytest.mark.parametrize("late", [False, True])
def test_wait_for_a_held_lock(play: Play, scene: str, late: bool) -> None:  # noqa: FBT001 - pytest's
    """One wait, for the right lock and kind, with the holder; also in a library loaded later."""
    recorded = play(scene, **({"LATE": "1"} if late else {}))
    assert recorded.facts["slept"]
    (wait,) = waits(recorded)
    assert recorded.trace.locks[wait.what].kind == HELD[scene]
    assert wait.flags & LockWaitFlag.HOLDER
    assert wait.peer == recorded.thread(recorded.facts["holder"]).index
    assert not wait.flags & LockWaitFlag.TIMED_OUT


def test_lock_that_is_a_variable_is_named(play: Play) -> None:
    """A mutex with a symbol has its name in the trace, as C++ writes it."""
    recorded = play("mutex")
    assert waits(recorded)
    assert b"stage::the_mutex" in recorded.path.read_bytes()


def test_reader_says_that_it_wants_a_share(play: Play) -> None:
    """A reader that waits for a writer, and a writer that waits for a reader, differ."""
    (reader,) = waits(play("shared_reader"))
    (writer,) = waits(play("shared_writer"))
    assert reader.flags & LockWaitFlag.SHARED
    assert not writer.flags & LockWaitFlag.SHARED


def test_readers_cannot_be_named(play: Play) -> None:
    """A wait for readers has no holder: the lock does not know its readers."""
    (wait,) = waits(play("shared_writer"))
    assert (wait.peer, wait.flags & LockWaitFlag.HOLDER) == (0, 0)


def test_wait_that_times_out(play: Play) -> None:
    """Each has the flag, and the function's answer is the same as ever."""
    recorded = play("timed_out")
    assert recorded.facts["right"]
    rows = waits(recorded)
    assert len(rows) == 3
    holder = recorded.thread(recorded.facts["holder"]).index
    assert all(row.flags & LockWaitFlag.TIMED_OUT for row in rows)
    assert {row.peer for row in rows} == {holder}


@pytest.mark.parametrize("scene", ["condition_variable", "condition_any"])
def test_wait_for_a_condition(play: Play, scene: str) -> None:
    """std::condition_variable waits are there though the C++ library is not hooked."""
    recorded = play(scene)
    assert recorded.facts["slept"]
    rows = waits(recorded)
    assert {recorded.trace.locks[row.what].kind for row in rows} == {"native_condition"}
    (row,) = rows
    signaller = recorded.thread(recorded.facts["main"]).index
    assert (row.flags, row.peer) == (0, signaller)


def test_signal_for_a_waiter_is_recorded(play: Play) -> None:
    """With who gave it and who waited; it is within the wait."""
    recorded = play("condition_variable")
    (row,) = waits(recorded)
    wakes = recorded.rows(Event.LOCK_WAKE, recorded.facts["main"])
    (wake,) = [wake for wake in wakes if wake.what == row.what]
    assert wake.peer == recorded.thread(recorded.facts["waiter"]).index
    assert row.start < wake.start < row.end


def test_wait_for_a_condition_that_times_out(play: Play) -> None:
    """Timed waits of both clocks."""
    rows = waits(play("condition_timed"))
    assert len([row for row in rows if row.flags & LockWaitFlag.TIMED_OUT]) == 2


def test_thread_that_is_cancelled_in_a_wait(play: Play) -> None:
    """Its stack is unwound through the hook, its wait is over, and it wakes up as ever."""
    recorded = play("cancelled")
    assert recorded.facts["slept"]
    assert recorded.facts["right"]
    (wait,) = waits(recorded)
    assert wait.flags & LockWaitFlag.INTERRUPTED
    assert not wait.open


def test_answers_stay_the_same(play: Play) -> None:
    """Recursive, checking, robust, inheriting mutexes; wrong times and clocks; errno."""
    facts = play("answers").facts
    assert facts["recorded"] == facts["without"]
    assert "dead=130" in facts["without"]  # EOWNERDEAD: the comparison is about something
    assert "again=35" in facts["without"]  # EDEADLK


def test_free_lock_leaves_no_record(play: Play) -> None:
    """Locks without contention are not in the trace."""
    recorded = play("uncontended")
    kinds = {recorded.trace.locks[row.what].kind for row in recorded.rows(Event.LOCK_WAIT)}
    assert not [kind for kind in kinds if kind.startswith("native_")]


def test_option_leaves_native_locks_alone(play: Play) -> None:
    """With native_locks=False there is no record, and the trace says that they are not measured."""
    recorded = play("mutex", OFF="1")
    assert waits(recorded) == []
    assert "native_lock" in recorded.trace.not_measured


def test_option_patches_no_slot(play: Play) -> None:
    """With native_locks=False no slot of their functions changes; with it they do, and back."""
    facts = play("patched").facts
    assert facts["slots"] >= 5
    assert facts["off"] == 0
    assert facts["on"] >= 5
    assert facts["after"]


@pytest.fixture(scope="module")
def deadlocked(
    interpreter: Interpreter, library: Path, tmp_path_factory: pytest.TempPathFactory
) -> Recorded:
    """A program that was killed when two of its threads waited for each other."""
    path: Path = tmp_path_factory.mktemp("deadlock") / "trace.gilscope"
    process = interpreter.start("native_locks.py", "deadlock", path, LIBRARY=str(library))
    assert process.stdout is not None
    line = process.stdout.readline()
    process.kill()
    ended = finished(process, path)
    return Recorded(0, line, ended.err, path)


def test_deadlock_is_in_the_trace(deadlocked: Recorded) -> None:
    """Each thread is in an open wait for the other one."""
    facts = {k: int(v) for k, v in (fact.split("=") for fact in deadlocked.out.split())}
    assert facts["slept"], deadlocked.err
    first, second = (deadlocked.thread(facts[name]).index for name in ("first", "second"))
    rows = [row for row in deadlocked.rows(Event.LOCK_WAIT) if row.open]
    waiting = {row.thread: row for row in rows if row.thread in {first, second}}
    assert (waiting[first].peer, waiting[second].peer) == (second, first)
    kinds = {deadlocked.trace.locks[row.what].kind for row in waiting.values()}
    assert kinds == {"native_mutex"}
