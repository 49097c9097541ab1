"""A flame graph of what threads did, by state: samples of stacks beside what the probe recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from gilscope.analysis.sampled_stacks import notes_of, sampled_stacks
from gilscope.analysis.states.state import State
from gilscope.export.flamegraph import Node, drawing
from gilscope.export.progress import Progress, silent
from gilscope.export.scene import process_name
from gilscope.text import time_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.trace.model import SampledFrame, Trace

COLOURS = {
    State.HOLDING_GIL: "#009E73",
    State.RUNNING: "#56B4E9",
    State.WAITING_GIL: "#D55E00",
    State.WAITING_LOCK: "#E69F00",
    State.BLOCKED: "#BBBBBB",
    State.STOPPED_WORLD: "#CC79A7",
}


class SampledFlamegraphExporter:
    """Writes a flame graph of samples: first the states, below each what threads did in it."""

    name = "sampled"
    suffix = ".sampled.svg"
    description = "flame graph by state of a recording with --sample, an SVG for any browser"

    def write(self, traces: Sequence[Trace], out: BinaryIO, progress: Progress = silent) -> None:
        """Draw the samples of all traces, or why there are none."""
        out.write(picture(traces).encode())
        progress(sum(len(trace.intervals) for trace in traces))


def picture(traces: Sequence[Trace]) -> str:
    """Return the SVG."""
    root = tree(traces)
    about = [f"{time_text(root.total_ns)} of all threads' time", *notes_of(traces)]
    return drawing(root, "What threads did, by state", about, [])


def tree(traces: Sequence[Trace]) -> Node:
    """Return the time of all threads by state, then by stack, the outermost frame first."""
    root = Node("all threads")
    for trace in traces:
        process = (process_name(trace),) if len(traces) > 1 else ()
        for one in sampled_stacks(trace):
            node = root
            frames = tuple(_frame_text(frame) for frame in reversed(one.frames))
            path = ("", *process, one.label, trace.thread_name(one.thread), *frames)
            for name in path:
                if name:
                    node = node.inside.setdefault(name, Node(name))
                node.total_ns += one.total_ns
                if name == one.label:
                    node.colour = COLOURS[one.state]
    return root


def _frame_text(frame: SampledFrame) -> str:
    place = f" ({frame.file.rpartition('/')[2]}:{frame.line})" if frame.line else ""
    return frame.name + place
