"""Perfetto's protobuf trace: one process a build, a track a thread, arrows, counters.

Field numbers, here and in `packets`, are those of protos/perfetto/trace/ in Perfetto's source:
trace_packet.proto, interned_data.proto, track_event/*.proto.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from gilscope.analysis.handover import gil_handovers, lock_handovers
from gilscope.analysis.nesting import edges, nested_callbacks, nested_spans
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
    from gilscope.export.protobuf import Integers
    from gilscope.trace.model import I64, U64, Bools, Intervals, Trace

    type Values = dict[str, Integers]


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

    def number(self, labels: Labels, numbers: I64) -> I64:
        """Numbers in the table."""
        return 1 + numbers * len(self._labels) + self._labels.index(labels)

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
        naming = enumerate(
            scene.span_tids, first_track + 1 + len(self._tracks) + len(self._callback_tracks)
        )
        self._span_tracks = {index: track for track, index in naming}
        above = (self._tracks, self._callback_tracks, self._span_tracks)
        self._first_counter = first_track + 1 + sum(map(len, above))
        self.next_track = self._first_counter + len(COUNTERS)
        self._wakes = Labels(lambda index: f"wakes {trace.thread_name(index)}")
        self._woken = Labels(lambda index: f"woken by {trace.thread_name(index)}")
        self._contentions = contentions(trace, scene.tids)
        self._contended = Labels(lambda number: self._contentions.names[number])
        names = (
            *(scene.names, self._wakes, self._woken, scene.callback_names),
            *(scene.span_names, self._contended),
        )
        self._known_addresses: list[int] = []
        self._names = _Strings(packets.NAME_TABLE, names)
        values = scene.peers, scene.notes, scene.stacks, scene.callers
        self._values = _Strings(packets.VALUE_TABLE, values)

    def write(self, progress: Progress) -> None:
        """Write the process."""
        scene = self._scene
        self._descriptors()
        # First what takes the most memory for a while.
        for track, state in enumerate(COUNTERS.values(), self._first_counter):
            for times, values in scene.counter(state):
                event = {"time": times, "track": np.array([track]), "value": values}
                self._out.write(packets.counter().encode(event, len(times)).data)
        flows = _Flows(scene, gil_handovers(scene.trace))
        for piece in scene.pieces():
            self._slices(piece, flows)
            progress(len(piece))
        del flows
        # Behind the slices: what ends at the moment of a wake is over then.
        self._write_wakes(lock_handovers(scene.trace))
        for thread, nesting in nested_callbacks(scene.trace):
            self._callbacks(self._callback_tracks[thread.index], edges(nesting))
        for thread, nesting in nested_spans(scene.trace):
            self._spans(self._span_tracks[thread.index], edges(nesting))

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
        for name, tracks in (("callbacks", self._callback_tracks), ("spans", self._span_tracks)):
            for index, track in tracks.items():
                parent = wire.number(5, self._tracks[index])
                write(packets.descriptor(track, parent + wire.text(2, name)))
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
        write(packets.state(b"".join(parts), packets.STATE_CLEARED | packets.NEEDS_STATE))

    def _tell_strings(self) -> None:
        """Write the strings that are new in what comes next."""
        new = self._names.new() + self._values.new()
        if new:
            self._out.write(packets.state(new))

    def _slices(self, piece: Piece, flows: _Flows) -> None:
        has, values = self._values_of(piece.rows, piece.intervals, flows)
        changes = edges(piece.nesting)
        values["track"] = np.array([self._tracks[piece.thread.index]])
        contended = (has & Has.CONTENTION) != 0
        groups = []
        for slices, ending in ((1, ~contended), (2, contended)):
            ends = np.flatnonzero(~changes.begins & ending[changes.rows])
            event = {"time": changes.times[ends], "track": values["track"]}
            groups.append((ends, packets.end(slices).encode(event, len(ends))))
        codes = np.where(changes.begins, has[changes.rows], -1)
        for code in np.flatnonzero(np.bincount(has, minlength=1)).tolist():
            chosen = np.flatnonzero(codes == code)
            message = packets.begin(code)
            at = changes.rows[chosen]
            used = {slot.name for slot in message.slots} - {"time", "track"}
            event = {name: values[name][at] for name in used}
            event |= {"time": changes.times[chosen], "track": values["track"]}
            groups.append((chosen, message.encode(event, len(chosen))))
        self._tell_strings()
        self._out.write(wire.in_order(groups, len(changes.times)))

    def _values_of(self, rows: I64, intervals: Intervals, flows: _Flows) -> tuple[I64, Values]:
        """What the slice of each interval has, and the numbers for it."""
        scene, names, texts = self._scene, self._names, self._values
        waits = intervals.kind == Event.LOCK_WAIT
        peers = scene.peers.numbers(intervals.peer.astype(np.int64))
        notes = scene.notes.numbers(note_codes(intervals))
        stacks = scene.stacks.numbers(intervals.stack.astype(np.int64))
        slices = scene.names.numbers(name_codes(intervals))
        contended = np.full(len(rows), NONE)
        contended[waits] = self._contentions.numbers_of(rows[waits])
        values: Values = {
            "name": names.number(scene.names, slices),
            "flow_out": flows.outgoing[rows],
            "flow_in": flows.incoming[rows],
            "peer": texts.number(scene.peers, peers),
            "note": texts.number(scene.notes, notes),
            "stack": texts.number(scene.stacks, stacks),
            "times": switch_intervals(intervals),
            "address": self._addresses(intervals, waits),
        }
        has = on_locks(intervals) * Has.LOCK.value
        for flag, chosen in (
            (Has.FLOW_OUT, values["flow_out"] > 0),
            (Has.FLOW_IN, values["flow_in"] > 0),
            (Has.HELD_BY, peer_labels(intervals)[HELD_BY] & (peers != NONE)),
            (Has.ENDED_BY, peer_labels(intervals)[ENDED_BY] & (peers != NONE)),
            (Has.ADDRESS, waits & (values["address"] < packets.ADDRESS_LIMIT)),
            (Has.NOTE, notes != NONE),
            (Has.TIMES, values["times"] > 0),
            (Has.STACK, stacks != NONE),
            (Has.CONTENTION, contended != NONE),
        ):
            has += chosen * flag.value
        if (contended != NONE).any():
            numbers = self._contended.numbers(np.maximum(contended, 0))
            values["contention"] = names.number(self._contended, numbers)
        return has, values

    def _addresses(self, intervals: Intervals, waits: Bools) -> U64:
        """Address that each interval waits on; 0 of those that do not wait for a lock."""
        labels = self._scene.addresses
        numbers = labels.numbers(intervals.what[waits].astype(np.int64))
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
            callers = scene.callers.numbers(scene.trace.callbacks.entry[rows].astype(np.int64))
            tracks = np.array([track])
            event = {
                "time": times[begins],
                "track": tracks,
                "name": self._names.number(scene.callback_names, names),
                "from": self._values.number(scene.callers, callers),
                "enter": scene.trace.callbacks.enter_ns[rows],
            }
            ends = {"time": times[~begins], "track": tracks}
            groups = [
                (np.flatnonzero(begins), packets.callback().encode(event, len(rows))),
                (np.flatnonzero(~begins), packets.end().encode(ends, len(ends["time"]))),
            ]
            self._tell_strings()
            self._out.write(wire.in_order(groups, len(times)))

    def _spans(self, track: int, changes: Edges) -> None:
        scene, spans = self._scene, self._scene.trace.spans
        tracks = np.array([track])
        for at in range(0, len(changes.times), PIECE):
            part = slice(at, at + PIECE)
            begins, times, rows = changes.begins[part], changes.times[part], changes.rows[part]
            groups = []
            for sized in (True, False):
                chosen = begins & ((spans.bytes[rows] >= 0) == sized)
                mine = rows[chosen]
                names = scene.span_names.numbers(spans.name[mine].astype(np.int64))
                event = {
                    "time": times[chosen],
                    "track": tracks,
                    "name": self._names.number(scene.span_names, names),
                    "bytes": np.maximum(spans.bytes[mine], 0),
                }
                message = packets.span(sized=sized).encode(event, len(mine))
                groups.append((np.flatnonzero(chosen), message))
            ends = {"time": times[~begins], "track": tracks}
            groups.append((np.flatnonzero(~begins), packets.end().encode(ends, len(ends["time"]))))
            self._tell_strings()
            self._out.write(wire.in_order(groups, len(times)))

    def _write_wakes(self, flows: Handovers) -> None:
        """An arrow for each wake, between two instants: slices end nowhere else in time."""
        scene, first = self._scene, self._scene.first_wake_flow
        for at in range(0, len(flows), PIECE):
            part = slice(at, at + PIECE)
            wakes = scene.trace.wakes.select(flows.causes[part])
            waits = scene.trace.intervals.select(flows.effects[part])
            numbers = np.arange(first + at, first + at + len(wakes))
            for labels, threads, others, times in (
                (self._wakes, wakes.thread, waits.thread, wakes.start),
                (self._woken, waits.thread, wakes.thread, waits.end),
            ):
                event = {
                    "time": times,
                    "track": _lookup(self._tracks, threads),
                    "name": self._names.number(labels, labels.numbers(others.astype(np.int64))),
                    "flow": numbers,
                }
                self._tell_strings()
                message = packets.instant(wakes=labels is self._wakes)
                self._out.write(message.encode(event, len(times)).data)


class _Flows:
    """Arrows from hold to hold, by the rows that they lead from and to.

    Attributes:
        outgoing: u32[n] or wider, number of the arrow from each interval; 0 for none.
        incoming: the same of the arrow to it.
    """

    def __init__(self, scene: Scene, flows: Handovers) -> None:
        last = scene.first_flow + len(flows)
        dtype = np.uint32 if last < 1 << 32 else np.uint64
        numbers = np.arange(scene.first_flow, last, dtype=dtype)
        self.outgoing: Integers = np.zeros(len(scene.trace.intervals), dtype)
        self.incoming: Integers = np.zeros(len(scene.trace.intervals), dtype)
        self.outgoing[flows.causes] = numbers
        self.incoming[flows.effects] = numbers


def _lookup(table: dict[int, int], keys: Integers) -> Integers:
    known = np.array(sorted(table))
    values = np.array([table[key] for key in known.tolist()])
    return values[np.searchsorted(known, keys)] if len(keys) else np.zeros(0, np.int64)
