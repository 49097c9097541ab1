"""Numbers and names as people read them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gilscope.config import BUILDS, EXECUTORS, build_of

if TYPE_CHECKING:
    from gilscope.trace.model import Trace


OWN_NAME = re.compile(r"`(.+)`|\b((?:created|allocated) at .+)$")


def time_text(seconds: float) -> str:
    """Return seconds with three digits: ``1.24 s``, ``412 ms``, ``8.15 µs``, ``0``."""
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "µs"), (1e9, "ns")):
        value = seconds * factor
        if value >= 1:
            digits = max(0, 3 - len(str(int(value))))
            return f"{value:.{digits}f} {unit}"
    return "0"


def build_name(build: str) -> str:
    """Return ``GIL build``, ``Free-threaded build`` and so on."""
    name = BUILDS.get(build, build)
    return name[:1].upper() + name[1:]


def build_title(trace: Trace) -> str:
    """Return the heading of a timeline: build, version, duration, and whether it is invalid."""
    duration = time_text(trace.duration_ns / 1e9)
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
    merged = f" · short intervals are merged: details down to {time_text(grain_ns / 1e9)}"
    brief = full.replace(f" – CPython {trace.python}", "", 1).replace("Free-threaded", "FT", 1)
    found = [full + merged] if grain_ns else []
    return [*found, full, brief.replace(": the GIL was turned on", "")]


def cut(name: str, limit: int) -> str:
    """Return a name that is no longer than ``limit``.

    Of an object with a name, or a place, that is more than its type; else the middle is left out.
    """
    name = name.replace("(anonymous namespace)::", "").replace(".<locals>", "")
    if len(name) > limit and (own := OWN_NAME.search(name)):
        name = own[1] or own[2]
    if len(name) <= limit:
        return name
    end = limit * 2 // 5
    return f"{name[: limit - 1 - end]}…{name[-end:]}"


def short_name(trace: Trace) -> str:
    """Return the key of ``config.BUILDS`` that the trace is of."""
    if trace.executor in EXECUTORS:
        return trace.executor
    return build_of(free_threaded=trace.free_threaded, gil_enabled=trace.gil_enabled_start)
