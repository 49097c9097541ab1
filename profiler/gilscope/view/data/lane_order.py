"""The order of lanes: the same in all timelines of a comparison.

The main thread comes first, then threads by their start. When the members of a pool start is left
to chance, though, and differs from run to run: threads whose names differ in nothing but numbers
are one group, which stands where its first member started and is ordered by the numbers. Threads of
a subinterpreter with a GIL of its own come together, behind those of the main interpreter.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.trace.model import Thread

NUMBER = re.compile(r"\d+")


def aligned(timelines: Sequence[Sequence[Thread]]) -> list[list[int]]:
    """Return, for each timeline, the positions of its threads in the order of display.

    Args:
        timelines: The threads of each timeline, in the order of their start, the main thread first.
    """
    ranks: dict[str, int] = {}
    for threads in timelines:
        for thread in threads[1:]:
            ranks.setdefault(_stem(thread.name), len(ranks))

    def place(item: tuple[int, Thread]) -> tuple[int, int, int, list[int], int]:
        position, thread = item
        name, group = thread.name, thread.interpreter
        return min(position, 1), group, ranks.get(_stem(name), 0), _numbers(name), position

    return [[position for position, _ in sorted(enumerate(n), key=place)] for n in timelines]


def _stem(name: str) -> str:
    return NUMBER.sub("#", name)


def _numbers(name: str) -> list[int]:
    return [int(number) for number in NUMBER.findall(name)]
