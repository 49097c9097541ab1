"""From cycles to hazards: what can strike, how bad it is, and what to do about it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gilscope.analysis.order import cycles, forks, predicted
from gilscope.analysis.order.model import Found, Hazard, Step
from gilscope.analysis.order.naming import Names
from gilscope.severity import Severity

if TYPE_CHECKING:
    from gilscope.analysis.order.cycles import Cycle
    from gilscope.analysis.order.forks import Inherited
    from gilscope.analysis.order.recorded import Edge, Frame, Recorded, Thread

KINDS = {
    "condition": "wait-with-lock", "event": "wait-with-lock", "barrier": "wait-with-lock",
    "semaphore": "wait-with-lock", "future": "wait-with-lock", "thread": "join-with-lock",
    "queue-put": "queue-with-lock", "queue-get": "queue-with-lock",
    "queue-join": "queue-with-lock",
}  # fmt: skip


def find(recorded: Recorded) -> Found:
    """Return the hazards of a run."""
    names = Names(recorded)
    edges = cycles.blocking(recorded)
    certain = [one for one in cycles.find(recorded, edges) if _counts(recorded, one)]
    kept = _one_each(names, recorded, certain)
    known = {frozenset(_sites(names, recorded, cycle)) for cycle in kept}
    hazards = [_hazard(names, recorded, cycle, suspected=False) for cycle in kept]
    for cycle in predicted.find(recorded, names, edges):
        if frozenset(_sites(names, recorded, cycle)) not in known:
            known.add(frozenset(_sites(names, recorded, cycle)))
            hazards.append(_hazard(names, recorded, cycle, suspected=True))
    hazards += [_of_fork(names, recorded, one) for one in forks.find(recorded)]
    hazards += [_of_exit(recorded, one) for one in _left_at_exit(recorded)]
    hazards.sort(key=lambda one: (one.severity.rank, one.suspected, len(one.steps)))
    locks = {edge.held for edge in edges} | {edge.asked for edge in edges}
    return Found(
        tuple(hazards), len(recorded.threads), len(locks), recorded.left_out,
        tuple(recorded.missing),
    )  # fmt: skip


def _counts(recorded: Recorded, cycle: Cycle) -> bool:
    """Whether a cycle is a hazard: it has a lock in it that a thread really holds."""
    return not cycles.is_of_imports(recorded, cycle) and not all(edge.owed for edge in cycle)


def _sites(names: Names, recorded: Recorded, cycle: Cycle) -> list[tuple[str, ...]]:
    return [names.site(recorded.locks[edge.held]) for edge in cycle]


def _one_each(names: Names, recorded: Recorded, found: list[Cycle]) -> list[Cycle]:
    """Return one cycle for each set of places, the shortest."""
    kept: list[Cycle] = []
    known: list[frozenset[tuple[str, ...]]] = []
    for cycle in found:
        sites = frozenset(_sites(names, recorded, cycle))
        # A longer cycle that contains a shorter one is not a hazard of its own.
        if any(other <= sites for other in known):
            continue
        known.append(sites)
        kept.append(cycle)
    return kept


def _hazard(names: Names, recorded: Recorded, cycle: Cycle, *, suspected: bool) -> Hazard:
    kinds = [recorded.locks[edge.held].kind for edge in cycle]
    owed = [recorded.locks[edge.held].kind for edge in cycle if edge.owed]
    kind = next((KINDS[one] for one in owed if one in KINDS), "lock-order")
    if "gil" in kinds and recorded.has_gil and kind == "lock-order":
        kind = "gil-order"
    is_one_call = cycles.is_of_first_caller(recorded, *cycle[:2])
    suspected = suspected or "section" in kinds or is_one_call
    severity = Severity.HIGH if not suspected else Severity.MEDIUM
    if "gil" in kinds and not recorded.has_gil:
        severity = Severity.MEDIUM  # it takes a pause of all threads in between
    steps = tuple(_step(names, recorded, edge) for edge in cycle)
    if is_one_call:  # two threads make it at the same place
        place = next((step.program_place for step in steps if step.program_place), None)
        steps = tuple(replace(step, program_place=place) for step in steps)
    return Hazard(kind, severity, suspected, steps)


def _of_fork(names: Names, recorded: Recorded, found: Inherited) -> Hazard:
    lock = names.name(found.lock)
    place = next((one for one in found.fork.stack if recorded.is_program(one)), None)
    where = f" at {place.file}:{place.line}" if place else ""
    parent = recorded.thread_name(found.fork.thread)
    child, thread = f"a child of {parent}", recorded.thread_name(found.thread.serial)
    holder = Step(
        lock, child, child, thread, None, found.passed.stack, len(found.passed.times), owed=False,
        program_place=None, part=f"takes {lock}, and {parent} may fork meanwhile",
    )  # fmt: skip
    asker = Step(
        child, lock, lock, child, None, (found.asked_at,), 1, owed=False, program_place=None,
        part=f"asks for {lock}, forked{where} without that thread",
    )  # fmt: skip
    return Hazard("fork-with-lock", Severity.HIGH, suspected=False, steps=(holder, asker))


def _left_at_exit(recorded: Recorded) -> list[Thread]:
    """Return native threads that called Python when all exit handlers had run, one a place."""
    found: dict[tuple[Frame, ...], Thread] = {}
    for thread in recorded.threads.values():
        if thread.late_requests:
            found.setdefault(thread.late_stack, thread)
    return list(found.values())


def _of_exit(recorded: Recorded, thread: Thread) -> Hazard:
    gil = "the GIL" if recorded.has_gil else "the interpreter"
    name = recorded.thread_name(thread.serial)
    end = Step(
        gil, f"the end of {name}", f"the end of {name}", "the interpreter's end", None, (), 1,
        owed=False, program_place=None,
        part="takes the GIL for ever" if recorded.has_gil else "lets no thread attach any more",
    )  # fmt: skip
    asker = Step(
        f"the end of {name}", gil, gil, name, None, thread.late_stack, thread.late_requests,
        owed=False, program_place=None,
        part=f"asks for {gil} when all exit handlers have run",
    )  # fmt: skip
    return Hazard("native-thread-at-exit", Severity.HIGH, suspected=False, steps=(end, asker))


def _step(names: Names, recorded: Recorded, edge: Edge) -> Step:
    python = (frame for frame in edge.stack if not frame.native and frame.instruction >= 0)
    own = (frame for frame in python if not frame.file.startswith(recorded.outside))
    return Step(
        names.name(edge.held), names.name(edge.asked), names.awaited(edge.asked),
        recorded.thread_name(edge.thread), edge.held_at, edge.stack, edge.count, edge.owed,
        next(own, None),
    )  # fmt: skip
