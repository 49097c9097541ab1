"""Waits for locks as the probe records them: for which lock, until when, and who ended them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from gilscope.trace.format import Event, LockWaitFlag

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Interpreter, Recorded, Row

    type Record = Callable[..., Recorded]

FREE_THREADED = pytest.mark.parametrize("interpreter", ["ft"], indirect=True)
KINDS = {
    "lock": "lock",
    "condition": "lock",
    "event": "lock",
    "queue_get": "lock",
    "simple_queue": "simple_queue",
    "mutex": "mutex",
    "thread_lock": "thread_lock",
}
# From 3.15 on, what a C module gets from PyThread_allocate_lock() is a mutex.
KINDS_SINCE_3_15 = {"thread_lock": "mutex"}


def waits_since(recorded: Recorded) -> list[Row]:
    """Waits for a lock of the thread that was made to wait, since it said that it would."""
    since = recorded.facts["since"] - recorded.trace.start_monotonic_ns
    rows = recorded.rows(Event.LOCK_WAIT, recorded.facts["waiter"])
    return [row for row in rows if row.end > since]


def staged_wait(recorded: Recorded) -> Row:
    """The wait that was staged."""
    return waits_since(recorded)[0]


def ended_by(recorded: Recorded, wait: Row) -> None:
    """Assert that the right thread ended the wait, and that this thread's wake says so, too."""
    ender = recorded.thread(recorded.facts["ender"]).index
    assert wait.peer == ender
    wakes = recorded.rows(Event.LOCK_WAKE, recorded.facts["ender"])
    assert [row for row in wakes if row.what == wait.what and row.peer == wait.thread]


@pytest.mark.parametrize("name", KINDS)
def test_kind_of_lock_and_who_ended_the_wait(
    interpreter: Interpreter, record: Record, name: str
) -> None:
    """The wait is there, for a lock of the right kind, and ended by whom it was ended by."""
    recorded = record("locks.py", name)
    wait = staged_wait(recorded)
    kinds = {**KINDS, **(KINDS_SINCE_3_15 if interpreter.version >= (3, 15) else {})}
    assert recorded.trace.locks[wait.what].kind == kinds[name]
    ended_by(recorded, wait)


def test_lock_is_named_by_its_object(record: Record) -> None:
    """A wait for a threading.Lock says which: its address is what id() gives."""
    recorded = record("locks.py", "lock")
    lock = recorded.trace.locks[staged_wait(recorded).what]
    assert lock.object_address == recorded.facts["object"]
    assert lock.type == "_thread.lock"


def test_rlock_is_what_it_is_in_this_version(interpreter: Interpreter, record: Record) -> None:
    """A threading.RLock is a lock of its own from 3.14 on, and was a thread lock before."""
    recorded = record("locks.py", "rlock")
    wait = staged_wait(recorded)
    kind = "rlock" if interpreter.version >= (3, 14) else "thread_lock"
    assert recorded.trace.locks[wait.what].kind == kind
    ended_by(recorded, wait)


def test_mutex_of_native_code_has_its_address(record: Record) -> None:
    """A PyMutex that belongs to no object is known by its own address."""
    recorded = record("locks.py", "mutex")
    lock = recorded.trace.locks[staged_wait(recorded).what]
    assert (lock.address, lock.object_address) == (recorded.facts["address"], 0)


@FREE_THREADED
def test_critical_section_on_a_mutex_of_no_object(record: Record) -> None:
    """A mutex is no object's by where it stands; what precedes it is not trusted."""
    recorded = record("locks.py", "mutex_in_section")
    wait = staged_wait(recorded)
    lock = recorded.trace.locks[wait.what]
    assert (lock.kind, lock.object_address) == ("mutex", 0)
    assert lock.address == recorded.facts["address"]
    ended_by(recorded, wait)


def test_join_waits_for_a_thread(record: Record) -> None:
    """A thread that joins another one waits for its end, and that thread ends the wait."""
    recorded = record("locks.py", "join")
    wait = staged_wait(recorded)
    assert recorded.trace.locks[wait.what].kind == "thread_end"
    ended_by(recorded, wait)


SPECIAL = {
    "import_lock": "import_lock",
    "once": "once",
    "join": "thread_end",
    "semaphore": "lock",
    "full_queue": "lock",
}


@pytest.mark.parametrize("name", SPECIAL)
def test_wait_inside_the_interpreter(interpreter: Interpreter, record: Record, name: str) -> None:
    """A module, an initialization, a thread's end; what is made of locks shows as such."""
    recorded = record("waits.py", name)
    since = recorded.facts["since"] - recorded.trace.start_monotonic_ns
    rows = recorded.rows(Event.LOCK_WAIT, recorded.facts["waiter"])
    (wait,) = [row for row in rows if row.start < since < row.end]
    kinds = {SPECIAL[name]}
    if name == "once" and interpreter.version >= (3, 14):
        kinds.add("event")  # where the waiting function is inlined, nothing proves what it is
    assert recorded.trace.locks[wait.what].kind in kinds


def test_wait_that_is_handed_the_lock(record: Record) -> None:
    """A thread that has waited for long wakes up owning the mutex."""
    recorded = record("locks.py", "handed_off")
    wait = staged_wait(recorded)
    assert wait.flags & LockWaitFlag.HANDED_OFF
    ended_by(recorded, wait)


def test_wait_that_times_out(record: Record) -> None:
    """Nobody ended a wait that the thread gave up on."""
    recorded = record("locks.py", "timed_out")
    wait = staged_wait(recorded)
    assert wait.flags & LockWaitFlag.TIMED_OUT
    assert wait.peer == 0
    assert recorded.trace.locks[wait.what].object_address == recorded.facts["object"]


def test_wait_that_a_signal_interrupts(record: Record) -> None:
    """A signal cuts a wait in two: one that it interrupted, and one that ended as it should."""
    recorded = record("locks.py", "interrupted")
    lock = recorded.facts["object"]
    locks = recorded.trace.locks
    waits = [row for row in waits_since(recorded) if locks[row.what].object_address == lock]
    first, *_, last = waits
    assert first.flags & LockWaitFlag.INTERRUPTED
    assert first.peer == 0
    assert last.flags & (LockWaitFlag.INTERRUPTED | LockWaitFlag.TIMED_OUT) == 0
    ended_by(recorded, last)


@FREE_THREADED
def test_own_lock_of_an_object(record: Record) -> None:
    """A thread that waits for a dict locked by native code waits for that dict."""
    recorded = record("locks.py", "object_lock")
    wait = staged_wait(recorded)
    lock = recorded.trace.locks[wait.what]
    assert (lock.kind, lock.type) == ("object", "dict")
    assert lock.object_address == recorded.facts["object"]
    ended_by(recorded, wait)


@FREE_THREADED
def test_shared_dict_is_found(record: Record) -> None:
    """Threads that copy one dict at once wait for it, and end each other's waits."""
    recorded = record("locks.py", "shared_dict")
    trace = recorded.trace
    waits = [
        row
        for row in recorded.rows(Event.LOCK_WAIT)
        if trace.locks[row.what].object_address == recorded.facts["object"]
    ]
    assert {(trace.locks[row.what].kind, trace.locks[row.what].type) for row in waits} == {
        ("object", "dict")
    }
    copiers = {recorded.thread(tid).index for tid in recorded.facts["tids"]}
    assert {row.thread for row in waits} <= copiers
    assert {row.peer for row in waits} <= copiers | {0}
    known = [row for row in waits if row.peer]
    assert len(known) >= 0.8 * len(waits)
    assert not [row for row in known if row.peer == row.thread]


@FREE_THREADED
def test_stopped_world_is_no_contention(record: Record) -> None:
    """Threads that are stopped so that their frames can be read do not wait for an object."""
    recorded = record("locks.py", "stopped_world")
    kinds = {
        recorded.trace.locks[row.what].kind
        for tid in recorded.facts["tids"]
        for row in recorded.rows(Event.LOCK_WAIT, tid)
    }
    assert "stop_the_world" in kinds
    assert not kinds & {"object", "unidentified"}


@FREE_THREADED
def test_thread_that_stops_the_world_waits_for_the_others(record: Record) -> None:
    """The thread that asks for the pause waits for the others to stop, and for nothing else."""
    recorded = record("locks.py", "stopped_world")
    rows = recorded.rows(Event.LOCK_WAIT, recorded.facts["main"])
    kinds = {recorded.trace.locks[row.what].kind for row in rows}
    assert "stop_the_world_request" in kinds
    assert not kinds & {"object", "unidentified"}


@FREE_THREADED
def test_threads_that_share_nothing_wait_for_nothing(record: Record) -> None:
    """Threads that only count wait for no object: the probe brings no contention of its own."""
    recorded = record("locks.py", "nothing_shared")
    rows = [row for tid in recorded.facts["tids"] for row in recorded.rows(Event.LOCK_WAIT, tid)]
    locks = {recorded.trace.locks[row.what] for row in rows}
    assert {lock.name for lock in locks if lock.kind in {"object", "unidentified"}} == set()


@pytest.mark.parametrize("name", [*KINDS, "rlock", "join", "timed_out", "interrupted"])
def test_waits_of_a_thread_do_not_overlap(record: Record, name: str) -> None:
    """A thread waits for one thing at a time, and every wait but one that is open has ended."""
    recorded = record("locks.py", name)
    for thread in recorded.trace.threads:
        rows = [row for row in recorded.rows(Event.LOCK_WAIT) if row.thread == thread.index]
        assert all(row.end <= later.start + 1 for row, later in pairwise(rows))
        assert not any(row.open for row in rows)
