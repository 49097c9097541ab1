"""Cycles in the order of locks: threads that can wait for each other for ever."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from gilscope.analysis.order import owed, retries
from gilscope.analysis.order.recorded import LOCKS, Edge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.analysis.order.recorded import Recorded

type Cycle = tuple[Edge, ...]

LONGEST = 8
"""Threads in a cycle."""
MOST_STEPS = 300_000
MOST_CYCLES = 2_000


def blocking(recorded: Recorded) -> list[Edge]:
    """Return the edges that a thread cannot give up at, and what threads owe each other."""
    asked = [
        edge
        for edge in recorded.edges
        if edge.mode == "blocking" or retries.is_for_ever(edge.stack)
    ]
    return _merged(asked) + _merged(owed.edges(recorded))


def find(recorded: Recorded, edges: list[Edge]) -> list[Cycle]:
    """Return the cycles among these edges, the shortest first."""
    found: list[Cycle] = []
    steps = 0
    after = _within_components(edges)
    for start in sorted(after):
        for cycle in _from(recorded, after, start):
            steps += 1
            if cycle:
                found.append(cycle)
            if steps > MOST_STEPS or len(found) > MOST_CYCLES:
                return sorted(found, key=len)
    return sorted(found, key=len)


def _merged(edges: list[Edge]) -> list[Edge]:
    """Make one edge of those that differ in what does not matter here."""
    groups: dict[tuple[object, ...], list[Edge]] = defaultdict(list)
    for edge in edges:
        gates = frozenset(edge.gates.items())
        key = (
            edge.held, edge.asked, edge.thread, gates, edge.held_shared, edge.asked_shared,
            edge.gil_is_gate, edge.owed, edge.places,
        )  # fmt: skip
        groups[key].append(edge)
    merged = []
    for group in groups.values():
        first = group[0]
        points = tuple(dict.fromkeys(point for edge in group for point in edge.points))
        count = sum(edge.count for edge in group)
        merged.append(
            Edge(
                first.held, first.asked, first.thread, first.stack, first.held_at, first.places,
                points, first.gates, first.held_shared, first.asked_shared, first.gil_is_gate,
                first.mode, count, first.owed,
            )
        )  # fmt: skip
    return merged


def _within_components(edges: list[Edge]) -> dict[int, list[Edge]]:
    """Return the edges that can be part of a cycle, by what was held."""
    after: dict[int, set[int]] = defaultdict(set)
    before: dict[int, set[int]] = defaultdict(set)
    for edge in edges:
        after[edge.held].add(edge.asked)
        before[edge.asked].add(edge.held)
    left = set(after) & set(before)
    work = [node for node in set(after) | set(before) if node not in left]
    while work:  # an edge without a predecessor or a successor is in no cycle
        node = work.pop()
        for other in after.pop(node, ()):
            before[other].discard(node)
            if not before[other] and other in left:
                left.discard(other)
                work.append(other)
        for other in before.pop(node, ()):
            after[other].discard(node)
            if not after[other] and other in left:
                left.discard(other)
                work.append(other)
    result: dict[int, list[Edge]] = defaultdict(list)
    for edge in edges:
        if edge.held in left and edge.asked in left:
            result[edge.held].append(edge)
    return result


def _from(recorded: Recorded, after: dict[int, list[Edge]], start: int) -> Iterator[Cycle | None]:
    """Go along all ways from a node over later ones; None for a step that closes none."""
    path: list[Edge] = []
    stack = [iter(after[start])]
    while stack:
        edge = next(stack[-1], None)
        if edge is None:
            stack.pop()
            if path:
                path.pop()
            continue
        yield None
        if edge.asked < start or not fits(recorded, path, edge):
            continue
        if edge.asked == start:
            if len(path) >= 1 and not _both_share(edge, path[0]):
                yield (*path, edge)
            continue
        if len(path) + 1 < LONGEST and all(edge.asked != one.held for one in path):
            path.append(edge)
            stack.append(iter(after[edge.asked]))


def fits(recorded: Recorded, path: list[Edge], edge: Edge) -> bool:
    """Whether this edge's thread can be there while the path's threads are at their places."""
    if path and _both_share(path[-1], edge):
        return False
    for one in path:
        if is_of_first_caller(recorded, one, edge):
            return len(path) == 1 and not have_gate(one, edge)
        if one.thread == edge.thread or have_gate(one, edge):
            return False
        if recorded.has_gil and one.gil_is_gate and edge.gil_is_gate:
            return False
    return all(recorded.can_meet(one, edge) for one in path)


def is_of_first_caller(recorded: Recorded, one: Edge, other: Edge) -> bool:
    """Whether a thread asks for the GIL while it initialises a static that it came to with the GIL.

    Only the first caller of a function is seen to do so, but each thread that comes meanwhile has
    the GIL as well: one thread shows both halves.
    """
    if one.thread != other.thread or (one.held, one.asked) != (other.asked, other.held):
        return False
    return {recorded.locks[one.held].kind, recorded.locks[one.asked].kind} == {"gil", "guard"}


def _both_share(asking: Edge, holding: Edge) -> bool:
    """Whether one thread asks for a lock that the other holds, and both only share it."""
    return asking.asked_shared and holding.held_shared


def have_gate(one: Edge, other: Edge) -> bool:
    """Whether something that both threads hold lets only one of them there at a time."""
    if one.owed or other.owed:
        return False
    mine = {**one.gates, one.held: one.held_shared}
    theirs = {**other.gates, other.held: other.held_shared}
    return any(not (mine[lock] and theirs[lock]) for lock in mine.keys() & theirs.keys())


def is_of_imports(recorded: Recorded, cycle: Cycle) -> bool:
    """Whether it has import locks only: the import system detects these deadlocks itself."""
    return all(recorded.locks[edge.held].kind == "import" for edge in cycle)


def is_of_locks(recorded: Recorded, cycle: Cycle) -> bool:
    """Whether it consists of locks only."""
    return all(recorded.locks[edge.held].kind in LOCKS for edge in cycle)
