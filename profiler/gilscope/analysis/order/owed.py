"""What a thread has still to do before others can go on, as edges of the graph.

A condition, an event, room in a queue, the end of a thread: another thread brings it about. Every
lock that this thread has to pass on its way there is like one that it asks for while it holds what
the others wait for.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from gilscope.analysis.order.recorded import LOCKS, Edge

if TYPE_CHECKING:
    from gilscope.analysis.order.recorded import Lock, Passed, Point, Recorded, Thread

ANY_OF_ALL = ("barrier", "thread", "future")
"""Brought about by one thread alone, or by all together: it is enough that one cannot."""
COUNTED = ("queue-put", "semaphore")
ONCE = ("event", "future", "thread")
"""Brought about once, it stays so."""


def edges(recorded: Recorded) -> list[Edge]:
    """Return the edges from what is waited for with a lock held to what stands before it."""
    found: list[Edge] = []
    awaited: dict[int, set[int]] = defaultdict(set)
    # A lock that only others than its holder release is a signal.
    provided = {
        id_
        for thread in recorded.threads.values()
        for id_ in thread.provided
        if id_ in recorded.locks and not recorded.locks[id_].renewed
    }
    for edge in recorded.edges:
        if recorded.locks[edge.asked].kind not in LOCKS or edge.asked in provided:
            awaited[edge.asked].add(edge.thread)
    for resource, waiters in awaited.items():
        if not _is_scarce(recorded, resource):
            continue
        for waiter in waiters:
            found += _of_waiter(recorded, resource, waiter)
    return found


def _is_scarce(recorded: Recorded, resource: int) -> bool:
    """Whether threads can have to wait for it: a semaphore may have enough for all of them."""
    lock = recorded.locks[resource]
    if lock.kind != "semaphore":
        return True
    users = sum(
        resource in thread.waits or resource in thread.provided
        for thread in recorded.threads.values()
    )
    return users > lock.capacity


def _of_waiter(recorded: Recorded, resource: int, waiter: int) -> list[Edge]:
    """Return the edges that this waiter can be held up by."""
    others = [
        thread
        for thread in recorded.threads.values()
        if resource in thread.provided and thread.serial != waiter
    ]
    all_must = recorded.locks[resource].kind not in ANY_OF_ALL
    by_lock: dict[int, list[Edge]] = defaultdict(list)
    for thread in others:
        for passed in thread.passed:
            points = _points(recorded, resource, waiter, thread, passed)
            if points:
                by_lock[passed.lock].append(
                    Edge(
                        resource, passed.lock, thread.serial, passed.stack, None, (0, 0), points,
                        asked_shared=passed.shared, owed=True,
                    )
                )  # fmt: skip
    return [
        edge
        for found in by_lock.values()
        if not all_must or len(found) == len(others)
        for edge in found
    ]


def _points(
    recorded: Recorded, resource: int, waiter: int, thread: Thread, passed: Passed
) -> tuple[Point, ...]:
    """Return when the thread passed the lock on its way to what this waiter waits for."""
    provided = thread.provided[resource]
    lock = recorded.locks[resource]
    waits = recorded.threads[waiter].waits.get(resource)
    wanted = max(waits.count if waits else 1, _entries(recorded, lock, waiter, passed.lock))
    if lock.kind in COUNTED:
        all_waits = (one.waits.get(resource) for one in recorded.threads.values())
        wanted = sum(one.count for one in all_waits if one) - lock.capacity
    result = []
    for number, point, _ in passed.times:
        before = sum(one < number for one in provided.numbers)
        if number > provided.last:
            continue
        if wanted <= before and lock.kind != "queue-join":  # that takes all there are
            continue
        if before and lock.kind in ONCE and not lock.renewed:
            continue
        if lock.kind == "semaphore" and lock.capacity and not _has(thread, resource, number):
            continue
        result.append(point)
    return tuple(result)


def _entries(recorded: Recorded, resource: Lock, waiter: int, held: int) -> int:
    """Return how often the waiter came to where it waits, if there is nothing to wait for."""
    return sum(
        edge.count
        for edge in recorded.edges
        if edge.thread == waiter and edge.held == held and edge.asked == resource.guard
    )


def _has(thread: Thread, semaphore: int, number: int) -> bool:
    """Whether the thread had taken of the semaphore and not given back at that time."""
    waits = thread.waits.get(semaphore)
    taken = sum(one < number for one in waits.numbers) if waits else 0
    return taken > sum(one < number for one in thread.provided[semaphore].numbers)
