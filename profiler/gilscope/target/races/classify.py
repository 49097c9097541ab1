"""Classifies unordered accesses as races, by what the program does with the values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gilscope.target.races import flow, naming
from gilscope.target.races.dependence import depends, guards, meeting_of, same_path
from gilscope.target.races.reporting import Report, merged
from gilscope.target.races.seen import (
    ADD,
    CHANGE,
    ITERATION,
    PAIR,
    PUBLICATION,
    REMOVE,
    SHARED_ITERATOR,
    STORE,
    UPDATE,
    Candidate,
    Seen,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import CodeType

    from gilscope.race import Race


def races(
    found: Iterable[Any],
    subjects: dict[int, naming.Subject],
    locks: dict[int, tuple[CodeType, int]],
    *,
    in_scope: Callable[[str], bool],
    everything: bool = False,
    suspected: bool = False,
) -> list[Race]:
    """Return the races among what the native half found, the worst first."""
    known = Report(locks, in_scope)
    result = []
    for number, raw in enumerate(found):
        candidate = _candidate(raw, subjects.get(number))
        if candidate is None or (candidate.suspected and not suspected):
            continue
        if candidate.subject and candidate.subject.is_library:
            continue
        if not all(known.is_program(seen) for seen in candidate.seen()):
            continue
        kind = kind_of(candidate)
        if kind == "publication" and not everything:
            continue
        if candidate.split and known.is_of_two_calls(candidate):
            continue
        if kind is not None:
            result.append(known.race(kind, candidate))
        if kind == "lost-update" and (check := check_of(candidate)) is not None:
            result.append(known.race("check-then-act", check))
    flow.forget()
    return merged(result)


def _candidate(raw: Any, subject: naming.Subject | None) -> Candidate | None:
    kind, split, suspected, count, witnessed, first, second, other, last = raw
    one, two, three = Seen.of(first), Seen.of(second), Seen.of(other)
    if one is None or three is None:
        return None
    four = Seen.of(last)
    return Candidate(kind, split, suspected, count, witnessed, one, two, three, four, subject)


def kind_of(candidate: Candidate) -> str | None:
    """Return the class of a candidate; None for one that is no race worth a report."""
    if candidate.kind == SHARED_ITERATOR:
        return "iteration"
    if candidate.kind == ITERATION:
        return "iteration" if _breaks_iteration(candidate) else None
    if candidate.kind == PAIR:
        return "torn-pair" if _is_torn(candidate) else None
    if candidate.kind == PUBLICATION:
        return "publication"
    if candidate.kind == UPDATE and candidate.second is not None:
        return _update(candidate, candidate.second)
    return None


def _breaks_iteration(candidate: Candidate) -> bool:
    """Whether the change harms an iteration: a list that grows at its end does not."""
    subject = candidate.subject
    is_list = subject is not None and subject.owner.type_name == "list"
    return not (is_list and candidate.other.op == ADD)


def _update(candidate: Candidate, write: Seen) -> str | None:
    dependence = depends(candidate.first, write, by_name=not candidate.split)
    # Who looks again under the lock that he acts under may act.
    if candidate.last and guards(candidate.last, write):
        return None
    is_structure = candidate.subject is not None and candidate.subject.kind == naming.STRUCTURE
    is_partial = (is_structure and write.op != CHANGE) or write.op == REMOVE
    writes = candidate.other.op >= STORE
    if dependence == "value" and writes and not is_partial:
        return "lost-update"
    acts = dependence == "guard" or (dependence and (writes or guards(candidate.first, write)))
    if not acts:
        return None
    if not _disturbs(write.op, candidate.other.op):
        return None
    if _is_stop_flag(candidate.first, write):
        return None
    return "check-then-act"


def check_of(candidate: Candidate) -> Candidate | None:
    """Return a lost update as the check before it: `if self.n < 10: self.n += 1` is both.

    The native half keeps the last read before a write; the check is an earlier one, in the same
    function and of the same name. None if there is none.
    """
    read, write = candidate.first, candidate.second
    meeting = meeting_of(read, write) if write else None
    if write is None or meeting is None or meeting[0] != 0:
        return None
    (code, source), (_, target) = read.frames[0], write.frames[meeting[1]]
    known = flow.of(code)
    for place in same_path(code, source):
        if known.guards_it(place, target):
            frames = ((code, place), *read.frames[1:])
            return replace(candidate, first=replace(read, frames=frames, time_ns=None))
    return None


def _is_torn(candidate: Candidate) -> bool:
    """Whether one thread writes both variables whenever it writes one, and the other reads both."""
    second, last = candidate.second, candidate.last
    if second is None or last is None:
        return False
    return _are_together(candidate.first, second) and _are_together(candidate.other, last)


def _are_together(one: Seen, other: Seen) -> bool:
    """Whether a function that does the one does the other, too.

    What is read only if a flag is set has been published by it, and is no pair with the flag.
    """
    (code, first), (same, second) = one.frames[0], other.frames[0]
    if code is not same:
        return False
    known = flow.of(code)
    return known.guards_in_one_pass(first) == known.guards_in_one_pass(second)


def _disturbs(act: int, other: int) -> bool:
    """Whether what the other thread does can make what this one checked untrue."""
    if CHANGE in (act, other) or other < STORE:  # the same check, which found it done
        return True
    return (act == REMOVE) == (other == REMOVE)


def _is_stop_flag(read: Seen, write: Seen) -> bool:
    """Whether a loop that goes on by a flag sets it to a constant: stopping twice is stopping."""
    (code, source), (other, target) = read.frames[0], write.frames[0]
    if code is not other:
        return False
    known = flow.of(code)
    return target in known.constants and bool(known.loops & known.bit(source))
