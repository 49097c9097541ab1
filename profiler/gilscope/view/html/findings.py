"""The findings with their evidence, as HTML that needs no script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gilscope.view.data.findings import findings_of
from gilscope.view.data.words import build_name
from gilscope.view.html.markup import element, join, prose, text

if TYPE_CHECKING:
    from typing import Any

    from gilscope.results.model import ComparisonData


def findings(comparison: ComparisonData) -> str:
    """Return the findings of all runs, the gravest first; nothing if there are none."""
    found = findings_of(comparison, {})
    if not found:
        return ""
    return join([element("h3", "Findings"), *map(_finding, found)])


def _finding(one: dict[str, Any]) -> str:
    about = (build_name(one["build"]), one["label"], one["page"] or one["name"])
    parts = [
        element("h4", f"{prose(one['title'])} <small>{text(' · '.join(about))}</small>"),
        element("ul", join(element("li", prose(line)) for line in one["evidence"])),
        element("p", prose(one["advice"])),
    ]
    return element("article", join(parts), f"finding {text(one['severity'])}")
