"""Chrome's trace event JSON: one process a build, a track a thread, arrows, counters.

Complete events ("X") must nest on their track, and they do. Times are µs with three decimals.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from gilscope.analysis.nesting import nested, nested_callbacks
from gilscope.export.rows import Integers, Part, blocks, constant, decimal, join, texts
from gilscope.export.scene import COUNTERS, Scene, scenes
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gilscope.analysis.nesting import Nested
    from gilscope.trace.model import I64, Trace

CATEGORIES = (b'"gil"', b'"lock"')
NS_PER_US = 1000


class ChromeExporter:
    """Writes the JSON that chrome://tracing made common."""

    name = "chrome"
    suffix = ".json"
    description = "Chrome trace JSON, for ui.perfetto.dev, speedscope and others"

    def write(self, traces: Sequence[Trace], out: BinaryIO) -> None:
        """Write all traces as one, with a common start."""
        out.write(b'{"displayTimeUnit":"ns","traceEvents":[\n')
        metadata: list[bytes] = []
        for scene in scenes(traces):
            _SceneWriter(scene, out).write()
            metadata += _metadata(scene)
        # Every event ends with a comma; the last one must not.
        out.write(b",\n".join(metadata) + b"\n]}\n")


class _SceneWriter:
    """Writes one process."""

    def __init__(self, scene: Scene, out: BinaryIO) -> None:
        self._scene = scene
        self._out = out
        self._names = [_json(name) for name in scene.names.strings]
        self._notes = [_json(note) for note in scene.notes.strings]
        self._peers = [_json(peer) for peer in scene.peers.strings]
        self._stacks = [_json(stack) for stack in scene.stacks.strings]
        self._callbacks_called = [_json(name) for name in scene.callback_names.strings]
        self._callers = [_json(caller) for caller in scene.callers.strings]
        self._kinds = [_json(kind.name) for kind in Event]

    def write(self) -> None:
        """Write the process, all but its names."""
        for thread, intervals in nested(self._scene.trace):
            for block in blocks(len(intervals)):
                self._slices(self._scene.tids[thread.index], intervals, block)
        for thread, intervals in nested_callbacks(self._scene.trace):
            for block in blocks(len(intervals)):
                self._callbacks(self._scene.callback_tids[thread.index], intervals, block)
        self._gil_flows()
        self._wakes()
        for name, state in COUNTERS.items():
            self._counter(name, *self._scene.counter(state))

    def _slices(self, tid: int, intervals: Nested, block: slice) -> None:
        rows, starts, ends = (c[block] for c in (intervals.rows, intervals.starts, intervals.ends))
        kinds = self._scene.trace.intervals.kind[rows]
        parts = [
            *self._head(b"X", constant(b"%d" % tid), starts),
            constant(b',"dur":'),
            *_micros(ends - starts),
            constant(b',"cat":'),
            texts(CATEGORIES, np.isin(kinds, (Event.LOCK_WAIT, Event.SPIN)).astype(np.int64)),
            constant(b',"name":'),
            texts(self._names, self._scene.names.index[rows]),
            constant(b',"args":{"kind":'),
            texts(self._kinds, kinds.astype(np.int64) - 1),
            *self._arguments(rows),
            constant(b"}},\n"),
        ]
        self._out.write(join(parts, len(rows)))

    def _callbacks(self, tid: int, callbacks: Nested, block: slice) -> None:
        scene = self._scene
        rows, starts, ends = (c[block] for c in (callbacks.rows, callbacks.starts, callbacks.ends))
        parts = [
            *self._head(b"X", constant(b"%d" % tid), starts),
            constant(b',"dur":'),
            *_micros(ends - starts),
            constant(b',"cat":"callback","name":'),
            texts(self._callbacks_called, scene.callback_names.index[rows]),
            constant(b',"args":{"from":'),
            texts(self._callers, scene.callers.index[rows]),
            constant(b',"to get in (ns)":'),
            decimal(scene.trace.callbacks.enter_ns[rows]),
            constant(b"}},\n"),
        ]
        self._out.write(join(parts, len(rows)))

    def _arguments(self, rows: I64) -> Iterator[Part]:
        scene, intervals = self._scene, self._scene.trace.intervals
        kinds = intervals.kind[rows]
        peers, notes = scene.peers.index[rows], scene.notes.index[rows]
        for label, labelled in scene.peer_labels.items():
            chosen = labelled[rows] & (peers >= 0)
            yield constant(b',"%s":' % label.encode()).only(chosen)
            yield texts(self._peers or [b""], np.maximum(peers, 0)).only(chosen)
        waits = kinds == Event.LOCK_WAIT
        used, places = np.unique(intervals.what[rows], return_inverse=True)
        locks = (scene.trace.locks[lock] for lock in used.tolist())
        yield constant(b',"address":').only(waits)
        yield texts([b'"%#x"' % lock.address for lock in locks], places).only(waits)
        stacks = scene.stacks.index[rows]
        yield constant(b',"stack":').only(stacks >= 0)
        yield texts(self._stacks or [b""], np.maximum(stacks, 0)).only(stacks >= 0)
        yield constant(b',"note":').only(notes >= 0)
        yield texts(self._notes, np.maximum(notes, 0)).only(notes >= 0)
        times = scene.switch_intervals[rows]
        yield constant(b',"switch intervals":').only(times > 0)
        yield decimal(times.astype(np.int64)).only(times > 0)

    def _gil_flows(self) -> None:
        """Arrows from hold to hold; their ends must lie inside the slices that they bind to."""
        scene, intervals = self._scene, self._scene.trace.intervals
        flows = scene.gil_flows
        before, after = flows.causes, flows.effects
        leave = np.maximum(intervals.end[before] - 1, intervals.start[before])
        numbers = np.arange(scene.first_flow, scene.first_flow + len(flows))
        for block in blocks(len(flows)):
            ids = numbers[block]
            self._flow(b"s", intervals.thread[before[block]], leave[block], ids)
            self._flow(b"f", intervals.thread[after[block]], intervals.start[after[block]], ids)

    def _wakes(self) -> None:
        """An arrow for each wake, between two slices of no length."""
        scene, trace, flows = self._scene, self._scene.trace, self._scene.lock_flows
        wakers = trace.wakes.thread[flows.causes]
        woken = trace.intervals.thread[flows.effects]
        times = trace.wakes.start[flows.causes], trace.intervals.end[flows.effects]
        first = scene.first_flow + len(scene.gil_flows)
        numbers = np.arange(first, first + len(flows))
        strings = scene.peers.strings
        for block in blocks(len(flows)):
            ids = numbers[block]
            self._instants([f"wakes {s}" for s in strings], wakers, woken, times[0], block)
            self._flow(b"s", wakers[block], times[0][block], ids)
            self._instants([f"woken by {s}" for s in strings], woken, wakers, times[1], block)
            self._flow(b"f", woken[block], times[1][block], ids)

    def _instants(
        self, names: Sequence[str], threads: Integers, others: Integers, times: I64, block: slice
    ) -> None:
        places = np.searchsorted(np.array(sorted(self._scene.tids)), others[block])
        parts = [
            *self._head(b"X", self._tids(threads[block]), times[block]),
            constant(b',"dur":0,"cat":"lock","name":'),
            texts([_json(name) for name in names], places),
            constant(b"},\n"),
        ]
        self._out.write(join(parts, len(places)))

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
        yield event("thread_name", {"name": thread.name}, tid)
        yield event("thread_sort_index", {"sort_index": 2 * order}, tid)
        if thread.index in scene.callback_tids:
            tid = scene.callback_tids[thread.index]
            yield event("thread_name", {"name": f"{thread.name}: callbacks"}, tid)
            yield event("thread_sort_index", {"sort_index": 2 * order + 1}, tid)


def _micros(ns: I64) -> list[Part]:
    return [decimal(ns // NS_PER_US), constant(b"."), decimal(ns % NS_PER_US, least=3)]


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
