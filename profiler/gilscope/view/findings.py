"""What was found, as views show it: any object with a finding's attributes will do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.view.section import Section

RANKS = ("high", "medium", "low", "info")


class Finding(Protocol):
    """One finding.

    Attributes:
        name: Short and stable, such as ``serialised-callbacks``.
        title: One line for people.
        severity: "high", "medium", "low" or "info".
        evidence: Lines with numbers.
        advice: What to do about it.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - see the class
    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def severity(self) -> str: ...  # noqa: D102
    @property
    def evidence(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def advice(self) -> str: ...  # noqa: D102


def findings_of(section: Section) -> list[dict[str, Any]]:
    """Return the findings of a section as plain objects, the gravest first."""
    found = [
        {
            "build": build,
            "name": str(finding.name),
            "title": str(finding.title),
            "severity": str(finding.severity),
            "evidence": _lines(finding.evidence),
            "advice": str(finding.advice),
            "places": _places(finding),
        }
        for build, finding in section.findings
    ]
    return sorted(found, key=lambda one: _rank(str(one["severity"])))


def _rank(severity: str) -> int:
    return RANKS.index(severity) if severity in RANKS else len(RANKS)


def _lines(evidence: Sequence[str] | str) -> list[str]:
    return [evidence] if isinstance(evidence, str) else [str(line) for line in evidence]


def _places(finding: Finding) -> list[list[int]]:
    """Return start and end (ns) and thread (its index, or 0) of what a reader can jump to."""
    result = []
    for place in getattr(finding, "intervals", ()):
        start = getattr(place, "start_ns", None)
        end = getattr(place, "end_ns", None)
        if start is not None and end is not None:
            result.append([int(start), int(end), int(getattr(place, "thread", 0) or 0)])
    return result
