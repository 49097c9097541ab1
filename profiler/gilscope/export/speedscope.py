"""speedscope's own format: a profile a thread, of slices that open and close in order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from gilscope.analysis.states.nesting import edges, nested_callbacks, nested_spans
from gilscope.export.progress import Progress, silent
from gilscope.export.rows import blocks, constant, decimal, join, texts
from gilscope.export.scene import Scene, name_codes, scenes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.analysis.states.nesting import Edges, Nested
    from gilscope.trace.arrays import I64
    from gilscope.trace.model import Thread, Trace

SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_EVENT = (b'{"type":"C","frame":', b'{"type":"O","frame":')


class SpeedscopeExporter:
    """Writes speedscope's JSON."""

    name = "speedscope"
    suffix = ".speedscope.json"
    description = "speedscope JSON, a profile a thread, for www.speedscope.app"

    def write(self, traces: Sequence[Trace], out: BinaryIO, progress: Progress = silent) -> None:
        """Write all traces as one group of profiles."""
        head = {"$schema": SCHEMA, "exporter": "gilscope", "name": _name(traces)}
        out.write(_json(head)[:-1] + b',"profiles":[')
        writer = _Writer(out)
        for scene in scenes(traces):
            writer.write(scene, f"{scene.name} " if len(traces) > 1 else "", progress)
        frames = [{"name": name} for name in writer.frames]
        out.write(b'],"shared":' + _json({"frames": frames}) + b"}\n")


class _Writer:
    """Writes profiles.

    Attributes:
        frames: names of all slices so far, which profiles refer to by number.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._numbers: dict[str, int] = {}
        self._profiles = 0
        self._events = 0

    @property
    def frames(self) -> list[str]:
        return list(self._numbers)

    def write(self, scene: Scene, prefix: str, progress: Progress) -> None:
        """Write the threads of a process, and their callbacks and spans apart."""
        last: Thread | None = None
        for piece in scene.pieces():
            if piece.thread is not last:
                self._end(last)
                self._begin(prefix + piece.thread.label, piece.thread)
                last = piece.thread
            numbers = scene.names.numbers(name_codes(piece.intervals))
            self._changes(edges(piece.nesting), self._frames(scene.names.strings)[numbers])
            progress(len(piece))
        self._end(last)
        for thread, callbacks in nested_callbacks(scene.trace):
            numbers = scene.callback_names.numbers(scene.callback_codes)
            frames = self._frames(scene.callback_names.strings)[numbers]
            self._whole(f"{prefix}{thread.label}: callbacks", thread, callbacks, frames)
        for thread, spans in nested_spans(scene.trace):
            numbers = scene.span_names.numbers(scene.trace.spans.name.astype(np.int64))
            frames = self._frames(scene.span_names.strings)[numbers]
            self._whole(f"{prefix}{thread.label}: spans", thread, spans, frames)

    def _whole(self, name: str, thread: Thread, nested: Nested, frames: I64) -> None:
        """Write a profile at once; frames are by row."""
        self._begin(name, thread)
        self._changes(edges(nested), frames)
        self._end(thread)

    def _frames(self, names: Sequence[str]) -> I64:
        """Number of each name among all frames."""
        numbers = [self._numbers.setdefault(name, len(self._numbers)) for name in names]
        return np.array(numbers, np.int64)

    def _begin(self, name: str, thread: Thread) -> None:
        head: dict[str, Any] = {"type": "evented", "name": name, "unit": "nanoseconds"}
        head |= {"startValue": thread.start_ns, "endValue": thread.end_ns}
        self._out.write(b"," * bool(self._profiles) + b"\n" + _json(head)[:-1] + b',"events":[')
        self._profiles += 1
        self._events = 0

    def _end(self, thread: Thread | None) -> None:
        if thread is not None:
            self._out.write(b"]}")

    def _changes(self, changes: Edges, frames: I64) -> None:
        for block in blocks(len(changes.times)):
            opens = changes.begins[block].astype(np.int64)
            parts = [
                texts(_EVENT, opens),
                decimal(frames[changes.rows[block]]),
                constant(b',"at":'),
                decimal(changes.times[block]),
                constant(b"},\n"),
            ]
            written = join(parts, len(opens))
            # Between events there is a comma; behind the last one there must be none.
            self._out.write(b",\n" * bool(self._events) + written[:-2])
            self._events += len(opens)


def _name(traces: Sequence[Trace]) -> str:
    return " and ".join(trace.path.name for trace in traces)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
