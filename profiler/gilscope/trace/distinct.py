"""The different values of a column, quicker than by sorting where they are small numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from gilscope.trace.arrays import I64

LIMIT = 1 << 22  # values below it are marked in a table


def distinct(values: npt.NDArray[np.integer[Any]]) -> tuple[I64, I64]:
    """The different values, increasing, and the position among them of each of the n values."""
    if len(values) and int(values.min()) >= 0 and int(values.max()) < LIMIT:
        rows = values.astype(np.intp, copy=False)
        table = np.bincount(rows)
        used = np.flatnonzero(table)
        table[used] = np.arange(len(used))
        return used, np.take(table, rows)
    found, places = np.unique(values.astype(np.int64), return_inverse=True)
    return found, places
