"""Encode many records at once: columns of bytes, of which each row keeps what it needs.

A record is a row of parts side by side. Each part is a matrix of bytes with one row a record, and
a mask says which of them are there. Joined, the masked bytes are the records one after the other,
without a Python loop over them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gilscope.trace.arrays import U8, Bools

type Integers = npt.NDArray[np.integer[Any]]

BLOCK = 1 << 14  # records that are encoded at a time
_ZERO = ord("0")


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One part of n records.

    Attributes:
        data: u8[n, w] or, the same for all, u8[1, w].
        keep: bool[n or 1, w or 1]: the bytes that are there.
    """

    data: U8
    keep: Bools

    def only(self, rows: Bools) -> Part:
        """The part in these records only (bool[n]); in the others it is left out."""
        return Part(self.data, self.keep & rows[:, None])

    def lengths(self) -> Integers:
        """Bytes in each record, i64[n or 1]."""
        same = self.keep.shape[1] == 1
        lengths: Integers = self.keep.sum(axis=1) * (self.data.shape[1] if same else 1)
        return lengths


ALL: Bools = np.ones((1, 1), np.bool_)


def constant(data: bytes) -> Part:
    """The same bytes in every record."""
    return Part(np.frombuffer(data, np.uint8)[None, :], ALL)


def raw(values: npt.NDArray[Any]) -> Part:
    """The bytes of numbers as they are in memory."""
    contiguous = np.ascontiguousarray(values)
    return Part(contiguous.view(np.uint8).reshape(len(values), -1), ALL)


def texts(strings: Sequence[bytes], index: Integers) -> Part:
    """Strings without NUL bytes, by number: record i has `strings[index[i]]`."""
    used, places = np.unique(index, return_inverse=True)
    # No more of the strings than this block needs: one of them may be long.
    table = np.array([strings[i] for i in used.tolist()], np.bytes_)
    data = table[places].view(np.uint8).reshape(len(index), -1)
    return Part(data, data != 0)


def decimal(values: Integers, *, least: int = 1) -> Part:
    """Numbers that are not negative, in decimal, with at least so many digits."""
    width = max(len(str(int(values.max(initial=0)))), least)
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    leading = values[:, None] // powers
    keep = leading > 0
    keep[:, width - least :] = True
    return Part((leading % 10 + _ZERO).astype(np.uint8), keep)


def join(parts: Sequence[Part], n: int) -> bytes:
    """The n records one after the other."""
    parts = [part for part in parts if part.keep.any()]
    data = [np.broadcast_to(part.data, (n, part.data.shape[1])) for part in parts]
    keep = [np.broadcast_to(part.keep, (n, part.data.shape[1])) for part in parts]
    joined: U8 = np.concatenate(data, axis=1)[np.concatenate(keep, axis=1)]
    return joined.tobytes()


def blocks(n: int) -> Iterator[slice]:
    """Cut n records into blocks."""
    for at in range(0, n, BLOCK):
        yield slice(at, min(at + BLOCK, n))
