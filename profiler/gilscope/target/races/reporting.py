"""Turns candidates into races with names, stacks and advice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gilscope.race import GRADES, Access, Place, Race
from gilscope.target.races import advice, flow, naming, plans
from gilscope.target.races.dependence import meeting_of
from gilscope.target.races.scope import OWN, helper_functions, helpers, is_of_weak_reference
from gilscope.target.races.seen import (
    ITERATION,
    PAIR,
    SHARED_ITERATOR,
    STORE,
    UPDATE,
    WORDS,
    Candidate,
    Seen,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType


class Report:
    """Turns candidates into races."""

    def __init__(
        self, locks: dict[int, tuple[CodeType, int]], in_scope: Callable[[str], bool]
    ) -> None:
        self.locks = locks
        self.in_scope = in_scope
        self.helpers = frozenset(helpers())
        self.helper_functions = frozenset(helper_functions())

    def is_program(self, seen: Seen) -> bool:
        """Return whether the program did it, or called the part of the library that did."""
        if is_of_weak_reference(seen.frames[0][0]):
            return False
        for code, _ in seen.frames:
            if not self._is_helper(code):
                return self.in_scope(code.co_filename)
        return False

    def _is_helper(self, code: CodeType) -> bool:
        name = f"{code.co_filename}:{code.co_qualname}"
        return code.co_filename in self.helpers or name in self.helper_functions

    def is_of_two_calls(self, candidate: Candidate) -> bool:
        """Return whether a lock that was given back in between is held by every single call.

        The function that does both holds it from before the one until after the other: a call that
        did both would not have given it back. One call read, a later one wrote.
        """
        read, write = candidate.first, candidate.second
        meeting = meeting_of(read, write) if write else None
        if write is None or meeting is None:
            return False
        (code, source), (_, target) = read.frames[meeting[0]], write.frames[meeting[1]]
        held = set(read.locks) & set(write.locks) & set(candidate.other.locks)
        names = set(map(self._lock_name, held))
        return any(
            begin <= source < end and begin <= target < end and naming.lock_name(code, at) in names
            for at, begin, end in flow.with_blocks(code)
        )

    def race(self, kind: str, candidate: Candidate) -> Race:
        """Return the race that a candidate of class ``kind`` is."""
        accesses = tuple(self._access(each, candidate) for each in candidate.seen())
        code, offset = self._own_frames((candidate.second or candidate.other).frames)[0]
        variable = (
            self._variable(candidate.subject, candidate.other)
            if candidate.subject
            else naming.lock_name(code, offset)
        )
        if candidate.kind == PAIR and candidate.subject and candidate.last:
            variable = " and ".join(sorted({access.variable for access in accesses}))
        grade = "witnessed" if candidate.witnessed else "certain"
        grade = "suspected" if candidate.suspected else grade
        said = advice.words(
            kind,
            variable,
            accesses,
            witnessed=candidate.witnessed,
            split=candidate.split,
            shared_iterator=candidate.kind == SHARED_ITERATOR,
        )
        plan = plans.plan_of(
            [each.frames[0] for each in candidate.seen() if not each.native],
            is_iteration=candidate.kind == ITERATION,
            accesses=len(accesses),
            kind=candidate.subject.kind if candidate.subject else 0,
            entrances=self._entrances(candidate),
        )
        return Race(
            kind, grade, variable, accesses, candidate.count, *said, plans=(plan,) if plan else ()
        )

    def _entrances(self, candidate: Candidate) -> tuple[plans.Frame | None, plans.Frame | None]:
        """Return what takes the lock that the write and the other access have in common."""
        first, write, other = candidate.first, candidate.second, candidate.other
        if candidate.kind != UPDATE or write is None:
            return None, None
        names = {self._lock_name(lock) for lock in set(write.locks) & set(other.locks)}
        enter = plans.entrance(write.frames, first.frames, names)
        return enter, plans.entrance(other.frames, (), names)

    def _variable(self, subject: naming.Subject, seen: Seen) -> str:
        """Return the name of a variable, in the program's words where a library uses it for it."""
        own = self._own_frames(seen.frames)[0]
        if own is seen.frames[0] or subject.kind == naming.ATTRIBUTE:
            return naming.variable(subject, *seen.frames[0])
        return naming.variable(replace(subject, locals={}), *own)

    def _own_frames(
        self, frames: tuple[tuple[CodeType, int], ...]
    ) -> tuple[tuple[CodeType, int], ...]:
        """Leave out the innermost frames that are not the program's, if any is."""
        for i, (code, _) in enumerate(frames):
            if self.in_scope(code.co_filename):
                return frames[i:]
        return frames

    def _shown(self, frames: tuple[tuple[CodeType, int], ...]) -> tuple[Place, ...]:
        """Leave out our own frames, and those by which threads and programs begin."""
        kept = [frame for frame in frames if not frame[0].co_filename.startswith(OWN)]
        while len(kept) > 1 and not self.in_scope(kept[-1][0].co_filename):
            kept.pop()
        return tuple(place_of(code, at) for code, at in kept or frames)

    def _access(self, seen: Seen, candidate: Candidate) -> Access:
        stack = self._shown(self._own_frames(seen.frames))
        if seen.native:
            file, _, function = seen.native.partition(" ")
            native = Place(file, 0, function or "native code")
            stack = (stack[0], native, *stack[1:])
        names = tuple(dict.fromkeys(self._lock_name(lock) for lock in seen.locks))
        variable = ""
        if candidate.kind == PAIR and candidate.subject:
            variable = naming.sibling(candidate.subject, *seen.frames[0])
        when = seen.time_ns, seen.tid
        return Access(seen.thread, seen.op >= STORE, WORDS[seen.op], stack, names, variable, *when)

    def _lock_name(self, lock: int) -> str:
        if lock >> 63:
            return f"native mutex at {lock & ~(1 << 63):#x}"
        place = self.locks.get(lock)
        return naming.lock_name(*place) if place else "a lock"


def place_of(code: CodeType, offset: int) -> Place:
    """Return the line of an instruction."""
    line = None
    if offset >= 0:
        for begin, end, number in code.co_lines():
            if begin <= offset < end:
                line = number
                break
    return Place(code.co_filename, line or code.co_firstlineno, code.co_qualname)


def _rank(race: Race) -> tuple[int, int]:
    """Order of races that are shown as one: the best-proved first, then the one of known times."""
    return -GRADES.index(race.grade), -sum(one.time_ns is not None for one in race.accesses)


def _is_of_change(race: Race) -> bool:
    """Whether something is changed during its iteration: all changes of it are shown together."""
    return race.kind == "iteration" and race.accesses[0].what == "iteration"


def _changes(better: Race, worse: Race) -> tuple[Access, ...]:
    """Return the accesses of two races that are shown as one."""
    if not _is_of_change(better):
        return better.accesses
    known = {(access.place, access.what) for access in better.accesses}
    more = [one for one in worse.accesses if (one.place, one.what) not in known]
    return (*better.accesses, *more)


def merged(races: list[Race]) -> list[Race]:
    """Show races that differ in nothing that is shown as one; the worst first.

    One execution of a line may be in several of them: what is counted is that of the most frequent.
    """
    by_place: dict[Any, Race] = {}
    for race in races:
        shown = race.accesses[:1] if _is_of_change(race) else race.accesses
        places = frozenset((access.place.file, access.place.line) for access in shown)
        key = (race.kind, race.variable.partition("[")[0], places)
        known = by_place.get(key)
        if known is None:
            by_place[key] = race
            continue
        better, worse = sorted((known, race), key=_rank)
        by_place[key] = Race(
            better.kind, better.grade, better.variable, _changes(better, worse),
            max(better.count, worse.count), better.what_happened, better.advice,
            tuple(dict.fromkeys((*better.plans, *worse.plans)))[:plans.MOST_PLANS],
        )  # fmt: skip
    return sorted(by_place.values(), key=lambda r: (-GRADES.index(r.grade), -r.count))
