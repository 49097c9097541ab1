"""What threads did, by state, as a flame graph: samples of stacks and what the probe recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gilscope.analysis.sampled_stacks import notes_of, sampled_stacks
from gilscope.analysis.states.state import State
from gilscope.results.flame_graph import Node, drawing
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


def picture(traces: Sequence[Trace], names: Sequence[str] = ()) -> str:
    """Return the SVG.

    Args:
        traces: Recordings.
        names: Of their processes, one each; none: the graph does not tell them apart.
    """
    root = tree(traces, names)
    about = [f"{time_text(root.total_ns)} of all threads' time", *notes_of(traces)]
    return drawing(root, "What threads did, by state", about, [])


def tree(traces: Sequence[Trace], names: Sequence[str]) -> Node:
    """Return the time of all threads by state, then by stack, the outermost frame first."""
    root = Node("all threads")
    for number, trace in enumerate(traces):
        process = names[number : number + 1]
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
