"""Protobuf's wire format, for single values and for columns of them.

Numbers in columns are written as varints of one width, padded with continuation bits, which every
protobuf parser accepts: so a message is a row of parts of fixed size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gilscope.export.rows import ALL, Integers, Part, constant, raw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.trace.model import U8

VARINT, FIXED64, BYTES = 0, 1, 2
LOW_BITS, MORE = 0x7F, 0x80  # of a varint's byte: seven bits, and whether another byte follows
LENGTH_WIDTH = 3  # bytes of a message's length: up to 2 MiB


def message(number: int, parts: Sequence[Part]) -> list[Part]:
    """A field that holds a message of these parts, of different length in each record."""
    lengths = sum((part.lengths() for part in parts), np.zeros(1, np.int64))
    prefix = constant(_tag(number, BYTES))
    return [prefix, Part(_varints(lengths, LENGTH_WIDTH), ALL), *parts]


def field(number: int, values: Integers, width: int) -> Part:
    """A field that holds a number, n of them or one for all."""
    tag = np.frombuffer(_tag(number, VARINT), np.uint8)
    tags = np.broadcast_to(tag, (len(values), len(tag)))
    return Part(np.concatenate([tags, _varints(values, width)], axis=1), ALL)


def fixed64(number: int, values: Integers) -> Part:
    """A field that holds a number of 8 bytes, n of them."""
    tag = np.frombuffer(_tag(number, FIXED64), np.uint8)
    tags = np.broadcast_to(tag, (len(values), len(tag)))
    return Part(np.concatenate([tags, raw(values.astype("<u8")).data], axis=1), ALL)


def _varints(values: Integers, width: int) -> U8:
    """Numbers as varints of one width, u8[n, width]; what does not fit loses its upper bits."""
    encoded = np.empty((len(values), width), np.uint8)
    rest = values.astype(np.uint64)
    for place in range(width):
        # Conversion to u8 keeps the low byte; its top bit is set or cleared below.
        encoded[:, place] = rest.astype(np.uint8)
        rest >>= np.uint64(7)
    encoded[:, :-1] |= MORE
    encoded[:, -1] &= LOW_BITS
    return encoded


def _tag(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > LOW_BITS:
        encoded.append(value & LOW_BITS | MORE)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def number(number: int, value: int) -> bytes:
    """A field that holds one number, not negative."""
    return _tag(number, VARINT) + _varint(value)


def data(number: int, value: bytes) -> bytes:
    """A field that holds bytes: a string, or a message that is encoded already."""
    return _tag(number, BYTES) + _varint(len(value)) + value


def text(number: int, value: str) -> bytes:
    """A field that holds a string."""
    return data(number, value.encode())
