"""How a race can be made to happen: where one thread is held, and what it is held for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gilscope.race import CodePlace
from gilscope.target.races import flow, naming

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType

MOST_PLANS = 8
"""For one race: its accesses may lie at that many combinations of instructions."""

type Frame = tuple[CodeType, int]


def plan_of(
    frames: Sequence[Frame],
    *,
    is_iteration: bool,
    accesses: int,
    kind: int,
    entrances: Sequence[Frame | None] = (None, None),
) -> tuple[CodePlace, ...] | None:
    """Return the places of a plan; None where no thread can be held between two accesses.

    Args:
        frames: The instructions of the accesses, in the order of `Race.accesses`; those of native
            code are left out, as no thread is held there.
        is_iteration: Whether something is changed while it is gone over.
        accesses: How many accesses the race has.
        kind: Of its variable.
        entrances: The `with` statements that take a lock which the second access and that of the
            other thread have in common, and the first one has not any more.
    """
    if len(frames) != accesses or not all(_has_text(code.co_filename) for code, _ in frames):
        return None
    if is_iteration:
        step = _step(*frames[0])
        return _places(step, frames[1:], kind) if step else None
    if accesses < 3 or frames[0] == frames[1]:  # noqa: PLR2004 - two of one thread, one of another
        return None
    enter, enter_too = entrances
    if enter and enter_too and len(frames) == 3:  # noqa: PLR2004 - as above
        roles = ("hold-at-lock", "pass", "first", "wait-at-lock")
        places = (enter, frames[2], frames[0], enter_too)
        return tuple(_named(*each, kind) for each in zip(roles, places, strict=True))
    return _places(frames[1], frames[2:], kind if len(frames) == 3 else 0)  # noqa: PLR2004 - as above


def _has_text(file: str) -> bool:
    """Whether a file name can be given to a further run: it has no bytes that are no text."""
    return not any("\ud800" <= letter <= "\udfff" for letter in file)


def _step(code: CodeType, offset: int) -> Frame | None:
    """Return the instruction that takes the next item, of an iteration that begins or goes on."""
    known = flow.instructions(code)
    for place, instruction in enumerate(known):
        if instruction.offset != offset:
            continue
        if instruction.opname == "FOR_ITER":
            return code, offset
        after = known[place + 1 : place + 3]
        if instruction.opname == "GET_ITER":
            return next(((code, one.offset) for one in after if one.opname == "FOR_ITER"), None)
    return None


def _places(hold: Frame, others: Sequence[Frame], kind: int) -> tuple[CodePlace, ...]:
    roles = ("hold", "pass", "pass-too")
    return tuple(
        _named(role, frame, kind) for role, frame in zip(roles, (hold, *others), strict=False)
    )


def entrance(frames: Sequence[Frame], outside: Sequence[Frame], locks: set[str]) -> Frame | None:
    """Return the outermost `with` statement around an access that takes one of these locks.

    Args:
        frames: Of the access, the innermost first.
        outside: Of an access that is not in that block.
        locks: Names of locks.
    """
    for code, target in reversed(frames):
        for at, begin, end in flow.with_blocks(code):
            is_around = any(one is code and begin <= place < end for one, place in outside)
            if begin <= target < end and not is_around and naming.lock_name(code, at) in locks:
                return code, at
    return None


def _named(role: str, frame: Frame, kind: int) -> CodePlace:
    code, offset = frame
    line = next(
        (number for begin, end, number in code.co_lines() if begin <= offset < end and number), 0
    )
    return CodePlace(
        role, code.co_filename, code.co_qualname, code.co_firstlineno, offset, kind, line
    )
