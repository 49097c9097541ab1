"""Protobuf's wire format: single values, and packets by the million.

The packets of one kind have one length: their numbers are varints of one width, padded with
continuation bits, which every protobuf parser accepts. So a packet is a copy of its template, into
which the encoded numbers of all packets are put column by column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gilscope.trace.arrays import I64, U8, U32, U64

type Integers = npt.NDArray[np.integer[Any]]
type Words = U32 | U64

VARINT, FIXED64, BYTES = 0, 1, 2
LOW_BITS, MORE = 0x7F, 0x80  # of a varint's byte: seven bits, and whether another byte follows
SHORT, LONG = 4, 8  # bytes of numbers in templates: below 2²⁸ and below 2⁵⁶ as varints


@dataclass(frozen=True, slots=True)
class Slot:
    """A number in a template that is different in each packet.

    Attributes:
        name: what it is.
        at: offset of its bytes.
        width: how many they are, `SHORT` or `LONG`.
    """

    name: str
    at: int
    width: int


@dataclass(frozen=True, slots=True)
class Message:
    """Bytes of a message with places for numbers."""

    data: bytes = b""
    slots: tuple[Slot, ...] = ()

    def __add__(self, other: Message) -> Message:
        """The fields of both."""
        later = (Slot(s.name, s.at + len(self.data), s.width) for s in other.slots)
        return Message(self.data + other.data, (*self.slots, *later))

    @property
    def names(self) -> list[str]:
        """Of its slots."""
        return [slot.name for slot in self.slots]

    def encode(self, values: Mapping[str, Words], n: int) -> U8:
        """The message n times, with these values.

        Args:
            values: of each slot, n of them or one for all, as they are in the message.
            n: how many.

        Returns:
            u8[n, length].
        """
        packets: U8 = np.frombuffer(bytearray(self.data) * n, np.uint8)
        packets = packets.reshape(n, len(self.data))
        for slot in self.slots:
            place = packets[:, slot.at : slot.at + slot.width]
            place.view(f"<u{slot.width}")[:, 0] = values[slot.name]
        return packets


def short(values: Integers) -> U32:
    """Numbers below 2²⁸ as varints of 4 bytes."""
    x = values.astype(np.uint32)
    return _spread(x, ((0x0FFFC000, 0x00003FFF, 2), (0x3F803F80, 0x007F007F, 1)), 0x00808080)


def long(values: Integers) -> U64:
    """Numbers below 2⁵⁶ as varints of 8 bytes."""
    steps = (
        (0x00FFFFFFF0000000, 0x000000000FFFFFFF, 4),
        (0x0FFFC0000FFFC000, 0x00003FFF00003FFF, 2),
        (0x3F803F803F803F80, 0x007F007F007F007F, 1),
    )
    return _spread(values.astype(np.uint64), steps, 0x0080808080808080)


def _spread[T: (U32, U64)](x: T, steps: Sequence[tuple[int, int, int]], more: int) -> T:
    """Move all but the lowest 7 bits of each half, quarter, eighth up, in place."""
    kind = x.dtype.type
    for high, low, by in steps:
        up = x & kind(high)
        up <<= kind(by)
        x &= kind(low)
        x |= up
    x |= kind(more)
    return x


def in_order(groups: Sequence[tuple[I64, U8]], n: int) -> memoryview:
    """Packets of several kinds, each at its place.

    Args:
        groups: (numbers of the packets in the order of all, packets of one kind).
        n: packets in all.
    """
    begins = np.zeros(n + 1, np.int64)
    for numbers, packets in groups:
        begins[1:][numbers] = packets.shape[1]
    np.cumsum(begins, out=begins)
    out = np.empty(int(begins[-1]), np.uint8)
    for numbers, packets in groups:
        size = packets.shape[1]
        whole = np.dtype((np.void, size))
        if len(numbers):
            # Every place where such a packet might begin; they overlap.
            windows: Any = np.ndarray(len(out) - size + 1, whole, out, strides=(1,))
            windows[begins[numbers]] = packets.view(whole)[:, 0]
    return out.data


def number(number: int, value: int) -> Message:
    """A field that holds one number, not negative."""
    return Message(_tag(number, VARINT) + _varint(value))


def varint(number: int, name: str, width: int) -> Message:
    """A field that holds a number that is different in each packet, `short` or `long`."""
    tag = _tag(number, VARINT)
    return Message(tag + bytes(width), (Slot(name, len(tag), width),))


def fixed64(number: int, name: str) -> Message:
    """A field that holds a number of 8 bytes that is different in each packet."""
    tag = _tag(number, FIXED64)
    return Message(tag + bytes(LONG), (Slot(name, len(tag), LONG),))


def message(number: int, body: Message) -> Message:
    """A field that holds a message."""
    return Message(_tag(number, BYTES) + _varint(len(body.data))) + body


def data(number: int, value: bytes) -> Message:
    """A field that holds bytes."""
    return message(number, Message(value))


def text(number: int, value: str) -> Message:
    """A field that holds a string."""
    return data(number, value.encode())


def _tag(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > LOW_BITS:
        encoded.append(value & LOW_BITS | MORE)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
