"""Strings that a Perfetto trace says once, and refers to by number from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gilscope.export.perfetto import packets
from gilscope.export.perfetto import protobuf as wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.export.labels import Labels
    from gilscope.export.perfetto.protobuf import Integers
    from gilscope.trace.arrays import U32


class Strings:
    """Labels that are interned in one table, each with numbers of its own.

    Args:
        table: of the interned data.
        labels: all that share it.
    """

    def __init__(self, table: int, labels: Sequence[Labels]) -> None:
        self._table = table
        self._labels = labels
        self._encoded = [np.zeros(0, np.uint32)] * len(labels)

    def encoded(self, labels: Labels, numbers: Integers) -> U32:
        """Numbers in the table, as packets have them."""
        place = self._labels.index(labels)
        if len(self._encoded[place]) < len(labels.strings):
            # For twice as many, so that it is not made often.
            later = np.arange(2 * len(labels.strings))
            self._encoded[place] = wire.short(1 + later * len(self._labels) + place)
        encoded: U32 = self._encoded[place][numbers]
        return encoded

    def new(self) -> bytes:
        """What the trace does not say yet."""
        return b"".join(
            packets.interned(self._table, 1 + number * len(self._labels) + place, string)
            for place, labels in enumerate(self._labels)
            for number, string in labels.new()
        )
