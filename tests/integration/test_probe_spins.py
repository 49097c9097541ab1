"""Threads of a free-threaded build that yield the processor before they sleep for a lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gilscope.trace.format import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Recorded, Row

    type Record = Callable[..., Recorded]

FREE_THREADED = pytest.mark.parametrize("interpreter", ["ft"], indirect=True)


def spin_and_wait(recorded: Recorded) -> tuple[Row, Row]:
    """The staged wait, and the spin that was the thread's last record before it."""
    since = recorded.facts["since"] - recorded.trace.start_monotonic_ns
    tid = recorded.facts["waiter"]
    wait = next(row for row in recorded.rows(Event.LOCK_WAIT, tid) if row.end > since)
    spin = [row for row in recorded.rows(Event.SPIN, tid) if row.start < wait.start][-1]
    return spin, wait


@FREE_THREADED
@pytest.mark.parametrize("name", ["object_lock", "lock", "mutex", "condition"])
def test_spin_is_for_the_lock_that_the_thread_then_waits_for(record: Record, name: str) -> None:
    """An object's lock, a threading.Lock and a mutex of native code have one number for both."""
    spin, wait = spin_and_wait(record("locks.py", name))
    assert spin.what == wait.what
    assert spin.aux > 1
    assert spin.peer == 0
    assert spin.end - spin.start > 0
    assert spin.end <= wait.start + 1


@FREE_THREADED
def test_spins_for_a_shared_dict(record: Record) -> None:
    """Threads that copy one dict at once spin for it, by its address and type."""
    recorded = record("locks.py", "shared_dict")
    spins = recorded.rows(Event.SPIN)
    locks = {recorded.trace.locks[row.what] for row in spins}
    (shared,) = [x for x in locks if x.object_address == recorded.facts["object"]]
    assert (shared.kind, shared.type) == ("object", "dict")
    assert not [lock for lock in locks if lock.kind == "unidentified"]
    waited = {row.what for row in recorded.rows(Event.LOCK_WAIT)}
    assert shared.id in waited


@FREE_THREADED
def test_program_that_yields_does_not_spin(record: Record) -> None:
    """os.sched_yield() is the program's own business."""
    recorded = record("spins.py", "yields")
    assert recorded.rows(Event.SPIN, recorded.facts["tid"]) == []


@FREE_THREADED
def test_locks_taken_one_after_another_are_spins_of_their_own(record: Record) -> None:
    """A thread that runs into the same lock again and again spins as often."""
    recorded = record("spins.py", "again")
    waits = recorded.rows(Event.LOCK_WAIT, recorded.facts["tid"])
    spins = recorded.rows(Event.SPIN, recorded.facts["tid"])
    locks = recorded.trace.locks
    ours = [row for row in spins if locks[row.what].object_address == recorded.facts["object"]]
    assert len(ours) == recorded.facts["times"]
    assert len({row.aux for row in ours}) == 1
    assert len(waits) >= len(ours)


@pytest.mark.parametrize("interpreter", ["gil"], indirect=True)
def test_stock_build_does_not_spin(record: Record) -> None:
    """It goes to sleep at once: there is nothing to record."""
    recorded = record("locks.py", "lock")
    assert recorded.rows(Event.SPIN) == []
    assert "spin" not in recorded.trace.not_measured
