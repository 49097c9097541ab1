"""A flame graph of what threads did, by state: samples of stacks beside what the probe recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from gilscope.export.progress import Progress, silent
from gilscope.export.scene import process_name
from gilscope.results.sampled_graph import picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.trace.model import Trace


class SampledFlamegraphExporter:
    """Writes a flame graph of samples: first the states, below each what threads did in it."""

    name = "sampled"
    suffix = ".sampled.svg"
    description = "flame graph by state of a recording with --sample, an SVG for any browser"

    def write(self, traces: Sequence[Trace], out: BinaryIO, progress: Progress = silent) -> None:
        """Draw the samples of all traces, or why there are none."""
        names = [process_name(trace) for trace in traces] if len(traces) > 1 else []
        out.write(picture(traces, names).encode())
        progress(sum(len(trace.intervals) for trace in traces))
