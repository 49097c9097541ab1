"""Locks that a forked child asks for and that another thread could have had at the fork.

That thread does not exist in the child: nobody releases the lock there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.analysis.order.recorded import Fork, Frame, Passed, Recorded, Thread


@dataclass(frozen=True)
class Inherited:
    """A lock that a child can inherit locked for ever.

    Attributes:
        fork: Which fork.
        lock: Its id.
        asked_at: Where the child asks for it.
        thread: The thread of the parent that takes it.
        passed: Where it does so, and when.
    """

    fork: Fork
    lock: int
    asked_at: Frame
    thread: Thread
    passed: Passed


def find(recorded: Recorded) -> list[Inherited]:
    """Return them, one for each place of a fork and lock."""
    found: dict[tuple[object, ...], Inherited] = {}
    for fork in recorded.forks:
        for address, frame in fork.asked:
            lock = _at_fork(recorded, address, fork)
            if lock is None or lock in fork.held:
                continue
            for thread, passed in _others(recorded, fork, lock):
                found.setdefault((fork.stack[:1], lock), Inherited(
                    fork, lock, frame, thread, passed
                ))  # fmt: skip
    return list(found.values())


def _at_fork(recorded: Recorded, address: int, fork: Fork) -> int | None:
    """Return the lock that was at an address then."""
    ids = [
        lock.id for lock in recorded.locks.values()
        if lock.address == address and lock.id < fork.end and lock.kind in ("lock", "rlock")
    ]  # fmt: skip
    return max(ids, default=None)


def _others(recorded: Recorded, fork: Fork, lock: int) -> Iterator[tuple[Thread, Passed]]:
    """Return the threads that could have it at the fork."""
    for thread in recorded.threads.values():
        if thread.serial == fork.thread:
            continue
        for passed in thread.passed:
            if passed.lock == lock and any(
                not recorded.is_before(point, fork.point)
                and not recorded.is_before(fork.point, point)
                and not any(gate in fork.held and not shared for gate, shared in gates.items())
                for _, point, gates in passed.times
            ):
                yield thread, passed
