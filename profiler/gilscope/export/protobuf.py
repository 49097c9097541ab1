"""Protobuf's wire format: single values, and packets by the million.

The packets of one kind have one length: their numbers are varints of one width, padded with
continuation bits, which every protobuf parser accepts. Lengths are multiples of 8 bytes, so that
packets of several kinds can be put in order word by word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.trace.model import I64, U8, U64

type Integers = npt.NDArray[np.integer[Any]]

VARINT, FIXED64, BYTES = 0, 1, 2
LOW_BITS, MORE = 0x7F, 0x80  # of a varint's byte: seven bits, and whether another byte follows
WORD = 8  # bytes


@dataclass(frozen=True, slots=True)
class Slot:
    """A number in a template that is different in each packet.

    Attributes:
        name: what it is.
        at: offset of its bytes.
        width: of a varint; 0 for a fixed number of 8 bytes.
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

    def encode(self, values: dict[str, Integers], n: int) -> U64:
        """The message n times, with these values.

        Args:
            values: of each slot, n of them or one for all.
            n: how many.

        Returns:
            u64[n, length / 8].
        """
        packets: U8 = np.empty((n, len(self.data)), np.uint8)
        packets[:] = np.frombuffer(self.data, np.uint8)
        for slot in self.slots:
            place = packets[:, slot.at : slot.at + (slot.width or WORD)]
            column = values[slot.name].astype(np.uint64)
            if slot.width in (0, WORD):
                place.view("<u8")[:, 0] = column if slot.width == 0 else _spread(column)
            else:
                wide = _spread(column).astype("<u8").view(np.uint8).reshape(-1, WORD)
                place[:] = wide[:, : slot.width]
                place[:, -1] &= LOW_BITS
        return packets.view(np.uint64)


def _spread(values: U64) -> U64:
    """Numbers below 2⁵⁶ as varints of 8 bytes."""
    x = values.copy()
    for high, low, by in (
        (0x00FFFFFFF0000000, 0x000000000FFFFFFF, 4),
        (0x0FFFC0000FFFC000, 0x00003FFF00003FFF, 2),
        (0x3F803F803F803F80, 0x007F007F007F007F, 1),
    ):
        x = (x & np.uint64(high)) << np.uint64(by) | x & np.uint64(low)
    return x | np.uint64(0x0080808080808080)


def in_order(groups: Sequence[tuple[I64, U64]], n: int) -> memoryview:
    """Packets of several kinds, each at its place.

    Args:
        groups: (numbers of the packets in the order of all, packets of one kind).
        n: packets in all.
    """
    lengths = np.zeros(n, np.int64)
    for numbers, packets in groups:
        lengths[numbers] = packets.shape[1]
    begins = np.cumsum(lengths) - lengths
    out = np.empty(int(lengths.sum()), np.uint64)
    for numbers, packets in groups:
        whole = np.dtype((np.void, packets.shape[1] * WORD))
        if len(numbers):
            # Every place where such a packet might begin; they overlap.
            shape = len(out) - packets.shape[1] + 1
            windows: Any = np.ndarray(shape, whole, out, strides=WORD)
            windows[begins[numbers]] = packets.view(whole)[:, 0]
    return out.data


def number(number: int, value: int, *, width: int = 0) -> Message:
    """A field that holds one number, not negative, in at least so many bytes."""
    return Message(_tag(number, VARINT) + _varint(value, width))


def varint(number: int, name: str, width: int) -> Message:
    """A field that holds a number that is different in each packet."""
    tag = _tag(number, VARINT)
    blank = bytes([MORE] * (width - 1) + [0])
    return Message(tag + blank, (Slot(name, len(tag), width),))


def fixed64(number: int, name: str) -> Message:
    """A field that holds a number of 8 bytes that is different in each packet."""
    tag = _tag(number, FIXED64)
    return Message(tag + bytes(WORD), (Slot(name, len(tag), 0),))


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


def _varint(value: int, width: int = 0) -> bytes:
    encoded = bytearray()
    while value > LOW_BITS or len(encoded) + 1 < width:
        encoded.append(value & LOW_BITS | MORE)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
