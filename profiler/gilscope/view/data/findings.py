"""What was found, as the page shows it: the ``findings`` of a summary, where there are any.

Each is an object with ``build``, ``name``, ``title``, ``severity``, ``evidence`` (lines) and
``advice``; it may have ``suspected``, ``page`` and ``intervals``: objects with ``start_s`` and
``end_s`` from the trace's start, and a ``note``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gilscope.view.data.section import Section

RANKS = ("high", "medium", "low")


def findings_of(section: Section) -> list[dict[str, Any]]:
    """Return the findings of a section with texts and places, the gravest first."""
    found = [_shown(one) for one in section.summary.get("findings", ())]
    return sorted(found, key=lambda one: _rank(one["severity"]))


def _shown(finding: Mapping[str, Any]) -> dict[str, Any]:
    severity = str(finding["severity"])
    return {
        "build": finding.get("build"),
        "name": str(finding["name"]),
        "title": str(finding["title"]),
        "severity": severity,
        "label": f"{severity}, suspected" if finding.get("suspected") else severity,
        "evidence": [str(line) for line in finding["evidence"]],
        "advice": str(finding["advice"]),
        "page": str(finding.get("page", "")),
        "places": [
            [round(place["start_s"] * 1e9), round(place["end_s"] * 1e9), str(place.get("note", ""))]
            for place in finding.get("intervals", ())
        ],
    }


def _rank(severity: str) -> int:
    return RANKS.index(severity) if severity in RANKS else len(RANKS)
