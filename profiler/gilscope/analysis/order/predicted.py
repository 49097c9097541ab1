"""Hazards between other locks of the same places: each half was seen with locks of its own.

One object's `a` was held while its `b` was asked for, and another object's `b` while its `a` was.
Had it been one object, the threads could have waited for each other.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from typing import TYPE_CHECKING

from gilscope.analysis.order import cycles
from gilscope.analysis.order.retries import parsed

if TYPE_CHECKING:
    from gilscope.analysis.order.cycles import Cycle
    from gilscope.analysis.order.naming import Names, Site
    from gilscope.analysis.order.recorded import Edge, Recorded

SORTERS = ("id", "sorted", "hash", "min", "max")
"""Functions by which programs put locks in order."""
KINDS = ("lock", "rlock", "import")


def find(recorded: Recorded, names: Names, edges: list[Edge]) -> list[Cycle]:
    """Return pairs of edges between two places, in opposite order."""
    between: dict[tuple[Site, Site], list[Edge]] = defaultdict(list)
    for edge in edges:
        held, asked = recorded.locks[edge.held], recorded.locks[edge.asked]
        if edge.owed or held.kind not in KINDS or asked.kind not in KINDS:
            continue
        if names.site(held) != names.site(asked):
            between[names.site(held), names.site(asked)].append(edge)
    found = []
    for (one, other), forth in between.items():
        back = between.get((other, one), []) if one < other else []
        if back and _depends_on_role(forth, back):
            found += _first_pair(recorded, names, forth, back)
    return found


def _depends_on_role(forth: list[Edge], back: list[Edge]) -> bool:
    """Whether the code fixes the order, rather than the locks that it was given."""
    places = {edge.places for edge in forth} & {edge.places for edge in back}
    return not places and not any(map(_is_sorted, [*forth, *back]))


def _first_pair(
    recorded: Recorded, names: Names, forth: list[Edge], back: list[Edge]
) -> list[Cycle]:
    for one in forth:
        for other in back:
            if (
                one.thread != other.thread
                and not _have_gate(recorded, names, one, other)
                and recorded.can_meet(one, other)
                and not cycles.have_gate(one, other)
            ):
                return [(one, other)]
    return []


def _have_gate(recorded: Recorded, names: Names, one: Edge, other: Edge) -> bool:
    """Whether both hold a further lock of one place: of one object it would be the same."""
    mine, theirs = (
        {names.site(recorded.locks[gate]) for gate in edge.gates} for edge in (one, other)
    )
    return bool(mine & theirs)


def _is_sorted(edge: Edge) -> bool:
    """Whether the function that takes the locks puts them in order first."""
    frame = next((one for one in edge.stack if not one.native and one.line), None)
    tree = parsed(frame.file) if frame else None
    if frame is None or tree is None:
        return False
    inside = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.lineno <= frame.line <= (node.end_lineno or 0)
    ]
    return any(
        isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in SORTERS
        for node in inside
        for call in ast.walk(node)
    )
