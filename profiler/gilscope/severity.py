"""How grave a finding is: one order for analysis, commands and views."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """How bad it is, the gravest first."""

    HIGH = "high"  # the run is invalid, or stands still
    MEDIUM = "medium"  # it costs time, or is a hazard
    LOW = "low"  # suspected, or a small cost

    @property
    def rank(self) -> int:
        """Its place in the order; 0 is the gravest."""
        return list(type(self)).index(self)
