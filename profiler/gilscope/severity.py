"""Severity of findings: one order for analysis, commands and views."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """The severity of a finding, the highest first."""

    HIGH = "high"  # the run is invalid, or stands still
    MEDIUM = "medium"  # it costs time, or is a hazard
    LOW = "low"  # suspected, or a small cost

    @property
    def rank(self) -> int:
        """Its place in the order; 0 is the highest."""
        return list(type(self)).index(self)
