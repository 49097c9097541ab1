"""What builds and timelines are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gilscope.config import BUILDS, EXECUTORS, build_of
from gilscope.text import time_text

if TYPE_CHECKING:
    from gilscope.trace.model import Trace


def build_name(build: str) -> str:
    """Return ``GIL build``, ``Free-threaded build`` and so on."""
    name = BUILDS.get(build, build)
    return name[:1].upper() + name[1:]


def build_title(trace: Trace) -> str:
    """Return the heading of a timeline: build, version, duration, and whether it is invalid."""
    duration = time_text(trace.duration_ns)
    build = short_name(trace)
    invalid = " – invalid: the GIL was turned on" if build == "ft" and trace.gil_enabled_end else ""
    return f"{build_name(build)} – CPython {trace.python} – {duration}{invalid}"


def titles(trace: Trace, grain_ns: int) -> list[str]:
    """Return headings for less and less room, all of them true.

    Args:
        trace: What is drawn.
        grain_ns: What is shorter may have been merged; 0 if nothing was.
    """
    full = build_title(trace)
    merged = f" · short intervals are merged: details down to {time_text(grain_ns)}"
    brief = full.replace(f" – CPython {trace.python}", "", 1).replace("Free-threaded", "FT", 1)
    found = [full + merged] if grain_ns else []
    if not len(trace.intervals) and not len(trace.callbacks):
        found.append(f"{full} · {nothing(trace)}")
    return [*found, full, brief.replace(": the GIL was turned on", "")]


def nothing(trace: Trace) -> str:
    """Say why a trace has no events."""
    if trace.not_measured:
        return f"no events: not measured: {', '.join(trace.not_measured)}"
    if trace.ended_early:
        return "no events: the program ended before the first one"
    if trace.gil_enabled_start:
        return "no thread took the GIL or waited for anything"
    return "no thread waited for anything"


def short_name(trace: Trace) -> str:
    """Return the key of ``config.BUILDS`` that the trace is of."""
    if trace.executor in EXECUTORS:
        return trace.executor
    return build_of(free_threaded=trace.free_threaded, gil_enabled=trace.gil_enabled_start)
