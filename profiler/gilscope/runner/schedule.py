"""How often each arm runs, and in which order: fewer times where a single run takes long."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG_S = 10.0
"""Seconds of a run above which a cell's runs are fewer, unless their number is asked for: the usual
14 would take minutes."""

FEW = 2
"""How often each arm is then timed. Once shows nothing."""


class Round(NamedTuple):
    """One run of each arm.

    Attributes:
        label: What it is, for people.
        probed: Whether the probe is on.
    """

    label: str
    probed: bool


WARM_UP = Round("first run, recorded, not counted", probed=True)


def rounds(repeat: int, recorded: int) -> Iterator[Round]:
    """Yield the rounds after the first one.

    Args:
        repeat: How many are timed without recording.
        recorded: How many are recorded, at most as many.
    """
    for number in range(1, repeat + 1):
        yield Round(f"run {number} of {repeat}, timed", probed=False)
        if number <= recorded:
            yield Round(f"run {number} of {recorded}, recorded", probed=True)
