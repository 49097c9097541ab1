"""Chrome's trace event JSON: one process a build, a track a thread, arrows, counters.

Complete events ("X") must nest on their track, and they do. Times are µs with three decimals.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from gilscope.analysis.states.nesting import nested_callbacks, nested_spans
from gilscope.analysis.states.thread_states import interval_states
from gilscope.analysis.waits.handover import gil_handovers, lock_handovers
from gilscope.export.labels import NONE, Labels
from gilscope.export.progress import Progress, silent
from gilscope.export.rows import Integers, Part, blocks, constant, decimal, join, texts
from gilscope.export.scene import (
    Scene,
    name_codes,
    note_codes,
    on_locks,
    peer_labels,
    scenes,
    switch_intervals,
)
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gilscope.analysis.states.nesting import Nested
    from gilscope.trace.arrays import I32, I64
    from gilscope.trace.model import Intervals, Trace

CATEGORIES = (b'"gil"', b'"lock"')
NS_PER_US = 1000


class ChromeExporter:
    """Writes the JSON that chrome://tracing made common."""

    name = "chrome"
    suffix = ".json"
    description = "Chrome trace JSON, for ui.perfetto.dev, speedscope and others"

    def write(self, traces: Sequence[Trace], out: BinaryIO, progress: Progress = silent) -> None:
        """Write all traces as one, with a common start."""
        out.write(b'{"displayTimeUnit":"ns","traceEvents":[\n')
        metadata: list[bytes] = []
        for scene in scenes(traces):
            _SceneWriter(scene, out).write(progress)
            metadata += _metadata(scene)
        # Every event ends with a comma; the last one must not.
        out.write(b",\n".join(metadata) + b"\n]}\n")


class _SceneWriter:
    """Writes one process."""

    def __init__(self, scene: Scene, out: BinaryIO) -> None:
        self._scene = scene
        self._out = out
        self._kinds = [_json(kind.name) for kind in Event]
        self._encoded: dict[int, list[bytes]] = {}

    def write(self, progress: Progress) -> None:
        """Write the process, all but its names."""
        scene = self._scene
        for piece in scene.pieces():
            nesting = piece.nesting
            for block in blocks(len(piece)):
                part = piece.intervals.select(nesting.rows[block])
                times = nesting.starts[block], nesting.ends[block]
                self._slices(scene.tids[piece.thread.index], part, *times)
            progress(len(piece))
        for thread, callbacks in nested_callbacks(scene.trace):
            for block in blocks(len(callbacks)):
                self._callbacks(scene.callback_tids[thread.index], callbacks, block)
        for thread, spans in nested_spans(scene.trace):
            for block in blocks(len(spans)):
                self._spans(scene.span_tids[thread.index], spans, block)
        self._gil_flows()
        self._wakes()
        for counter in scene.counters(interval_states(scene.trace)):
            self._counter(*counter)

    def _texts(self, labels: Labels, numbers: I64) -> Part:
        """Texts as JSON; nothing where the number is `NONE`."""
        encoded = self._encoded.setdefault(id(labels), [])
        encoded += map(_json, labels.strings[len(encoded) :])
        return texts(encoded or [b""], np.maximum(numbers, 0)).only(numbers != NONE)

    def _slices(self, tid: int, intervals: Intervals, starts: I64, ends: I64) -> None:
        scene = self._scene
        kinds = intervals.kind
        parts = [
            *self._head(b"X", constant(b"%d" % tid), starts),
            constant(b',"dur":'),
            *_micros(ends - starts),
            constant(b',"cat":'),
            texts(CATEGORIES, on_locks(intervals).astype(np.int64)),
            constant(b',"name":'),
            self._texts(scene.names, scene.names.numbers(name_codes(intervals))),
            constant(b',"args":{"kind":'),
            texts(self._kinds, kinds.astype(np.int64) - 1),
            *self._arguments(intervals),
            constant(b"}},\n"),
        ]
        self._out.write(join(parts, len(intervals)))

    def _callbacks(self, tid: int, callbacks: Nested, block: slice) -> None:
        scene = self._scene
        rows, starts, ends = (c[block] for c in (callbacks.rows, callbacks.starts, callbacks.ends))
        entries = scene.trace.callbacks.entry[rows].astype(np.int64)
        names = scene.callback_names.numbers(scene.callback_codes[rows])
        parts = [
            *self._head(b"X", constant(b"%d" % tid), starts),
            constant(b',"dur":'),
            *_micros(ends - starts),
            constant(b',"cat":"callback","name":'),
            self._texts(scene.callback_names, names),
            constant(b',"args":{"from":'),
            self._texts(scene.callers, scene.callers.numbers(entries)),
            constant(b',"to get in (ns)":'),
            decimal(scene.trace.callbacks.enter_ns[rows]),
            constant(b"}},\n"),
        ]
        self._out.write(join(parts, len(rows)))

    def _spans(self, tid: int, spans: Nested, block: slice) -> None:
        scene = self._scene
        rows, starts, ends = (c[block] for c in (spans.rows, spans.starts, spans.ends))
        names = scene.span_names.numbers(scene.trace.spans.name[rows].astype(np.int64))
        sizes = scene.trace.spans.bytes[rows]
        parts = [
            *self._head(b"X", constant(b"%d" % tid), starts),
            constant(b',"dur":'),
            *_micros(ends - starts),
            constant(b',"cat":"span","name":'),
            self._texts(scene.span_names, names),
            constant(b',"args":{'),
            constant(b'"bytes":').only(sizes >= 0),
            decimal(np.maximum(sizes, 0)).only(sizes >= 0),
            constant(b"}},\n"),
        ]
        self._out.write(join(parts, len(rows)))

    def _arguments(self, intervals: Intervals) -> Iterator[Part]:
        scene = self._scene
        peers = scene.peers.numbers(intervals.peer.astype(np.int64))
        notes = scene.notes.numbers(note_codes(intervals))
        stacks = scene.stacks.numbers(intervals.stack.astype(np.int64))
        for label, labelled in peer_labels(intervals).items():
            chosen = labelled & (peers != NONE)
            yield constant(b',"%s":' % label.encode()).only(chosen)
            yield self._texts(scene.peers, peers).only(chosen)
        waits = intervals.kind == Event.LOCK_WAIT
        locks = scene.addresses.numbers(np.where(waits, intervals.what, 0).astype(np.int64))
        yield constant(b',"address":').only(waits)
        yield self._texts(scene.addresses, locks).only(waits)
        yield constant(b',"stack":').only(stacks != NONE)
        yield self._texts(scene.stacks, stacks)
        yield constant(b',"note":').only(notes != NONE)
        yield self._texts(scene.notes, notes)
        times = switch_intervals(intervals)
        yield constant(b',"switch intervals":').only(times > 0)
        yield decimal(times).only(times > 0)

    def _gil_flows(self) -> None:
        """Arrows from hold to hold; their ends must lie inside the slices that they bind to."""
        scene, flows = self._scene, gil_handovers(self._scene.trace)
        for block in blocks(len(flows)):
            before = scene.trace.intervals.select(flows.causes[block])
            after = scene.trace.intervals.select(flows.effects[block])
            leave = np.maximum(before.end - 1, before.start)
            ids = scene.first_flow + np.arange(block.start, block.stop)
            self._flow(b"s", before.thread, leave, ids)
            self._flow(b"f", after.thread, after.start, ids)

    def _wakes(self) -> None:
        """An arrow for each wake, between two slices of no length."""
        scene, flows = self._scene, lock_handovers(self._scene.trace)
        first = scene.first_wake_flow
        wakes = Labels(lambda index: f"wakes {scene.trace.thread_name(index)}")
        woken = Labels(lambda index: f"woken by {scene.trace.thread_name(index)}")
        for block in blocks(len(flows)):
            ids = first + np.arange(block.start, block.stop)
            cause = scene.trace.wakes.select(flows.causes[block])
            effect = scene.trace.intervals.select(flows.effects[block])
            self._instants(wakes, cause.thread, effect.thread, cause.start)
            self._flow(b"s", cause.thread, cause.start, ids)
            self._instants(woken, effect.thread, cause.thread, effect.end)
            self._flow(b"f", effect.thread, effect.end, ids)

    def _instants(self, labels: Labels, threads: I32, others: I32, times: I64) -> None:
        parts = [
            *self._head(b"X", self._tids(threads), times),
            constant(b',"dur":0,"cat":"lock","name":'),
            self._texts(labels, labels.numbers(others.astype(np.int64))),
            constant(b"},\n"),
        ]
        self._out.write(join(parts, len(times)))

    def _flow(self, phase: bytes, threads: Integers, times: I64, ids: I64) -> None:
        parts = [
            *self._head(phase, self._tids(threads), times),
            constant(b',"bp":"e","cat":"flow","name":"hand-over","id":'),
            decimal(ids),
            constant(b"},\n"),
        ]
        self._out.write(join(parts, len(times)))

    def _counter(self, name: str, times: I64, values: I64) -> None:
        for block in blocks(len(times)):
            parts = [
                *self._head(b"C", constant(b"0"), times[block]),
                constant(b',"name":%s,"args":{"threads":' % _json(name)),
                decimal(values[block]),
                constant(b"}},\n"),
            ]
            self._out.write(join(parts, len(times[block])))

    def _head(self, phase: bytes, tid: Part, times: I64) -> list[Part]:
        start = b'{"ph":"%s","pid":%d,"tid":' % (phase, self._scene.pid)
        return [constant(start), tid, constant(b',"ts":'), *_micros(times)]

    def _tids(self, threads: Integers) -> Part:
        indices = sorted(self._scene.tids)
        strings = [b"%d" % self._scene.tids[index] for index in indices]
        return texts(strings, np.searchsorted(np.array(indices), threads))


def _metadata(scene: Scene) -> Iterator[bytes]:
    """Names of the process and its threads."""

    def event(name: str, args: dict[str, Any], tid: int = 0) -> bytes:
        return _json({"ph": "M", "name": name, "pid": scene.pid, "tid": tid, "args": args})

    yield event("process_name", {"name": scene.name})
    for order, thread in enumerate(scene.trace.threads):
        tid = scene.tids[thread.index]
        yield event("thread_name", {"name": thread.label}, tid)
        yield event("thread_sort_index", {"sort_index": 3 * order}, tid)
        more = {"callbacks": scene.callback_tids, "spans": scene.span_tids}
        for place, (what, tids) in enumerate(more.items(), 1):
            if thread.index in tids:
                tid = tids[thread.index]
                yield event("thread_name", {"name": f"{thread.label}: {what}"}, tid)
                yield event("thread_sort_index", {"sort_index": 3 * order + place}, tid)


def _micros(ns: I64) -> list[Part]:
    return [decimal(ns // NS_PER_US), constant(b"."), decimal(ns % NS_PER_US, least=3)]


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
