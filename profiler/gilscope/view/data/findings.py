"""Findings as the page shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gilscope.analysis.findings import Finding
    from gilscope.results.model import ComparisonData


def findings_of(
    comparison: ComparisonData, lanes: Mapping[str, Mapping[int, int]]
) -> list[dict[str, Any]]:
    """Return the findings of all runs with texts and places, the gravest first.

    Args:
        comparison: Where they were found.
        lanes: By build, the lane of each thread, by its index.
    """
    found = sorted(comparison.findings, key=lambda pair: pair[1].severity.rank)
    return [_shown(build, one, lanes.get(build, {})) for build, one in found]


def _shown(build: str, finding: Finding, lanes: Mapping[int, int]) -> dict[str, Any]:
    severity = str(finding.severity)
    return {
        "build": build,
        "name": finding.name,
        "title": finding.title,
        "severity": severity,
        "label": f"{severity}, suspected" if finding.suspected else severity,
        "evidence": list(finding.evidence),
        "advice": finding.advice,
        "page": finding.page,
        "places": [
            [jump.start_ns, jump.end_ns, jump.note, lanes.get(jump.thread, -1)]
            for jump in finding.intervals
        ],
    }
