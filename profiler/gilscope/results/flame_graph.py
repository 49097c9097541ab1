"""A flame graph as a picture that any browser shows, alone or in a page; it runs no script."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from gilscope.analysis.stacks import short
from gilscope.text import time_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WIDTH, ROW, MARGIN, HEAD, LINE = 1200, 19, 10, 58, 16  # pixels
LEAST = 0.3  # pixels; what is narrower is not drawn
PER_CHARACTER = 6.6  # pixels of a character of the font
FRAMES = "#DCE6EE", "#CBD9E4"  # one row is told from the next one
SHORTEST = 3  # characters of a label
MAX_DEPTH = 300
_PLACE = re.compile(r" \([^()]*:\d+\)$")  # behind a function

STYLE = (
    ".flame text{font:11px ui-monospace,Menlo,Consolas,monospace;fill:#1a1a1a}"
    ".flame .title{font:600 16px system-ui,sans-serif}"
    ".flame .note{font:12px system-ui,sans-serif;fill:#555}"
    ".flame rect{stroke:#fff;stroke-width:.6}.flame g:hover>rect{stroke:#000}"
)


@dataclass(slots=True)
class Node:
    """A frame with the time spent in it.

    Attributes:
        name: the frame.
        total_ns: in it and below it.
        count: of waits; 0 where time is not one of waits.
        colour: of its box; "" for the colour of its row.
        inside: what it called.
    """

    name: str
    total_ns: int = 0
    count: int = 0
    colour: str = ""
    inside: dict[str, Node] = field(default_factory=dict)


def drawing(root: Node, title: str, about: Sequence[str], legend: Sequence[str]) -> str:
    """Return the SVG of a flame graph.

    Args:
        root: Its tree.
        title: Its headline.
        about: Lines below that.
        legend: Elements that stand beside the first of these.
    """
    head = HEAD + LINE * (len(about) - 1)
    height = head + _depth(root) * ROW + MARGIN
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    scale = (WIDTH - 2 * MARGIN) / max(root.total_ns, 1)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="flame" {size}>',
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text class="title" x="{MARGIN}" y="26">{escape(title)}</text>',
        *(
            f'<text class="note" x="{MARGIN}" y="{45 + LINE * i}">{escape(text)}</text>'
            for i, text in enumerate(about)
        ),
        *legend,
        *_boxes(root, MARGIN, scale, 0, root.total_ns, head),
        "</svg>",
    ]
    return "\n".join(lines)


def _depth(node: Node) -> int:
    deepest, level = 0, [node]
    while level and deepest < MAX_DEPTH:
        deepest += 1
        level = [inner for outer in level for inner in outer.inside.values()]
    return deepest


def _boxes(  # noqa: PLR0917 - where it is drawn
    node: Node, x: float, scale: float, depth: int, whole: int, head: int
) -> Iterator[str]:
    """The box of a node and those below it: the innermost frames are at the bottom."""
    width = node.total_ns * scale
    if width < LEAST or depth >= MAX_DEPTH:
        return
    y = head + depth * ROW
    share = 100 * node.total_ns / whole
    waits = f", {node.count:,} waits" if node.count else ""
    told = f"{node.name}\n{time_text(node.total_ns)}, {share:.1f} %{waits}"
    fit = int((width - 6) / PER_CHARACTER)
    shown = node.name if node.colour else _label(node.name)
    shown = shown if len(shown) <= fit else shown[: max(fit - 1, 0)] + "…"
    label = f'<text x="{x + 3:.1f}" y="{y + 13}">{escape(shown)}</text>' if fit >= SHORTEST else ""
    colour = node.colour or FRAMES[depth % 2]
    yield (
        f'<g><title>{escape(told)}</title><rect x="{x:.1f}" y="{y}" width="{width:.1f}"'
        f' height="{ROW - 1}" fill="{colour}"/>{label}</g>'
    )
    for inner in sorted(node.inside.values(), key=lambda inner: inner.name):
        yield from _boxes(inner, x, scale, depth + 1, whole, head)
        x += inner.total_ns * scale


def _label(name: str) -> str:
    """The label in the box of a frame; the title has the whole name of a C++ function."""
    if "::" not in name:
        return name
    place = _PLACE.search(name)
    return short(name[: place.start()]) + place[0] if place else short(name)
