"""Which member of which class a native lock is, from what DWARF says of the call that takes it.

Nothing is guessed: at a call such as `pthread_mutex_lock(&pool->lock)` the debug information has
the argument in terms of a register ("r12 + 32") and a variable of the function in terms of the same
one ("r12, a Pool *"). Then the lock stands 32 bytes into that object, and the class says what is
there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from gilscope.trace.reading.symbolic import Numbers, Symbolic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TAKES = (
    "pthread_mutex_",
    "pthread_rwlock_",
    "pthread_cond_",
    "PyMutex_Lock",
    "_ZNSt18condition_variable4wait",
)
"""How names of functions begin whose first argument is the lock."""

LOCKS = frozenset(
    {
        "mutex",
        "recursive_mutex",
        "timed_mutex",
        "recursive_timed_mutex",
        "shared_mutex",
        "shared_timed_mutex",
        "condition_variable",
        "pthread_mutex_t",
        "pthread_rwlock_t",
        "pthread_cond_t",
        "PyMutex",
    }
)
"""Types that are a lock, as they are called in their namespaces."""

LOCKING = re.compile(
    r"_ZNSt\d+(recursive_|timed_|shared_)*mutex\d+lock(_shared)?Ev|__gthread_.*_lock"
)
"""Functions of the standard library whose first parameter is the lock that they take."""

RELOCKED = re.compile(r"_ZNSt1[12](unique|shared)_lockI\w+E4lockEv")
"""The function that takes a guard's lock again, which the guard alone knows."""

MADE = re.compile(r"_ZNSt1[12](unique|shared)_lockI\w+EC\dERS\w*_$")
"""The constructors of a guard with a lock."""

GUARD = re.compile(r"(unique|shared)_lock<")
REPLACED = re.compile(r"_ZNSt1[12](unique|shared)_lockI\w+E(aSE|4swap|7release|C\d(Ev|EOS))")
"""Functions after which a guard has another lock, or none."""

FIRST_ARGUMENT = Symbolic("5", 0)  # rdi
MAX_DEPTH = 16
_REFERENCES = ("DW_TAG_pointer_type", "DW_TAG_reference_type", "DW_TAG_rvalue_reference_type")
_PASSED = ("DW_TAG_const_type", "DW_TAG_volatile_type", "DW_TAG_typedef")
_INSIDE = ("DW_TAG_lexical_block", "DW_TAG_inlined_subroutine")
_CLASSES = ("DW_TAG_class_type", "DW_TAG_structure_type")


class Member(NamedTuple):
    """A member of a class that is a lock.

    Attributes:
        name: such as "Pool::m_".
        file: number of the source file in the unit's line program; 0 unknown.
        line: of its declaration; 0 unknown.
    """

    name: str
    file: int
    line: int


class Calls:
    """Calls in one compilation unit.

    Args:
        dwarf: all debug information of the object.
        unit: of pyelftools.
        code: returns so many bytes of the program before an address.
    """

    def __init__(self, dwarf: Any, unit: Any, code: Callable[[int, int], bytes]) -> None:
        from elftools.dwarf.locationlists import LocationParser  # noqa: PLC0415 - loaded on demand

        self._unit = unit
        self._numbers = Numbers(unit, code)
        self._locations = LocationParser(dwarf.location_lists())

    def member(self, scopes: list[Any], returns_to: int) -> Member | None:
        """Return the member that a call takes, if that is a lock of an object in a variable.

        Args:
            scopes: the function at the call and what is inlined in it, the outermost first.
            returns_to: address behind the call.
        """
        calls = [found for die in scopes if (found := self._call(die, returns_to)) is not None]
        if not calls:
            return None
        wanted = {argument for die in calls if (argument := self._argument(die)) is not None}
        wanted |= set(self._taken(scopes, returns_to - 1))
        for die in reversed(scopes):
            for variable in _variables(die):
                found = self._lock_in(variable, wanted, returns_to - 1)
                if found is not None:
                    return found
        again = [die for die in scopes if RELOCKED.match(_name(die))]
        if not again or _is_made(scopes) or self._is_member(again[0], scopes, returns_to - 1):
            return None
        return self._guarded(scopes[0])

    def _is_member(self, call: Any, scopes: list[Any], address: int) -> bool:
        """Whether a guard stands, or may stand, in an object that a variable points to."""
        guard = next(_variables(call), None)
        location, _ = self._location(guard, address) if guard is not None else (None, 0)
        begin = self._numbers.number(location, is_location=True) if location else None
        for die in scopes if begin else ():
            for variable in _variables(die):
                place = self._location(variable, address)[0] if die is not call else None
                other = self._numbers.number(place, is_location=True) if place else None
                if other and begin and other.base == begin.base:
                    return True
        return begin is None

    def _guarded(self, function: Any) -> Member | None:
        """The lock of the only guard of a function, by the call with which it was made.

        Only if nothing in the function gives the guard another lock.
        """
        guards, made = 0, set()
        for scopes in _insides([function]):
            name = _name(scopes[-1])
            if REPLACED.match(name):
                return None
            inlined = any(die.tag == "DW_TAG_inlined_subroutine" for die in scopes)
            guards += not inlined and sum(_is_guard(one) for one in _variables(scopes[-1]))
            if _is_made(scopes):
                returns = (_returns_to(die) for die in scopes[-1].iter_children())
                made |= {self.member(scopes, address) for address in returns if address}
        made.discard(None)
        return made.pop() if guards == 1 and len(made) == 1 else None

    @staticmethod
    def _call(scope: Any, returns_to: int) -> Any:
        """The call of a function that takes a lock; None if this is none."""
        for die in scope.iter_children():
            if _returns_to(die) == returns_to:
                called = _origin(die, "DW_AT_call_origin", "DW_AT_abstract_origin")
                return die if called is not None and _name(called).startswith(TAKES) else None
        return None

    def _argument(self, call: Any) -> Symbolic | None:
        """Return the first argument of a call."""
        for one in call.iter_children():
            place = _first(one, "DW_AT_location")
            value = _first(one, "DW_AT_call_value", "DW_AT_GNU_call_site_value")
            if place is None or value is None:
                continue
            if self._numbers.number(place.value, is_location=True) == FIRST_ARGUMENT:
                return self._numbers.number(value.value)
        return None

    def _taken(self, scopes: list[Any], address: int) -> Iterator[Symbolic]:
        """The locks of the inlined functions that do nothing but take one."""
        for die in scopes:
            if LOCKING.match(_name(die)):
                first = next(_variables(die), None)
                location, begin = self._location(first, address) if first is not None else (None, 0)
                found = self._numbers.number(location, is_location=True) if location else None
                if found is not None:
                    yield found
                    if begin and not found.offset:
                        yield from self._numbers.made_before(begin, found.base)

    def _lock_in(self, variable: Any, wanted: set[Symbolic], address: int) -> Member | None:
        """The lock in what a variable points or refers to, if it is there."""
        kind = _type_of(variable)
        if kind is None or kind.tag not in _REFERENCES:
            return None
        owner = _type_of(kind)
        location, since = self._location(variable, address)
        if owner is None or owner.tag not in _CLASSES or location is None or _is_standard(owner):
            return None
        begin = self._numbers.number(location, is_location=True)
        places = {
            one.offset - begin.offset
            for one in wanted
            if begin and one.base == begin.base and (not one.since or since < one.since)
        }
        return _member_at(owner, places.pop()) if len(places) == 1 else None

    def _location(self, variable: Any, address: int) -> tuple[Any, int]:
        """The expression that says where a variable is at an address, and since which; or None."""
        origin = variable.attributes.get("DW_AT_location")
        if origin is None:
            return None, 0
        found = self._locations.parse_from_attribute(origin, self._unit["version"], variable)
        if not isinstance(found, list):
            return found.loc_expr, 0
        first = self._unit.get_top_DIE().attributes.get("DW_AT_low_pc")
        base = first.value if first else 0
        for entry in found:
            if hasattr(entry, "base_address"):
                base = entry.base_address
            elif hasattr(entry, "begin_offset"):
                start = 0 if entry.is_absolute else base
                if start + entry.begin_offset <= address < start + entry.end_offset:
                    return entry.loc_expr, start + entry.begin_offset
        return None, 0


def _returns_to(die: Any) -> int:
    """The address behind a call; 0 if it is none."""
    at = _first(die, "DW_AT_call_return_pc", "DW_AT_low_pc")
    return int(at.value) if die.tag.endswith("call_site") and at is not None else 0


def _insides(scopes: list[Any]) -> Iterator[list[Any]]:
    """A function, and the blocks and functions in it, each with what it stands in."""
    yield scopes
    for die in scopes[-1].iter_children():
        if len(scopes) < MAX_DEPTH and die.tag in _INSIDE:
            yield from _insides([*scopes, die])


def _is_made(scopes: list[Any]) -> bool:
    return any(MADE.match(_name(die)) for die in scopes)


def _is_guard(variable: Any) -> bool:
    """Whether a variable is a guard, or refers to one."""
    kind = _type_of(variable)
    if kind is not None and kind.tag in _REFERENCES:
        kind = _type_of(kind)
    return kind is not None and GUARD.match(_name(kind)) is not None


def _variables(die: Any) -> Iterator[Any]:
    return (
        one
        for one in die.iter_children()
        if one.tag in ("DW_TAG_formal_parameter", "DW_TAG_variable")
    )


def _is_standard(owner: Any) -> bool:
    """Return whether a class is one of the standard library."""
    parent = owner.get_parent()
    while parent is not None and parent.tag != "DW_TAG_compile_unit":
        if parent.tag == "DW_TAG_namespace" and _name(parent) in ("std", "__gnu_cxx"):
            return True
        parent = parent.get_parent()
    return False


def _first(die: Any, *names: str) -> Any:
    return next((die.attributes[name] for name in names if name in die.attributes), None)


def _origin(die: Any, *names: str) -> Any:
    found = next((name for name in names if name in die.attributes), None)
    return die.get_DIE_from_attribute(found) if found else None


def _declared(die: Any) -> Iterator[Any]:
    """A definition and what it refers to for the rest."""
    for _ in range(MAX_DEPTH):
        yield die
        die = _origin(die, "DW_AT_abstract_origin", "DW_AT_specification")
        if die is None:
            return


def _name(die: Any) -> str:
    for one in _declared(die):
        found = _first(one, "DW_AT_linkage_name", "DW_AT_name")
        if found is not None:
            return str(found.value.decode(errors="replace"))
    return ""


def _type_of(die: Any) -> Any:
    """The type of something, without what only qualifies it; None if there is none."""
    for one in _declared(die):
        found = _origin(one, "DW_AT_type")
        for _ in range(MAX_DEPTH):
            if found is None or found.tag not in _PASSED or _name(found) in LOCKS:
                break
            found = _origin(found, "DW_AT_type")
        if found is not None:
            return found
    return None


def _path(owner: Any) -> list[str]:
    """A class' name behind those of what it is declared in."""
    parts = [_name(owner)]
    while (owner := owner.get_parent()) is not None and owner.tag in (
        "DW_TAG_namespace",
        *_CLASSES,
    ):
        parts.insert(0, _name(owner))
    return parts


def _size(kind: Any) -> int:
    for _ in range(MAX_DEPTH):
        if kind is None:
            break
        if "DW_AT_byte_size" in kind.attributes:
            return int(kind.attributes["DW_AT_byte_size"].value)
        kind = _origin(kind, "DW_AT_type")
    return 0


def _member_at(owner: Any, offset: int, depth: int = 0) -> Member | None:
    """The lock that begins at an offset in an object of a class."""
    if depth > MAX_DEPTH:
        return None
    for die in owner.iter_children():
        if die.tag not in ("DW_TAG_member", "DW_TAG_inheritance"):
            continue
        place, kind = die.attributes.get("DW_AT_data_member_location"), _type_of(die)
        inside = offset - (place.value if place else 0)
        if kind is None or "DW_AT_external" in die.attributes or not 0 <= inside < _size(kind):
            continue
        if die.tag == "DW_TAG_member" and _name(kind) in LOCKS:
            return _found(owner, die) if inside == 0 else None
        if kind.tag in _CLASSES:
            return _member_at(kind, inside, depth + 1)
    return None


def _found(owner: Any, die: Any) -> Member:
    file, line = (die.attributes.get(f"DW_AT_decl_{what}") for what in ("file", "line"))
    name = "::".join(filter(None, [*_path(owner), _name(die)]))
    return Member(name, file.value if file else 0, line.value if line else 0)
