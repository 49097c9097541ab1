"""Perfetto's protobuf trace: one process a build, a track a thread, arrows, counters.

Field numbers, here and in `packets`, are those of protos/perfetto/trace/ in Perfetto's source:
trace_packet.proto, interned_data.proto, track_event/*.proto.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from gilscope.analysis.handover import gil_handovers, lock_handovers
from gilscope.analysis.nesting import edges, nested_callbacks
from gilscope.export import packets
from gilscope.export import protobuf as wire
from gilscope.export.contention import contentions
from gilscope.export.labels import NONE, Labels
from gilscope.export.packets import Has
from gilscope.export.progress import Progress, silent
from gilscope.export.scene import (
    COUNTERS,
    ENDED_BY,
    HELD_BY,
    PIECE,
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
    from collections.abc import Sequence

    from gilscope.analysis.handover import Handovers
    from gilscope.analysis.nesting import Edges, Piece
    from gilscope.export.protobuf import Integers, Words
    from gilscope.trace.model import I64, U16, U32, U64, Bools, Intervals, Trace

    type Values = dict[str, Words]


class PerfettoExporter:
    """Writes Perfetto's own format."""

    name = "perfetto"
    suffix = ".perfetto-trace"
    description = "Perfetto protobuf, for ui.perfetto.dev and trace_processor"

    def write(self, traces: Sequence[Trace], out: BinaryIO, progress: Progress = silent) -> None:
        """Write all traces as one, with a common start."""
        track = 1
        for scene in scenes(traces):
            writer = _SceneWriter(scene, track, out)
            writer.write(progress)
            track = writer.next_track


class _Strings:
    """Labels that are interned in one table, each with numbers of its own.

    Args:
        table: of the interned data.
        labels: all that share it.
    """

    def __init__(self, table: int, labels: Sequence[Labels]) -> None:
        self._table = table
        self._labels = labels

    def encoded(self, labels: Labels, numbers: I64) -> U32:
        """Numbers in the table, as packets have them."""
        return wire.short(1 + numbers * len(self._labels) + self._labels.index(labels))

    def new(self) -> bytes:
        """What the trace does not say yet."""
        return b"".join(
            packets.interned(self._table, 1 + number * len(self._labels) + place, string)
            for place, labels in enumerate(self._labels)
            for number, string in labels.new()
        )


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
        self._wakes = Labels(lambda index: f"wakes {trace.thread_name(index)}")
        self._woken = Labels(lambda index: f"woken by {trace.thread_name(index)}")
        self._handovers = lock_handovers(trace)
        self._contentions = contentions(trace, scene.tids, self._handovers)
        self._contended = Labels(lambda number: self._contentions.names[number])
        names = scene.names, self._wakes, self._woken, scene.callback_names, self._contended
        self._known_addresses: list[int] = []
        self._names = _Strings(packets.NAME_TABLE, names)
        values = scene.peers, scene.notes, scene.stacks, scene.callers
        self._values = _Strings(packets.VALUE_TABLE, values)

    def write(self, progress: Progress) -> None:
        """Write the process."""
        scene = self._scene
        self._descriptors()
        # First what takes the most memory for a while.
        tracks = {name: track for track, name in enumerate(COUNTERS, self._first_counter)}
        for name, times, values in scene.counters():
            event: Values = {"time": wire.long(times), "value": wire.short(values)}
            self._out.write(packets.state(track=tracks[name]))
            self._out.write(packets.counter().encode(event, len(times)).data)
        flows = _Flows(scene, gil_handovers(scene.trace))
        for piece in scene.pieces():
            self._slices(piece, flows)
            progress(len(piece))
        del flows
        # Behind the slices: what ends at the moment of a wake is over then.
        self._write_wakes(self._handovers)
        for thread, nesting in nested_callbacks(scene.trace):
            self._callbacks(self._callback_tracks[thread.index], edges(nesting))

    def _descriptors(self) -> None:
        scene, trace, write = self._scene, self._scene.trace, self._out.write
        process = wire.number(1, scene.pid) + wire.text(6, scene.name)
        for arg in trace.argv:
            process += wire.text(2, arg)
        write(packets.descriptor(self._process, wire.message(3, process)))
        for thread in trace.threads:
            ids = wire.number(1, scene.pid) + wire.number(2, scene.tids[thread.index])
            described = wire.message(4, ids + wire.text(5, thread.name))
            write(packets.descriptor(self._tracks[thread.index], described))
        for index, track in self._callback_tracks.items():
            parent = wire.number(5, self._tracks[index])
            write(packets.descriptor(track, parent + wire.text(2, "callbacks")))
        for track, name in enumerate(COUNTERS, self._first_counter):
            parent = wire.number(5, self._process)
            write(packets.descriptor(track, parent + wire.text(2, name) + wire.data(8, b"")))
        fixed = (
            (packets.CATEGORY_TABLE, packets.CATEGORIES),
            (
                packets.ANNOTATION_TABLE,
                packets.ANNOTATIONS,
            ),
        )
        parts = [packets.interned(t, i, s) for t, names in fixed for i, s in enumerate(names, 1)]
        write(packets.state(b"".join(parts), first=True))

    def _tell_state(self, track: int = 0) -> None:
        """Write the strings that are new in what comes next, and the track where it is."""
        new = self._names.new() + self._values.new()
        if new or track:
            self._out.write(packets.state(new, track=track))

    def _slices(self, piece: Piece, flows: _Flows) -> None:
        has, values = self._values_of(piece.rows, piece.intervals, flows)
        changes = edges(piece.nesting)
        times, codes = wire.long(changes.times), has[changes.rows]
        contended = (codes & Has.CONTENTION) != 0
        groups = []
        for slices, ending in ((1, ~contended), (2, contended)):
            ends = np.flatnonzero(~changes.begins & ending)
            groups.append((ends, packets.end(slices).encode({"time": times[ends]}, len(ends))))
        for code in np.flatnonzero(np.bincount(has)).tolist():
            chosen = np.flatnonzero(changes.begins & (codes == code))
            message = packets.begin(code)
            rows = changes.rows[chosen]
            event = {name: values[name][rows] for name in message.names if name != "time"}
            groups.append((chosen, message.encode(event | {"time": times[chosen]}, len(chosen))))
        self._tell_state(self._tracks[piece.thread.index])
        self._out.write(wire.in_order(groups, len(times)))

    def _values_of(self, rows: I64, intervals: Intervals, flows: _Flows) -> tuple[U16, Values]:
        """What the slice of each interval has, and the numbers for it."""
        scene, names, texts = self._scene, self._names, self._values
        waits = intervals.kind == Event.LOCK_WAIT
        peers = scene.peers.numbers(intervals.peer)
        notes = scene.notes.numbers(note_codes(intervals))
        stacks = scene.stacks.numbers(intervals.stack)
        slices = scene.names.numbers(name_codes(intervals))
        addresses = self._addresses(intervals, waits)
        times = switch_intervals(intervals)
        outgoing, incoming = flows.of(rows)
        others = peer_labels(intervals)
        values: Values = {
            "name": names.encoded(scene.names, slices),
            "flow_out": outgoing,
            "flow_in": incoming,
            "peer": texts.encoded(scene.peers, peers),
            "note": texts.encoded(scene.notes, notes),
            "stack": texts.encoded(scene.stacks, stacks),
            "times": wire.short(times),
            "address": wire.long(addresses),
        }
        contended = np.full(len(rows), NONE)
        contended[waits] = self._contentions.numbers_of(rows[waits])
        if (contended != NONE).any():
            numbers = self._contended.numbers(np.maximum(contended, 0))
            values["contention"] = names.encoded(self._contended, numbers)
        has: U16 = np.zeros(len(rows), np.uint16)
        for flag, chosen in (
            (Has.LOCK, on_locks(intervals)),
            (Has.FLOW_OUT, outgoing > 0),
            (Has.FLOW_IN, incoming > 0),
            (Has.HELD_BY, others[HELD_BY] & (peers != NONE)),
            (Has.ENDED_BY, others[ENDED_BY] & (peers != NONE)),
            (Has.ADDRESS, waits & (addresses < packets.ADDRESS_LIMIT)),
            (Has.NOTE, notes != NONE),
            (Has.TIMES, times > 0),
            (Has.STACK, stacks != NONE),
            (Has.CONTENTION, contended != NONE),
        ):
            has |= chosen * np.uint16(flag)
        return has, values

    def _addresses(self, intervals: Intervals, waits: Bools) -> U64:
        """Address that each interval waits on; 0 of those that do not wait for a lock."""
        labels = self._scene.addresses
        numbers = labels.numbers(intervals.what[waits])
        known = len(self._known_addresses)
        self._known_addresses += [int(text, 16) for text in labels.strings[known:]]
        result = np.zeros(len(intervals), np.uint64)
        result[waits] = np.array(self._known_addresses, np.uint64)[numbers]
        return result

    def _callbacks(self, track: int, changes: Edges) -> None:
        scene = self._scene
        for at in range(0, len(changes.times), PIECE):
            part = slice(at, at + PIECE)
            begins, times = changes.begins[part], changes.times[part]
            rows = changes.rows[part][begins]
            names = scene.callback_names.numbers(scene.callback_codes[rows])
            callers = scene.callers.numbers(scene.trace.callbacks.entry[rows])
            event: Values = {
                "time": wire.long(times[begins]),
                "name": self._names.encoded(scene.callback_names, names),
                "from": self._values.encoded(scene.callers, callers),
                "enter": wire.long(scene.trace.callbacks.enter_ns[rows]),
            }
            ends: Values = {"time": wire.long(times[~begins])}
            groups = [
                (np.flatnonzero(begins), packets.callback().encode(event, len(rows))),
                (np.flatnonzero(~begins), packets.end().encode(ends, len(ends["time"]))),
            ]
            self._tell_state(track)
            self._out.write(wire.in_order(groups, len(times)))

    def _write_wakes(self, flows: Handovers) -> None:
        """An arrow for each wake, between two instants: slices end nowhere else in time."""
        scene, first = self._scene, self._scene.first_wake_flow
        for at in range(0, len(flows), PIECE):
            part = slice(at, at + PIECE)
            wakes = scene.trace.wakes.select(flows.causes[part])
            waits = scene.trace.intervals.select(flows.effects[part])
            numbers = np.arange(first + at, first + at + len(wakes), dtype=np.uint64)
            for labels, threads, others, times in (
                (self._wakes, wakes.thread, waits.thread, wakes.start),
                (self._woken, waits.thread, wakes.thread, waits.end),
            ):
                event: Values = {
                    "time": wire.long(times),
                    "track": wire.short(_lookup(self._tracks, threads)),
                    "name": self._names.encoded(labels, labels.numbers(others)),
                    "flow": numbers,
                }
                self._tell_state()
                message = packets.instant(wakes=labels is self._wakes)
                self._out.write(message.encode(event, len(times)).data)


class _Flows:
    """Arrows from hold to hold: the number of each is that of the hold it begins at.

    Attributes:
        outgoing: bool[n], one begins at this interval.
        incoming: u32[n], 1 + row of the interval that one to this interval begins at; 0 for none.
    """

    def __init__(self, scene: Scene, flows: Handovers) -> None:
        self._first = scene.first_flow - 1
        self.outgoing: Bools = np.zeros(len(scene.trace.intervals), np.bool_)
        self.incoming: U32 = np.zeros(len(scene.trace.intervals), np.uint32)
        self.outgoing[flows.causes] = True
        self.incoming[flows.effects] = flows.causes + np.uint32(1)

    def of(self, rows: I64) -> tuple[U64, U64]:
        """Numbers of the arrows from and to these intervals; 0 for none."""
        first = np.uint64(self._first)
        numbers = (rows + 1).view(np.uint64)
        incoming = self.incoming[rows].astype(np.uint64)
        nothing = np.uint64(0)
        return (
            np.where(self.outgoing[rows], numbers + first, nothing),
            np.where(incoming > 0, incoming + first, nothing),
        )


def _lookup(table: dict[int, int], keys: Integers) -> Integers:
    known = np.array(sorted(table))
    values = np.array([table[key] for key in known.tolist()])
    return values[np.searchsorted(known, keys)] if len(keys) else np.zeros(0, np.int64)
