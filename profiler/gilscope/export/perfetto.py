"""Perfetto's protobuf trace: one process a build, a track a thread, arrows, counters.

Field numbers are those of protos/perfetto/trace/ in Perfetto's source: trace_packet.proto,
interned_data.proto, track_event/*.proto.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from gilscope.analysis.nesting import edges, nested, nested_callbacks
from gilscope.export import protobuf as wire
from gilscope.export.rows import Integers, Part, blocks, constant, join
from gilscope.export.scene import COUNTERS, ENDED_BY, HELD_BY, Scene, scenes
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gilscope.analysis.nesting import Edges
    from gilscope.trace.model import I64, U8, Bools, Trace

SEQUENCE = 1
STATE_CLEARED, NEEDS_STATE = 1, 2
BEGIN, END, INSTANT, COUNTER = 1, 2, 3, 4
# Widths of varints: 7 bits a byte.
ID_WIDTH, TIME_WIDTH, ADDRESS_WIDTH = 4, 8, 10

CATEGORIES = ("gil", "lock", "callback")
ANNOTATIONS = (
    HELD_BY,
    ENDED_BY,
    "address",
    "note",
    "switch intervals",
    "stack",
    "from",
    "to get in (ns)",
)


class PerfettoExporter:
    """Writes Perfetto's own format."""

    name = "perfetto"
    suffix = ".perfetto-trace"
    description = "Perfetto protobuf, for ui.perfetto.dev and trace_processor"

    def write(self, traces: Sequence[Trace], out: BinaryIO) -> None:
        """Write all traces as one, with a common start."""
        track = 1
        for scene in scenes(traces):
            writer = _SceneWriter(scene, track, out)
            writer.write()
            track = writer.next_track


class _SceneWriter:
    """Writes one process."""

    def __init__(self, scene: Scene, first_track: int, out: BinaryIO) -> None:
        self._scene = scene
        self._out = out
        trace = scene.trace
        self._process = first_track
        threads = enumerate(trace.threads, first_track + 1)
        self._tracks = {thread.index: track for track, thread in threads}
        calling = enumerate(scene.callback_tids, first_track + 1 + len(self._tracks))
        self._callback_tracks = {index: track for track, index in calling}
        self._first_counter = first_track + 1 + len(self._tracks) + len(self._callback_tracks)
        self.next_track = self._first_counter + len(COUNTERS)
        self._flows_out = np.zeros(len(trace.intervals), np.uint64)
        self._flows_in = np.zeros(len(trace.intervals), np.uint64)
        flows = scene.gil_flows
        numbers = np.arange(scene.first_flow, scene.first_flow + len(flows), dtype=np.uint64)
        self._flows_out[flows.causes] = numbers
        self._flows_in[flows.effects] = numbers
        # Interned strings are numbered from 1; wakes have names of their own behind the slices'.
        self._waked = [f"wakes {name}" for name in scene.peers.strings]
        self._waked += [f"woken by {name}" for name in scene.peers.strings]
        names = scene.names.strings + self._waked
        self._first_callback_name = 1 + len(names)
        self._names = names + scene.callback_names.strings
        values = scene.peers, scene.notes, scene.stacks, scene.callers
        self._values = [string for part in values for string in part.strings]
        lengths = [len(part.strings) for part in values]
        self._first_note, self._first_stack, self._first_caller = (
            1 + sum(lengths[:n]) for n in (1, 2, 3)
        )

    def write(self) -> None:
        """Write the process."""
        self._descriptors()
        self._interned()
        for thread, intervals in nested(self._scene.trace):
            changes = edges(intervals)
            for block in blocks(len(changes.times)):
                self._edges(self._tracks[thread.index], changes, block)
        for thread, intervals in nested_callbacks(self._scene.trace):
            changes = edges(intervals)
            for block in blocks(len(changes.times)):
                self._callbacks(self._callback_tracks[thread.index], changes, block)
        self._wakes()
        for track, state in enumerate(COUNTERS.values(), self._first_counter):
            self._counter(track, *self._scene.counter(state))

    def _descriptors(self) -> None:
        scene, trace = self._scene, self._scene.trace
        process = wire.number(1, scene.pid) + b"".join(wire.text(2, arg) for arg in trace.argv)
        self._descriptor(self._process, wire.data(3, process + wire.text(6, scene.name)))
        for thread in trace.threads:
            ids = wire.number(1, scene.pid) + wire.number(2, scene.tids[thread.index])
            described = wire.data(4, ids + wire.text(5, thread.name))
            self._descriptor(self._tracks[thread.index], described)
        for index, track in self._callback_tracks.items():
            parent = wire.number(5, self._tracks[index])
            self._descriptor(track, parent + wire.text(2, "callbacks"))
        for track, name in enumerate(COUNTERS, self._first_counter):
            parent = wire.number(5, self._process)
            self._descriptor(track, parent + wire.text(2, name) + wire.data(8, b""))

    def _descriptor(self, track: int, body: bytes) -> None:
        packet = wire.data(60, wire.number(1, track) + body) + wire.number(10, SEQUENCE)
        self._out.write(wire.data(1, packet))

    def _interned(self) -> None:
        """Strings of this process; they replace those of the one before."""
        tables = ((1, CATEGORIES), (2, self._names), (3, ANNOTATIONS), (29, self._values))
        self._out.write(_state_packet(b""))
        for field, strings in tables:
            for at in range(0, len(strings), 1000):
                entries = enumerate(strings[at : at + 1000], at + 1)
                body = b"".join(
                    wire.data(field, wire.number(1, number) + wire.text(2, string))
                    for number, string in entries
                )
                self._out.write(_state_packet(body, flags=NEEDS_STATE))

    def _edges(self, track: int, changes: Edges, block: slice) -> None:
        begins, rows = changes.begins[block], changes.rows[block]
        intervals = self._scene.trace.intervals
        kinds = intervals.kind[rows]
        outgoing, incoming = self._flows_out[rows], self._flows_in[rows]
        event = [
            wire.field(9, np.where(begins, BEGIN, END), 1),
            wire.field(11, np.array([track]), ID_WIDTH),
            wire.field(3, 1 + np.isin(kinds, (Event.LOCK_WAIT, Event.SPIN)), 1).only(begins),
            wire.field(10, 1 + self._scene.names.index[rows], ID_WIDTH).only(begins),
            wire.fixed64(47, outgoing).only(begins & (outgoing > 0)),
            wire.fixed64(48, incoming).only(begins & (incoming > 0)),
            *self._annotations(rows, kinds, begins),
        ]
        self._write_events(changes.times[block], event)

    def _callbacks(self, track: int, changes: Edges, block: slice) -> None:
        scene = self._scene
        begins, rows = changes.begins[block], changes.rows[block]
        names = self._first_callback_name + scene.callback_names.index[rows]
        callers = self._first_caller + scene.callers.index[rows]
        enter = scene.trace.callbacks.enter_ns[rows]
        event = [
            wire.field(9, np.where(begins, BEGIN, END), 1),
            wire.field(11, np.array([track]), ID_WIDTH),
            wire.field(3, np.array([1 + CATEGORIES.index("callback")]), 1).only(begins),
            wire.field(10, names, ID_WIDTH).only(begins),
            *_annotation("from", 17, callers, ID_WIDTH, begins),
            *_annotation("to get in (ns)", 3, enter, TIME_WIDTH, begins),
        ]
        self._write_events(changes.times[block], event)

    def _annotations(self, rows: I64, kinds: U8, begins: Bools) -> Iterable[Part]:
        """Arguments of slices; most slices have one, few have them all."""
        scene = self._scene
        peers, notes = scene.peers.index[rows], scene.notes.index[rows]
        for label, labelled in scene.peer_labels.items():
            chosen = begins & labelled[rows] & (peers >= 0)
            yield from _annotation(label, 17, 1 + peers, ID_WIDTH, chosen)
        waits = begins & (kinds == Event.LOCK_WAIT)
        if waits.any():
            yield from _annotation("address", 7, self._addresses(rows), ADDRESS_WIDTH, waits)
        chosen = begins & (notes >= 0)
        yield from _annotation("note", 17, self._first_note + notes, ID_WIDTH, chosen)
        stacks = scene.stacks.index[rows]
        chosen = begins & (stacks >= 0)
        yield from _annotation("stack", 17, self._first_stack + stacks, ID_WIDTH, chosen)
        times = scene.switch_intervals[rows]
        yield from _annotation("switch intervals", 3, times, 3, begins & (times > 0))

    def _addresses(self, rows: I64) -> Integers:
        """Address that each interval waits on; of use for lock waits only."""
        locks = self._scene.trace.locks
        used, places = np.unique(self._scene.trace.intervals.what[rows], return_inverse=True)
        table = np.array([locks[lock].address for lock in used.tolist()], np.uint64)
        return table[places]

    def _wakes(self) -> None:
        """An arrow for each wake, between two instants: slices end nowhere else in time."""
        scene, flows = self._scene, self._scene.lock_flows
        trace = scene.trace
        wakers = trace.wakes.thread[flows.causes]
        woken = trace.intervals.thread[flows.effects]
        first = scene.first_flow + len(scene.gil_flows)
        numbers = np.arange(first, first + len(flows), dtype=np.uint64)
        ends = trace.intervals.end[flows.effects]
        for flow_field, tracks, others, offset, times in (
            (47, wakers, woken, 0, trace.wakes.start[flows.causes]),
            (48, woken, wakers, len(scene.peers.strings), ends),
        ):
            names = 1 + len(scene.names.strings) + offset + _places(scene, others)
            table = _lookup(self._tracks, tracks)
            for block in blocks(len(flows)):
                event = [
                    wire.field(9, np.array([INSTANT]), 1),
                    wire.field(11, table[block], ID_WIDTH),
                    wire.field(3, np.array([2]), 1),
                    wire.field(10, names[block], ID_WIDTH),
                    wire.fixed64(flow_field, numbers[block]),
                ]
                self._write_events(times[block], event)

    def _counter(self, track: int, times: I64, values: I64) -> None:
        for block in blocks(len(times)):
            event = [
                wire.field(9, np.array([COUNTER]), 1),
                wire.field(11, np.array([track]), ID_WIDTH),
                wire.field(30, values[block], ID_WIDTH),
            ]
            self._write_events(times[block], event)

    def _write_events(self, times: I64, event: Sequence[Part]) -> None:
        n = len(times)
        packet = [
            wire.field(8, times, TIME_WIDTH),
            constant(wire.number(10, SEQUENCE) + wire.number(13, NEEDS_STATE)),
            *wire.message(11, event),
        ]
        self._out.write(join(list(wire.message(1, packet)), n))


def _places(scene: Scene, threads: Integers) -> Integers:
    """Position of each thread's name among `scene.peers.strings`."""
    return np.searchsorted(np.array(sorted(scene.tids)), threads)


def _lookup(table: dict[int, int], keys: Integers) -> Integers:
    known = np.array(sorted(table))
    values = np.array([table[key] for key in known.tolist()])
    return values[np.searchsorted(known, keys)] if len(keys) else np.zeros(0, np.int64)


def _state_packet(interned: bytes, flags: int = STATE_CLEARED | NEEDS_STATE) -> bytes:
    body = wire.data(12, interned) + wire.number(10, SEQUENCE) + wire.number(13, flags)
    return wire.data(1, body)


def _annotation(
    name: str, number: int, values: Integers, width: int, rows: Bools
) -> Iterable[Part]:
    """A debug annotation with a name and a value, in these rows; `number` is the value's field."""
    if not rows.any():
        return ()
    label = constant(wire.number(1, 1 + ANNOTATIONS.index(name)))
    value = wire.field(number, values, width)
    return (part.only(rows) for part in wire.message(4, [label, value]))
