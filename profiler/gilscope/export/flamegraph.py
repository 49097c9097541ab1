"""A flame graph of waiting time, as a picture that any browser shows; it runs no script."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from gilscope.export.progress import Progress, silent
from gilscope.export.waits import waiting
from gilscope.results.flame_graph import WIDTH, Node, drawing
from gilscope.text import time_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gilscope.export.waits import Waiting
    from gilscope.trace.model import Trace

GIL, LOCK = "#D55E00", "#E69F00"


class FlamegraphExporter:
    """Writes a flame graph: the wider, the longer threads waited there."""

    name = "flamegraph"
    suffix = ".svg"
    description = "flame graph of waiting time, an SVG for any browser"

    def write(self, traces: Sequence[Trace], out: BinaryIO, progress: Progress = silent) -> None:
        """Draw the waiting of all traces."""
        root = _tree(waiting(traces))
        about = [f"{time_text(root.total_ns)} of waiting in {root.count:,} waits"]
        out.write(drawing(root, "Where threads waited", about, list(_legend())).encode())
        progress(sum(len(trace.intervals) for trace in traces))


def _legend() -> Iterator[str]:
    for x, colour, text in ((WIDTH - 320, GIL, "for the GIL"), (WIDTH - 160, LOCK, "for a lock")):
        yield f'<rect x="{x}" y="34" width="12" height="12" fill="{colour}"/>'
        yield f'<text class="note" x="{x + 18}" y="45">waiting {text}</text>'


def _tree(found: Sequence[Waiting]) -> Node:
    root = Node("all threads")
    for one in found:
        node = root
        for name in ("", *one.path):
            if name:
                node = node.inside.setdefault(name, Node(name))
            node.total_ns += one.total_ns
            node.count += one.count
        node.colour = GIL if one.on_gil else LOCK
    return root
