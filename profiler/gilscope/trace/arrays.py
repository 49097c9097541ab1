"""Names for the types of numpy arrays that gilscope works with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

type U8 = npt.NDArray[np.uint8]
type U16 = npt.NDArray[np.uint16]
type U32 = npt.NDArray[np.uint32]
type U64 = npt.NDArray[np.uint64]
type I32 = npt.NDArray[np.int32]
type I64 = npt.NDArray[np.int64]
type Bools = npt.NDArray[np.bool_]
type Rows = Bools | npt.NDArray[np.integer[Any]] | slice


def later(start: I64, ns: int) -> I64:
    """Return times ``ns`` later; they cannot be written to."""
    later: I64 = start + ns
    later.flags.writeable = False
    return later
