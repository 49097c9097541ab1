"""Accesses and candidates for races, as the native half found them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import CodeType

    from gilscope.target.races import naming

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
