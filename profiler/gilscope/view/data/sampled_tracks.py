"""Sampled stacks of a trace as the page draws them: a track below the lane of each thread."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope.analysis.sampled_stacks import of_program

if TYPE_CHECKING:
    from gilscope.trace.model import SampledFrame, Trace

MOST = 20_000
"""Stretches of one trace that a page gets: of more, the longest."""

FRAMES = 8
"""Frames of a stack that are told."""

COLORS = (
    *("#8DA0CB", "#A6D854", "#FC8D62", "#66C2A5", "#E78AC3"),
    *("#FFD92F", "#E5C494", "#B3B3B3", "#80B1D3", "#BEBADA"),
)
"""Of functions, which have one each by their names; two may have the same."""


def sampled_tracks(trace: Trace, place: dict[int, int]) -> tuple[dict[str, np.ndarray], list[Any]]:
    """Return the columns of a trace's samples, and label and colour of each stack.

    Args:
        trace: The trace.
        place: Lane of each thread, by its index.
    """
    samples = trace.samples
    if not len(samples):
        return {}, []
    durations = samples.end - samples.start
    rows = np.arange(len(samples))
    if len(rows) > MOST:
        rows = np.sort(np.argsort(-durations, kind="stable")[:MOST])
    used, labels = np.unique(samples.stack[rows], return_inverse=True)
    lanes = [place.get(thread, -1) for thread in samples.thread[rows].tolist()]
    return {
        "sm_lane": np.array(lanes, np.int32),
        "sm_start": samples.start[rows],
        "sm_duration": durations[rows].astype(np.uint64),
        "sm_label": labels.astype(np.int32),
    }, [_look(of_program(samples.stacks[stack])) for stack in used.tolist()]


def _look(frames: tuple[SampledFrame, ...]) -> list[Any]:
    """Return the frames of a stack in words, the innermost first, and the colour of that one."""
    names = [
        f"{frame.name} ({frame.file.rpartition('/')[2]}:{frame.line})" for frame in frames[:FRAMES]
    ]
    more = [f"and {len(frames) - FRAMES} more"] if len(frames) > FRAMES else []
    function = frames[0].name if frames else ""
    return [[*names, *more], COLORS[zlib.crc32(function.encode()) % len(COLORS)]]
