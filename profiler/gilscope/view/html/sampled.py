"""What the threads of recordings with samples did, by state: a flame graph a build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gilscope.results.sampled_graph import picture
from gilscope.view.data.words import build_name
from gilscope.view.html.markup import element, join, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.results.model import Run


def sampled(runs: Sequence[Run]) -> str:
    """Return the flame graphs of the runs that were sampled; nothing if none was."""
    shown = [(run.build, run.trace) for run in runs if run.trace and run.trace.samples.rate]
    return join(_graph(build, picture([trace])) for build, trace in shown)


def _graph(build: str, drawn: str) -> str:
    title = element("summary", f"What threads did, by state: {text(build_name(build))}")
    return f'<details class="graph" open>{title}\n{drawn}\n</details>'
