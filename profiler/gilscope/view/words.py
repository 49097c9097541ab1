"""Numbers and names as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gilscope.config import BUILDS

if TYPE_CHECKING:
    from gilscope.trace.model import Trace


def time_text(seconds: float) -> str:
    """Return seconds with three digits: ``1.24 s``, ``412 ms``, ``8.15 µs``, ``0``."""
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "µs"), (1e9, "ns")):
        value = seconds * factor
        if value >= 1:
            digits = max(0, 3 - len(str(int(value))))
            return f"{value:.{digits}f} {unit}"
    return "0"


def build_name(build: str) -> str:
    """Return ``GIL build`` or ``Free-threaded build``."""
    name = BUILDS.get(build, build)
    return name[:1].upper() + name[1:]


def build_title(trace: Trace) -> str:
    """Return the heading of a timeline: build, version, duration."""
    duration = time_text(trace.duration_ns / 1e9)
    return f"{build_name(trace.build)} – CPython {trace.python} – {duration}"
