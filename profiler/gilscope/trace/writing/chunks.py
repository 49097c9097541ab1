"""Parts of a trace file as bytes, for what writes traces of finished ones."""

from __future__ import annotations

import struct

import numpy as np

from gilscope.trace import format as fmt

ALIGNMENT = 64
MAX_SHIFT = 31  # of a short float


def chunk(
    kind: int,
    payload: bytes,
    *,
    sequence: int,
    open_ticks: int,
    thread: int = 0,
    sealed: bool = True,
) -> bytes:
    """A chunk."""
    size = fmt.CHUNK_HEADER_SIZE + len(payload)
    padding = -size % ALIGNMENT
    head = np.zeros(1, fmt.CHUNK_HEADER)
    head["magic"], head["kind"], head["size"] = fmt.CHUNK_MAGIC, kind, size + padding
    head["thread"], head["sequence"], head["open_ticks"] = thread, sequence, open_ticks
    checked = head.view(np.uint8)[: fmt.CHUNK_CHECKSUMMED]
    head["header_checksum"] = fmt.checksum(checked)
    if sealed:
        head["state"], head["used"] = fmt.SEALED, len(payload)
        head["checksum"] = fmt.checksum(np.frombuffer(payload, np.uint8))
    return b"".join([head.tobytes(), payload, bytes(padding)])


def definition(tag: int, body: bytes) -> bytes:
    """A definition."""
    body += bytes(-len(body) % 8)
    return struct.pack("<HHI", tag, 0, 8 + len(body)) + body


def short_floats(
    values: np.ndarray[tuple[int], np.dtype[np.int64]],
) -> np.ndarray[tuple[int], np.dtype[np.uint16]]:
    """Integers, not negative, rounded down to 11 significant bits, as FORMAT.md has them."""
    # frexp is exact below 2⁵³, which times are.
    shift = np.maximum(np.frexp(values.astype(np.float64))[1] - 11, 0)
    encoded = shift.astype(np.int64) << 11 | values >> shift
    return np.where(shift > MAX_SHIFT, 0xFFFF, encoded).astype(np.uint16)
