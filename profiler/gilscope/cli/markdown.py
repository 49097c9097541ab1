"""Markdown for the summary of a job on a forge. Standard library only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gilscope.cli.plain import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PAGES = "https://github.com/gilscope/gilscope/blob/main/docs/findings"


def item(
    title: str, marks: Iterable[str], page: str, evidence: Iterable[str], advice: str
) -> Iterator[str]:
    """Yield the lines of one entry of a list.

    Args:
        title: What is wrong.
        marks: Severity and the like, which follow it in brackets.
        page: Name of the page that explains it.
        evidence: Lines below it.
        advice: The repair.
    """
    link = f"[{page}]({PAGES}/{page}.md)"
    yield f"- **{escaped(title)}** ({', '.join([*marks, link])})"
    yield from (f"  - {escaped(line)}" for line in evidence)
    yield f"  - **Do:** {escaped(advice)}"


def escaped(line: str) -> str:
    """Escape a line for Markdown, except what is in code."""
    parts = clean(line).split("`")
    if len(parts) % 2 == 0:  # an odd backtick: none of them begins code
        return re.sub(r"([\\`*_<>\[\]|#])", r"\\\1", clean(line))
    parts[::2] = [re.sub(r"([\\*_<>\[\]|#])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)
