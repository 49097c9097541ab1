"""Traces of processes that belong together: finding them, and putting them on one time axis."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gilscope.errors import TraceError
from gilscope.trace.model import Threads
from gilscope.trace.reading.copies import copies_among, header_of

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from gilscope.trace.model import Trace

SUFFIX = ".gilscope"


def find(path: str | os.PathLike[str]) -> list[Path]:
    """The traces in the directory of ``path`` that are of its session, by their start.

    Each process is there once: snapshots and other copies of a trace are left out. In the place of
    the process of ``path``, however, that file stands.

    Raises:
        TraceError: ``path`` cannot be read, or is no trace.
    """
    path = Path(path)
    wanted = _identity(path)
    if wanted is None:
        raise TraceError(f"{path} is not a gilscope trace")
    found = {path: wanted}
    for other in path.parent.glob(f"*{SUFFIX}"):
        identity = _identity(other)
        if identity is not None and other != path and identity[0] == wanted[0]:
            found[other] = identity
    for copy in copies_among(found):
        # The file that was asked for may be the copy.
        found.pop(copy.of if copy.path == path else copy.path, None)
    return sorted(found, key=lambda one: (found[one][1], one))


def on_one_axis(traces: Sequence[Trace]) -> list[Trace]:
    """Traces of one session with times from the start of the first one; others as they are.

    Traces of different sessions, such as the two builds of a comparison, stay side by side: each
    begins at 0.
    """
    sessions = {identity[0] for trace in traces if (identity := _identity(trace.path))}
    if len(traces) < 2 or len(sessions) != 1:  # noqa: PLR2004 - one alone has its axis
        return list(traces)
    start = min(trace.start_monotonic_ns for trace in traces)
    return [_later(trace, trace.start_monotonic_ns - start) for trace in traces]


def _later(trace: Trace, ns: int) -> Trace:
    """The trace with all of its times counted from ``ns`` before its start."""
    threads = [
        replace(thread, start_ns=thread.start_ns + ns, end_ns=thread.end_ns + ns)
        for thread in trace.threads
    ]
    events = replace(
        trace.events,
        duration_ns=trace.duration_ns + ns,
        threads=Threads(threads),
        intervals=trace.intervals.shifted(ns),
        wakes=trace.wakes.shifted(ns),
        callbacks=trace.callbacks.shifted(ns),
        thread_states=trace.thread_states.shifted(ns),
        gil_switches=trace.gil_switches.shifted(ns),
        spans=trace.spans.shifted(ns),
        gil_samples=trace.gil_samples.shifted(ns),
    )
    return replace(
        trace.with_events(events),
        start_monotonic_ns=trace.start_monotonic_ns - ns,
        start_realtime_ns=trace.start_realtime_ns - ns,
        cpu_times=trace.cpu_times.shifted(ns),
    )


def _identity(path: Path) -> tuple[bytes, int] | None:
    """The session of a trace, and its start on the clock that all of them share, in ns."""
    header = header_of(path)
    if header is None:
        return None
    return header["session"].tobytes(), int(header["start_monotonic"])
