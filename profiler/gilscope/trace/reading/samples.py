"""Samples of Python stacks in a trace; whatever is not as it should be there is left out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope.trace import format as fmt
from gilscope.trace.model.samples import SampledFrame, Samples
from gilscope.trace.reading.place_tables import text as harmless

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gilscope.trace.model import Thread
    from gilscope.trace.reading.chunks import Chunk

MAX_JSON = 1 << 26  # bytes
MAX_STACKS = 1 << 16
MAX_FRAMES = 1 << 10
MAX_TEXT = 1 << 10  # characters
_IDS = {"tid": "tid", "ident": "ident", "thread": "index"}
"""What rows name threads by: attributes of `Thread`."""

_HEAD = 8  # bytes: sizes of what follows


def read_samples(
    chunks: Sequence[Chunk], threads: Sequence[Thread], start_monotonic_ns: int, duration_ns: int
) -> Samples:
    """Return the samples of a trace; with several chunks, those of the last one.

    Args:
        chunks: those of samples.
        threads: of the trace.
        start_monotonic_ns: its start.
        duration_ns: its length.
    """
    for chunk in reversed(chunks):
        payload = chunk.payload
        if len(payload) < _HEAD:
            continue
        size, count = payload[:_HEAD].view("<u4").tolist()
        begin, step = _HEAD + size, fmt.SAMPLE_ROW.itemsize
        if size > MAX_JSON or begin + count * step > len(payload):
            continue
        try:
            about = json.loads(payload[_HEAD:begin].tobytes())
        except (ValueError, RecursionError):
            continue
        if isinstance(about, dict):
            rows = payload[begin : begin + count * step].view(fmt.SAMPLE_ROW)
            return _samples(about, rows, threads, start_monotonic_ns, duration_ns)
    return Samples()


def _samples(
    about: dict[str, Any],
    rows: NDArray[np.void],
    threads: Sequence[Thread],
    start_monotonic_ns: int,
    duration_ns: int,
) -> Samples:
    stacks = _stacks(about)
    rows = rows[(rows["begin"] < rows["end"]) & (rows["stack"] < len(stacks))]
    rows = rows[rows["end"] < np.uint64(1 << 62)]
    begins = rows["begin"].astype(np.int64) - start_monotonic_ns
    ends = rows["end"].astype(np.int64) - start_monotonic_ns
    called = _IDS.get(str(about.get("ids")), "tid")
    parts = []
    for thread in threads:
        # An id may be used again by a later thread.
        own = np.flatnonzero(rows["thread"] == np.uint64(getattr(thread, called)))
        start = np.maximum(begins[own], max(thread.start_ns, 0))
        end = np.minimum(ends[own], min(thread.end_ns, duration_ns))
        kept = np.flatnonzero(start < end)
        index = np.full(len(kept), thread.index, np.uint32)
        parts.append((index, start[kept], end[kept], rows["stack"][own[kept]].astype(np.uint32)))
    empty = Samples()
    parts.append((empty.thread, empty.start, empty.end, empty.stack))
    thread_of, start, end, stack = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(start, kind="stable")
    return Samples(
        _number(about.get("rate")),
        _text(about.get("by")),
        tuple(_text(note) for note in _list(about.get("notes")) if isinstance(note, str)),
        _number(about.get("error_ns")),
        _number(about.get("samples")),
        _number(about.get("failed")),
        thread_of[order],
        start[order],
        end[order],
        stack[order],
        stacks,
    )


def _stacks(about: dict[str, Any]) -> tuple[tuple[SampledFrame, ...], ...]:
    places = [_frame(place) for place in _list(about.get("places"))]
    count = len(places)
    return tuple(
        tuple(
            places[number]
            for number in _list(stack)[:MAX_FRAMES]
            if type(number) is int and 0 <= number < count
        )
        for stack in _list(about.get("stacks"))[:MAX_STACKS]
    )


def _frame(place: object) -> SampledFrame:
    match place:
        case [str(file), int(line), str(name)]:
            return SampledFrame(_text(file), line if 0 <= line < 1 << 31 else 0, _text(name))
        case _:
            return SampledFrame("", 0, "?")


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return harmless(value.encode(errors="replace"), MAX_TEXT) if isinstance(value, str) else ""


def _number(value: object) -> int:
    return value if type(value) is int and 0 <= value < 1 << 62 else 0
