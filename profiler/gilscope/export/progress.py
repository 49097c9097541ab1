"""How an exporter reports its progress."""

from __future__ import annotations

from collections.abc import Callable

type Progress = Callable[[int], None]
"""Called with the number of intervals done since the last call."""


def silent(_done: int) -> None:
    """Report nothing."""
