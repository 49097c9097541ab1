"""The samples of several traces as one chunk."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gilscope.trace import format as fmt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gilscope.trace.model import SampledFrame, Trace

_ALIGNMENT = 8


class Part(NamedTuple):
    """A trace of a merged one.

    Attributes:
        trace: The trace.
        begin: Its start on the merged trace's clock, ns.
        thread: What is added to the numbers of its threads.
    """

    trace: Trace
    begin: int
    thread: int


def merged_samples(parts: Sequence[Part]) -> bytes:
    """Return the payload of one SAMPLES chunk with the samples of all parts; b"" if none has any.

    Threads of several processes may have the same ids, so rows name threads by their numbers.
    """
    sampled = [part for part in parts if part.trace.samples.rate]
    if not sampled:
        return b""
    places: dict[SampledFrame, int] = {}
    stacks: list[list[int]] = []
    tables = []
    for part in sampled:
        samples, first = part.trace.samples, len(stacks)
        stacks += (
            [places.setdefault(frame, len(places)) for frame in stack] for stack in samples.stacks
        )
        rows: Any = np.zeros(len(samples), fmt.SAMPLE_ROW)
        rows["thread"] = samples.thread.astype(np.uint64) + part.thread
        rows["begin"], rows["end"] = samples.start + part.begin, samples.end + part.begin
        rows["stack"] = samples.stack + first
        tables.append(rows)
    about = {**_about(sampled, len(parts)), "places": list(places), "stacks": stacks}
    head = json.dumps(about).encode()
    head += b" " * (-len(head) % _ALIGNMENT)
    together = np.concatenate(tables)
    return struct.pack("<II", len(head), len(together)) + head + together.tobytes()


def _about(sampled: Sequence[Part], traces: int) -> dict[str, Any]:
    """Return what is known of the samples of all parts together."""
    samples = [part.trace.samples for part in sampled]
    notes = [f"{part.trace.pid}: {note}" for part in sampled for note in part.trace.samples.notes]
    if len(sampled) < traces:
        notes.append(f"{traces - len(sampled)} of the {traces} processes were not sampled")
    if len({one.rate for one in samples}) > 1:
        notes.append(f"sampled at {_listed(str(one.rate) for one in samples)} a second")
    return {
        "rate": max(one.rate for one in samples),
        "by": _listed(one.by for one in samples),
        "ids": "thread",
        "error_ns": max(one.error_ns for one in samples),
        "samples": sum(one.count for one in samples),
        "failed": sum(one.failed for one in samples),
        "notes": notes,
    }


def _listed(words: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(word for word in words if word))
