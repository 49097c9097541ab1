"""The order of lanes: the same in all timelines of a comparison.

The main thread comes first, then threads by their start. When the members of a pool start is left
to chance, though, and differs from run to run: threads whose names differ in nothing but numbers
are one group, which stands where its first member started and is ordered by the numbers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

NUMBER = re.compile(r"\d+")


def aligned(timelines: Sequence[Sequence[str]]) -> list[list[int]]:
    """Return, for each timeline, the positions of its threads in the order of display.

    Args:
        timelines: The names of the threads of each timeline, in the order of their start, the
            main thread first.
    """
    ranks: dict[str, int] = {}
    for names in timelines:
        for name in names[1:]:
            ranks.setdefault(_stem(name), len(ranks))

    def place(item: tuple[int, str]) -> tuple[int, int, list[int], int]:
        position, name = item
        return min(position, 1), ranks.get(_stem(name), 0), _numbers(name), position

    return [[position for position, _ in sorted(enumerate(n), key=place)] for n in timelines]


def _stem(name: str) -> str:
    return NUMBER.sub("#", name)


def _numbers(name: str) -> list[int]:
    return [int(number) for number in NUMBER.findall(name)]
