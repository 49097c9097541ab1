"""What the machine did while programs ran."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Conditions:
    """Under what conditions the arms ran.

    Attributes:
        cpus: Numbers of the processors that the workers could run on.
        load_before: Average number of runnable processes when the runs began: over the last 1, 5
            and 15 minutes.
        load_after: The same when they had ended: the workers themselves are in it.
        others: How many of these processors all other processes took together, on average; None
            if the system does not say.
    """

    cpus: tuple[int, ...]
    load_before: tuple[float, float, float]
    load_after: tuple[float, float, float]
    others: float | None
