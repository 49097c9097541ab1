"""How an exporter tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

type Progress = Callable[[int], None]
"""Told of each so many intervals that are done."""


def silent(_done: int) -> None:
    """Tell nobody."""
