"""Thread slots of a trace file → threads, and what they were in the middle of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gilscope.trace import format as fmt
from gilscope.trace.model import Thread, Threads
from gilscope.trace.reading.definitions import text
from gilscope.trace.reading.events import OpenInterval
from gilscope.trace.reading.records import MAX_INDEX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import numpy as np

    from gilscope.trace.reading.chunks import Chunk
    from gilscope.trace.reading.clock import ClockMap

_WAITS = (
    fmt.Event.GIL_WAIT,
    fmt.Event.GIL_SWITCH_WAIT,
    fmt.Event.LOCK_WAIT,
    fmt.Event.SPIN,
)


@dataclass(frozen=True, slots=True)
class Slot:
    """A thread's slot; fields as in FORMAT.md."""

    thread: int
    tid: int = 0
    ident: int = 0
    start_ticks: int = 0
    end_ticks: int = 0
    dropped: int = 0
    flags: int = 0
    open_gil: int = 0
    open_hold: int = 0
    open_wait: int = 0
    open_wait_kind: int = 0
    open_wait_what: int = 0
    open_wait_peer: int = 0
    open_hold_flags: int = 0
    os_name: bytes = b""
    open_callback: int = 0
    open_callback_what: int = 0
    open_callback_callable: int = 0
    open_wait_stack: int = 0
    open_wait_flags: int = 0

    @property
    def main(self) -> bool:
        """It is the process's main thread."""
        return bool(self.flags & fmt.ThreadFlag.MAIN)

    @property
    def native(self) -> bool:
        """It was started by native code."""
        return bool(self.flags & fmt.ThreadFlag.NATIVE)


def read_slots(chunks: Iterable[Chunk], dtype: np.dtype[Any]) -> tuple[dict[int, Slot], list[str]]:
    """All slots in use, by thread index, and what is wrong with them."""
    slots: dict[int, Slot] = {}
    wrong = 0
    for chunk in chunks:
        records = chunk.payload[: len(chunk.payload) // dtype.itemsize * dtype.itemsize].view(dtype)
        for record in records[records["thread"] != 0]:
            slot = Slot(**{name: record[name].item() for name in Slot.__dataclass_fields__})
            if slot.thread > MAX_INDEX or slot.thread in slots:
                wrong += 1
            else:
                slots[slot.thread] = slot
    return slots, [f"damaged thread slots: {wrong} left out"] if wrong else []


def latest(slots: Iterable[Slot], clock: ClockMap) -> int:
    """The last time stamp in the slots, ns from the start; 0 if there is none."""
    stamps = (clock.one(ticks) for slot in slots for ticks in _stamps(slot) if ticks)
    return max((ns for ns in stamps if ns is not None), default=0)


def _stamps(slot: Slot) -> tuple[int, ...]:
    return slot.start_ticks, slot.end_ticks, slot.open_hold, slot.open_wait, slot.open_callback


def open_intervals(
    slots: Iterable[Slot], own: frozenset[int], clock: ClockMap, end_ns: int
) -> Iterator[OpenInterval]:
    """Return the holds and waits that were open, closed when their thread ended, or at `end_ns`.

    Threads that are left out, ``own``, are nobody's peer.
    """
    for slot in slots:
        end = _end(slot, clock, end_ns)
        for kind, flags, what, since, peer, stack in _open(slot):
            start = clock.one(since) if since else None
            if start is not None:
                # What began before the session counts from its start, as in records.
                start = max(start, 0)
                yield OpenInterval(
                    kind=kind,
                    flags=flags & 0xFF,
                    what=what,
                    thread=slot.thread,
                    start=start,
                    end=max(start, end),
                    peer=0 if peer > MAX_INDEX or (kind in _WAITS and peer in own) else peer,
                    stack=stack,
                )


def _open(slot: Slot) -> Iterator[tuple[int, int, int, int, int, int]]:
    """Kind, flags, what, start in ticks or 0, peer and stack of what may be open."""
    yield fmt.Event.GIL_HOLD, slot.open_hold_flags, slot.open_gil, slot.open_hold, 0, 0
    if slot.open_wait_kind in _WAITS:
        kind, what = fmt.Event(slot.open_wait_kind), slot.open_wait_what
        peer, stack = slot.open_wait_peer, slot.open_wait_stack
        yield kind, slot.open_wait_flags, what, slot.open_wait, peer, stack
    what, called = slot.open_callback_what, slot.open_callback_callable
    yield fmt.Event.CALLBACK, 0, what, slot.open_callback, called, 0


def make_threads(
    slots: Mapping[int, Slot], names: Mapping[int, str], clock: ClockMap, end_ns: int
) -> Threads:
    """Threads in the order of the lanes: the main thread, then by start."""
    main_os_name = next((slot.os_name for slot in slots.values() if slot.main), b"")
    threads = []
    for slot in slots.values():
        start = min(max(clock.one(slot.start_ticks) or 0, 0), end_ns)
        thread = Thread(
            index=slot.thread,
            name=names.get(slot.thread) or _default_name(slot, main_os_name),
            tid=slot.tid,
            ident=slot.ident,
            native=slot.native,
            main=slot.main,
            start_ns=start,
            end_ns=max(start, _end(slot, clock, end_ns)),
            dropped=slot.dropped,
        )
        threads.append(thread)
    return Threads(sorted(threads, key=lambda t: (not t.main, t.start_ns, t.index)))


def _end(slot: Slot, clock: ClockMap, end_ns: int) -> int:
    end = clock.one(slot.end_ticks) if slot.end_ticks else None
    return end_ns if end is None or end < 0 else min(end, end_ns)


def _default_name(slot: Slot, main_os_name: bytes) -> str:
    if slot.main:
        return "MainThread"
    # Linux hands the kernel's name down to new threads: an inherited one is no name.
    if slot.os_name and slot.os_name != main_os_name:
        return text(slot.os_name)
    number = slot.tid or slot.thread
    return f"native thread {number}" if slot.native else f"thread {number}"
