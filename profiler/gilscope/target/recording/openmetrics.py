"""What the probe has counted, in the text format of OpenMetrics, which Prometheus reads.

https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gilscope.config import LOCK_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

HOLD, WAIT, LOCK_WAIT, CALLBACK, SPIN, SPAN = 1, 2, 4, 6, 8, 10
"""Kinds of event, as native_probe/FORMAT.md numbers them."""

NS = 1_000_000_000

type Samples = Iterable[tuple[str, int | float]]
"""Labels, with their braces, and the value of each sample of a metric."""


class Counted(NamedTuple):
    """What the recording that runs has counted; events count when they are over.

    Attributes:
        events: number and total ns of the events of each kind.
        lock_waits: number and total ns of the waits for locks of each kind.
        locks: how many different locks of each kind were waited for.
        forced: releases of the GIL that another thread asked for.
        dropped: events that found no room.
        overwritten: events that a ring has replaced.
        size: bytes of the trace.
        start_ns: when it began, ns since 1970.
    """

    events: Sequence[tuple[int, int]]
    lock_waits: Sequence[tuple[int, int]]
    locks: Sequence[int]
    forced: int
    dropped: int
    overwritten: int
    size: int
    start_ns: int


def text(counted: Counted | None) -> str:
    """Return the exposition; of a process without a recording, that it has none."""
    lines = ["# TYPE gilscope_recording gauge"]
    lines += ["# HELP gilscope_recording Whether gilscope records this process."]
    lines += [f"gilscope_recording {int(counted is not None)}"]
    if counted is not None:
        lines += _counters(counted)
        lines += ["# TYPE gilscope_trace_bytes gauge", "# UNIT gilscope_trace_bytes bytes"]
        lines += [
            "# HELP gilscope_trace_bytes Size of the trace.",
            _line("trace_bytes", counted.size),
        ]
    return "\n".join([*lines, "# EOF", ""])


def _counters(counted: Counted) -> Iterator[str]:
    def event(name: str, kind: int, what: str) -> Iterator[str]:
        count, ns = counted.events[kind]
        yield from counter(f"{name}s", f"{what}.", [("", count)])
        yield from counter(f"{name}_seconds", f"{what}: their total time.", [("", ns / NS)])

    def counter(name: str, about: str, samples: Samples) -> Iterator[str]:
        yield f"# TYPE gilscope_{name} counter"
        if name.endswith("_seconds"):
            yield f"# UNIT gilscope_{name} seconds"
        yield f"# HELP gilscope_{name} {about}"
        for labels, value in samples:
            yield _line(f"{name}_total{labels}", value)
            yield f"gilscope_{name}_created{labels} {counted.start_ns / NS:.3f}"

    events = sum(count for count, _ in counted.events)
    yield from counter("events", "Events that were recorded.", [("", events)])
    yield from event("gil_hold", HOLD, "Times that a thread has held the GIL")
    forced = "Releases of the GIL that another thread asked for."
    yield from counter("gil_forced_releases", forced, [("", counted.forced)])
    yield from event("gil_wait", WAIT, "Waits for the GIL")
    waits = {_kind(code): pair for code, pair in enumerate(counted.lock_waits) if pair[0]}
    counts = [(kind, count) for kind, (count, _) in waits.items()]
    yield from counter("lock_waits", "Waits in which a thread slept, by kind of lock.", counts)
    times = [(kind, ns / NS) for kind, (_, ns) in waits.items()]
    yield from counter("lock_wait_seconds", "Total time of these waits.", times)
    locks = [(_kind(code), count) for code, count in enumerate(counted.locks) if count]
    yield from counter("contended_locks", "Locks that a thread has waited for.", locks)
    yield from event("lock_spin", SPIN, "Times that a thread has spun for a lock")
    yield from event("callback", CALLBACK, "Calls of Python by native code")
    yield from event("span", SPAN, "Spans that the program named")
    dropped = "Events that found no room in the trace."
    yield from counter("dropped_events", dropped, [("", counted.dropped)])
    overwritten = "Events that later ones have replaced in the ring."
    yield from counter("overwritten_events", overwritten, [("", counted.overwritten)])


def _kind(code: int) -> str:
    return f'{{kind="{LOCK_KINDS.get(code, "unidentified")}"}}'


def _line(name: str, value: float) -> str:
    return (
        f"gilscope_{name} {value:.9f}" if isinstance(value, float) else f"gilscope_{name} {value}"
    )
