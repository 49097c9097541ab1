"""Strings for the numbers in columns, each made when it is first met."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from gilscope.trace.arrays import I64

LIMIT = 1 << 17  # codes below it are looked up in a table, others in a dict
NONE = -1
_UNKNOWN = -2


class Labels:
    """Texts by code, numbered in the order in which they are met.

    Args:
        make: a code, which is not negative, → its text; "" for none.

    Attributes:
        strings: by number.
    """

    def __init__(self, make: Callable[[int], str]) -> None:
        self._make = make
        self._table = np.full(LIMIT + 1, _UNKNOWN, np.int64)  # the last one stays unknown
        self._beyond: dict[int, int] = {}
        self._told = 0
        self.strings: list[str] = []

    def numbers(self, codes: NDArray[np.integer[Any]]) -> I64:
        """Number of each code's text; `NONE` where there is none."""
        # numpy looks up by numbers of this type several times as fast as by others.
        places = codes.astype(np.int64, copy=False)
        if places.max(initial=0) > LIMIT:
            places = np.minimum(places, LIMIT)
        numbers: I64 = self._table[places]
        if numbers.min(initial=0) == _UNKNOWN:
            unknown = np.flatnonzero(numbers == _UNKNOWN)
            used, which = np.unique(codes[unknown], return_inverse=True)
            found = [self._number(code) for code in used.tolist()]
            numbers[unknown] = np.array(found, np.int64)[which]
        return numbers

    def new(self) -> list[tuple[int, str]]:
        """Numbers and texts that were met since this was last asked."""
        first, self._told = self._told, len(self.strings)
        return list(enumerate(self.strings[first:], first))

    def _number(self, code: int) -> int:
        number = self._beyond.get(code)
        if number is None:
            string = self._make(code)
            number = len(self.strings) if string else NONE
            self.strings += [string] if string else []
            if code < LIMIT:
                self._table[code] = number
            else:
                self._beyond[code] = number
        return number
