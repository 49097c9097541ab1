"""The packets of a Perfetto trace, as templates of which the numbers are filled in."""

from __future__ import annotations

from enum import IntFlag
from functools import cache

from gilscope.export.perfetto import protobuf as wire
from gilscope.export.perfetto.protobuf import LONG, SHORT, Message
from gilscope.export.scene import ENDED_BY, HELD_BY

SEQUENCE = 1
STATE_CLEARED, NEEDS_STATE = 1, 2
_BEGIN, _END, _INSTANT, _COUNTER = 1, 2, 3, 4
ADDRESS_LIMIT = 1 << 56  # no address of a process reaches it

CATEGORIES = ("gil", "lock", "callback", "span", "race")
ANNOTATIONS = (
    HELD_BY,
    ENDED_BY,
    "address",
    "note",
    "switch intervals",
    "stack",
    "from",
    "to get in (ns)",
    "bytes",
    "at",
)
# Interned data: which table a field of TrackEvent or DebugAnnotation refers to.
CATEGORY_TABLE, NAME_TABLE, ANNOTATION_TABLE, VALUE_TABLE = 1, 2, 3, 29


class Has(IntFlag):
    """What the beginning of a slice has besides track, time and name."""

    LOCK = 1
    FLOW_OUT = 2
    FLOW_IN = 4
    HELD_BY = 8
    ENDED_BY = 16
    ADDRESS = 32
    NOTE = 64
    TIMES = 128
    STACK = 256
    CONTENTION = 512


@cache
def begin(has: int) -> Message:
    """The beginning of an interval's slice, and of the contention's slice inside it."""
    category = CATEGORIES.index("lock" if has & Has.LOCK else "gil")
    event = _head(_BEGIN) + _category(category) + wire.varint(10, "name", SHORT)
    if has & Has.FLOW_OUT:
        event += wire.fixed64(47, "flow_out")
    if has & Has.FLOW_IN:
        event += wire.fixed64(48, "flow_in")
    for flag, name, slot in (
        (Has.HELD_BY, HELD_BY, "peer"),
        (Has.ENDED_BY, ENDED_BY, "peer"),
        (Has.NOTE, "note", "note"),
        (Has.STACK, "stack", "stack"),
    ):
        if has & flag:
            event += _annotation(name, wire.varint(17, slot, SHORT))
    if has & Has.ADDRESS:
        event += _annotation("address", wire.varint(7, "address", LONG))
    if has & Has.TIMES:
        event += _annotation("switch intervals", wire.varint(3, "times", SHORT))
    packet = _packet(event)
    if has & Has.CONTENTION:
        inside = _head(_BEGIN) + _category(CATEGORIES.index("lock"))
        packet += _packet(inside + wire.varint(10, "contention", SHORT))
    return packet


@cache
def end(slices: int = 1) -> Message:
    """The ends of several nested slices."""
    packet = _packet(_head(_END))
    return packet if slices == 1 else packet + end(slices - 1)


@cache
def callback() -> Message:
    """The beginning of a callback's slice."""
    event = _named(_BEGIN, "callback")
    event += _annotation("from", wire.varint(17, "from", SHORT))
    event += _annotation("to get in (ns)", wire.varint(3, "enter", LONG))
    return _packet(event)


@cache
def span(*, sized: bool) -> Message:
    """The beginning of a span's slice."""
    event = _named(_BEGIN, "span")
    if sized:
        event += _annotation("bytes", wire.varint(3, "bytes", LONG))
    return _packet(event)


@cache
def instant(*, wakes: bool) -> Message:
    """A moment at which a thread wakes another one, or is woken, with an arrow between them."""
    event = _named(_INSTANT, "lock")
    event += wire.varint(11, "track", SHORT)
    return _packet(event + wire.fixed64(47 if wakes else 48, "flow"))


@cache
def mark(*, last: bool) -> Message:
    """An access of a race, with an arrow from the one before it and to the next one."""
    event = _named(_INSTANT, "race") + wire.varint(11, "track", SHORT)
    event += _annotation("at", wire.varint(17, "place", SHORT))
    return _packet(event + wire.fixed64(48 if last else 47, "flow"))


@cache
def counter() -> Message:
    """A counter's value."""
    return _packet(_head(_COUNTER) + wire.varint(30, "value", SHORT))


def descriptor(track: int, body: Message) -> bytes:
    """What a track is."""
    packet = wire.message(60, wire.number(1, track) + body) + wire.number(10, SEQUENCE)
    return wire.message(1, packet).data


def state(interned: bytes = b"", *, track: int = 0, first: bool = False) -> bytes:
    """What the packets that follow refer to.

    Args:
        interned: strings, besides those of before.
        track: where the events are that do not name one; 0 for the same as before.
        first: forget what was before.
    """
    body = wire.data(12, interned) if interned else Message()
    if track:
        body += wire.message(59, wire.message(11, wire.number(11, track)))
    body += wire.number(10, SEQUENCE)
    body += wire.number(13, NEEDS_STATE | STATE_CLEARED if first else NEEDS_STATE)
    return wire.message(1, body).data


def interned(table: int, number: int, text: str) -> bytes:
    """A string of a table."""
    return wire.message(table, wire.number(1, number) + wire.text(2, text)).data


def _head(kind: int) -> Message:
    return wire.number(9, kind)


def _named(kind: int, category: str) -> Message:
    """An event of a category, whose name is different in each packet."""
    return _head(kind) + _category(CATEGORIES.index(category)) + wire.varint(10, "name", SHORT)


def _category(number: int) -> Message:
    return wire.number(3, 1 + number)


def _annotation(name: str, value: Message) -> Message:
    return wire.message(4, wire.number(1, 1 + ANNOTATIONS.index(name)) + value)


def _packet(event: Message) -> Message:
    body = wire.varint(8, "time", LONG) + wire.number(10, SEQUENCE)
    return wire.message(1, body + wire.number(13, NEEDS_STATE) + wire.message(11, event))
