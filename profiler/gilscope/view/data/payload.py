"""Numbers on their way to the page: columns of integers, small, in one piece.

A column is turned into differences where that helps, its signs are folded into the lowest bit,
and the bytes of its numbers are put plane by plane, which is what makes deflate effective. The
page undoes it (app/payload.js).
"""

from __future__ import annotations

import json
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping

LEVEL = 6


def pack(meta: Mapping[str, Any], columns: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Return ``meta`` and the integer columns, deflated.

    The layout, once inflated: u32 length of a JSON object, the object, the columns one behind the
    other. The object is ``meta`` with ``columns``: name → [rows, bytes a number, differences].
    """
    layout, parts = {}, []
    for name, column in columns.items():
        planes, layout[name] = _planes(np.asarray(column))
        parts.append(planes)
    head = json.dumps({**meta, "columns": layout}, separators=(",", ":")).encode()
    return zlib.compress(b"".join([struct.pack("<I", len(head)), head, *parts]), LEVEL)


def _planes(column: npt.NDArray[Any]) -> tuple[bytes, tuple[int, int, int]]:
    values = column.astype(np.int64)
    # Times ascend within a lane; small codes do not gain from differences.
    steps = column.dtype == np.int64
    if steps:
        values = np.diff(values, prepend=0)
    folded = ((values << 1) ^ (values >> 63)).astype(np.uint64)
    width = max(1, (int(folded.max(initial=0)).bit_length() + 7) // 8)
    planes = folded.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :width]
    return np.ascontiguousarray(planes.T).tobytes(), (len(values), width, int(steps))
