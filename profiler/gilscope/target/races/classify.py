"""Classifies unordered accesses as races, by what the program does with the values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gilscope.race import GRADES, Access, Place, Race
from gilscope.target.races import advice, flow, naming, plans
from gilscope.target.races.scope import OWN, helper_functions, helpers, is_of_weak_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import CodeType

# The native half's numbers: enum class Op and enum class Kind.
READ, ITERATE, STEP, STORE, ADD, REMOVE, CHANGE, ADVANCE = range(8)
UPDATE, ITERATION, SHARED_ITERATOR, PUBLICATION, PAIR = range(5)
WORDS = {
    READ: "read", ITERATE: "iteration", STEP: "iteration", STORE: "write", ADD: "addition",
    REMOVE: "removal", CHANGE: "change", ADVANCE: "next item",
}  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """One access of a candidate: the frames' code objects and offsets, the innermost first."""

    serial: int
    thread: str
    op: int
    frames: tuple[tuple[CodeType, int], ...]
    locks: tuple[int, ...]
    native: str
    time_ns: int | None
    tid: int

    @classmethod
    def of(cls, raw: Any) -> Seen | None:
        """Decode the native half's result; None for none."""
        if raw is None:
            return None
        serial, name, tid, op, time_ns, place, callers, locks, native = raw
        frames = tuple((code, offset) for code, offset in [place, *callers] if code is not None)
        title = name or f"native thread {serial}"
        if not frames:
            return None
        return cls(serial, title, op, frames, tuple(locks), native, time_ns or None, tid)


@dataclass(frozen=True)
class Candidate:
    """What is out of order."""

    kind: int
    split: bool
    suspected: bool
    count: int
    witnessed: int
    first: Seen
    second: Seen | None
    other: Seen
    last: Seen | None
    subject: naming.Subject | None

    def seen(self) -> tuple[Seen, ...]:
        """Return its accesses."""
        last = self.last if self.kind == PAIR else None  # else it is a read that tells more
        return tuple(each for each in (self.first, self.second, self.other, last) if each)


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
    known = _Report(locks, in_scope)
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
    return _merged(result)


def _candidate(raw: Any, subject: naming.Subject | None) -> Candidate | None:
    kind, split, suspected, count, witnessed, first, second, other, last = raw
    one, two, three = Seen.of(first), Seen.of(second), Seen.of(other)
    if one is None or three is None:
        return None
    four = Seen.of(last)
    return Candidate(kind, split, suspected, count, witnessed, one, two, three, four, subject)


# --- Classes --------------------------------------------------------------------------------------


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
    meeting = _meeting(read, write) if write else None
    if write is None or meeting is None or meeting[0] != 0:
        return None
    (code, source), (_, target) = read.frames[0], write.frames[meeting[1]]
    known = flow.of(code)
    for place in _same_path(code, source):
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


# --- Dependence -----------------------------------------------------------------------------------


def depends(read: Seen, write: Seen, *, by_name: bool = True) -> str | None:
    """Return how a write depends on a read of the same thread: ``value``, ``guard`` or None.

    They meet in the innermost function that was running at both. There the read is an instruction,
    or a call that led to it; and so is the write. ``by_name``: what another instruction of the
    function reads by the same name will do as well. It does not when the lock was given back after
    the read: the other instruction may have read under the lock of the write.
    """
    meeting = _meeting(read, write)
    if meeting is None:
        return _depends_in_one(read, write)
    reader, writer = meeting
    code, source = read.frames[reader]
    _, target = write.frames[writer]
    known = flow.of(code)
    sources = [source, *(_same_path(code, source) if reader == 0 and by_name else [])]
    if not _is_given_back(read, reader):
        return None
    for each in sources:
        if known.flows(each, target) and _is_passed_on(write, writer):
            return "value"
    for each in sources:
        if known.guards_it(each, target) or (known.flows(each, target) and write.op == REMOVE):
            return "guard"
    return None


def _depends_in_one(read: Seen, write: Seen) -> str | None:
    """Return how they depend if one instruction, or what it called, did both."""
    code, offset = read.frames[0]
    name = next((one.opname for one in flow.instructions(code) if one.offset == offset), "")
    finds = name in ("BINARY_SUBSCR", "BINARY_OP", "LOAD_ATTR")
    # What is missing is stored: by a defaultdict, `__missing__`, `__getattr__`.
    if finds and write.op == STORE and write.frames[-len(read.frames) :] == read.frames:
        return "guard"
    return "value" if read.frames == write.frames else None  # native code did both in one call


def guards(read: Seen, write: Seen) -> bool:
    """Return whether a read of the same thread decides whether the write is made."""
    meeting = _meeting(read, write)
    if meeting is None or not _is_given_back(read, meeting[0]):
        return False
    (code, source), (_, target) = read.frames[meeting[0]], write.frames[meeting[1]]
    return flow.of(code).guards_it(source, target)


def _meeting(read: Seen, write: Seen) -> tuple[int, int] | None:
    """Return the places of the function where both meet, counted from the innermost."""
    i, j = len(read.frames) - 1, len(write.frames) - 1
    while i >= 0 and j >= 0:
        (one, at), (other, there) = read.frames[i], write.frames[j]
        if one is not other:
            return None
        if at != there:
            return i, j
        i, j = i - 1, j - 1
    return None


def _is_given_back(read: Seen, reader: int) -> bool:
    """Whether what was read comes back through all calls in between."""
    return all(flow.of(code).is_returned(offset) for code, offset in read.frames[:reader])


def _is_passed_on(write: Seen, writer: int) -> bool:
    """Whether what is written comes in through all calls in between."""
    return all(flow.of(code).from_caller(offset) for code, offset in write.frames[:writer])


def _same_path(code: CodeType, offset: int) -> list[int]:
    """Return other places of the function that read what this one reads, by the same name."""
    instructions = flow.instructions(code)
    paths = {one.offset: _path(instructions, i) for i, one in enumerate(instructions)}
    own = paths.get(offset)
    return [place for place, path in paths.items() if own and path == own and place != offset]


def _path(instructions: list[Any], i: int) -> tuple[str, ...] | None:
    """Return the name that an instruction reads, as ("self", "data"); None if it is no name."""
    ins = instructions[i]
    if ins.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF"):
        return (str(ins.argval),)
    if ins.opname == "LOAD_ATTR" and i > 0:
        before = instructions[i - 1]
        if before.opname == "COPY" and i > 1:  # self.n += 1 keeps self for the store
            before = instructions[i - 2]
        if before.opname.startswith("LOAD_FAST") and isinstance(before.argval, str):
            return (before.argval, str(ins.argval))
        base = _path(instructions, i - 1)
        return (*base, str(ins.argval)) if base else None
    return None


# --- Reports --------------------------------------------------------------------------------------


class _Report:
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
        meeting = _meeting(read, write) if write else None
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


def _merged(races: list[Race]) -> list[Race]:
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
