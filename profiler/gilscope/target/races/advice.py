"""Explains a race: its effect, observed or possible, and the repair."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gilscope.race import Access


def words(
    kind: str,
    variable: str,
    accesses: tuple[Access, ...],
    *,
    witnessed: int,
    split: bool,
    shared_iterator: bool,
) -> tuple[str, str]:
    """Return what happened and the advice."""
    if kind == "lost-update":
        return _lost_update(variable, accesses, witnessed), _hold(accesses, split=split)
    if kind == "check-then-act":
        return _check_then_act(variable, accesses, witnessed), _hold(
            accesses, split=split, span="from the check to the act"
        )
    if kind == "iteration":
        said = _shared(variable, accesses) if shared_iterator else None
        return said or _iteration(variable, accesses, witnessed), _iteration_advice(
            variable, shared=shared_iterator
        )
    if kind == "torn-pair":
        return (
            f"{variable} are written together, and read together while they may be half written.",
            "Write and read them under one lock, or keep both in one tuple that is replaced.",
        )
    return (
        f"{variable} is written and read by two threads without any order between them.",
        "If the order matters, use an Event, a Queue or a lock.",
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _lost_update(variable: str, accesses: tuple[Access, ...], witnessed: int) -> str:
    read, write, other = accesses
    if witnessed:
        return (
            f"{_times(witnessed)}, thread {other.thread} wrote {variable} after thread "
            f"{read.thread} had read it and before that thread wrote it back: that write was lost."
        )
    return (
        f"Nothing orders the write by thread {other.thread} against the update by thread "
        f"{write.thread}: when it comes between the read and the write, it is lost."
    )


def _check_then_act(variable: str, accesses: tuple[Access, ...], witnessed: int) -> str:
    check, act, other = accesses
    if witnessed:
        return (
            f"{_times(witnessed)}, thread {other.thread} changed {variable} after thread "
            f"{check.thread} had checked it and before that thread acted on the check."
        )
    return (
        f"Nothing orders the change by thread {other.thread} against the check and the act by "
        f"thread {act.thread}: both threads can find the check true and act."
    )


def _shared(variable: str, accesses: tuple[Access, ...]) -> str:
    first, other = accesses
    return (
        f"Threads {first.thread} and {other.thread} advance one iterator, {variable}, without "
        "order: without the GIL it can give an item twice or skip one."
    )


def _iteration(variable: str, accesses: tuple[Access, ...], witnessed: int) -> str:
    first, other = accesses
    if witnessed:
        return (
            f"{_times(witnessed)}, thread {other.thread} changed {variable} while thread "
            f"{first.thread} was going over it."
        )
    return (
        f"Nothing orders the change by thread {other.thread} against the iteration by thread "
        f"{first.thread}: it can raise RuntimeError, or skip items."
    )


def _iteration_advice(variable: str, *, shared: bool) -> str:
    if shared:
        return (
            "Put a lock around next(), or let one thread put the items into a queue.Queue from "
            "which the others take them."
        )
    name = variable.partition(" of ")[0]
    return f"Hold one lock for the iteration and the change, or go over a copy: list({name})."


def _hold(
    accesses: tuple[Access, ...], *, split: bool, span: str = "from the read to the write"
) -> str:
    read, write, other = accesses
    if split:
        names = [name for name in read.locks if name in write.locks]
        lock = names[0] if names else "The lock"
        return f"{lock} is given back in between. Hold it {span}."
    own = set(read.locks) & set(write.locks)
    if own and not other.locks:
        return (
            f"Thread {write.thread} holds {', '.join(sorted(own))} here; thread {other.thread} "
            f"holds nothing at {other.place.file}:{other.place.line}. Hold it there too."
        )
    if other.locks and not own:
        return (
            f"Thread {other.thread} holds {', '.join(other.locks)} there; hold the same lock here "
            f"{span}."
        )
    if other.locks and own:
        return (
            f"The threads hold different locks ({', '.join(sorted(own))} and "
            f"{', '.join(other.locks)}). Let both hold the same one {span}."
        )
    return f"Hold one lock {span}, in both threads."
