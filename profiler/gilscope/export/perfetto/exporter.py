"""Perfetto's protobuf trace: one process a build, a track a thread, arrows, counters.

Field numbers, here and in `packets`, are those of protos/perfetto/trace/ in Perfetto's source:
trace_packet.proto, interned_data.proto, track_event/*.proto.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from gilscope.analysis.states.nesting import (
    edge_places,
    edges,
    nested_callbacks,
    nested_pieces,
    nested_spans,
    thread_rows,
)
from gilscope.analysis.states.thread_states import interval_states
from gilscope.analysis.waits.handover import gil_handover_parts, lock_handovers
from gilscope.export.labels import NONE, Labels
from gilscope.export.marks import FIRST_ARROW
from gilscope.export.perfetto import packets
from gilscope.export.perfetto import protobuf as wire
from gilscope.export.perfetto.contention import contentions
from gilscope.export.perfetto.packets import Has
from gilscope.export.perfetto.strings import Strings
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
    from collections.abc import Callable, Mapping, Sequence

    from gilscope.analysis.states.nesting import Edges, Piece
    from gilscope.analysis.waits.handover import Handovers
    from gilscope.export.marks import Mark
    from gilscope.export.perfetto.protobuf import Integers, Words
    from gilscope.trace.arrays import I64, U16, U32, U64, Bools
    from gilscope.trace.model import Intervals, Trace

    type Values = dict[str, Words]
    type Columns = dict[str, tuple[Callable[[Integers], Words], Integers]]


class PerfettoExporter:
    """Writes Perfetto's own format."""

    name = "perfetto"
    suffix = ".perfetto-trace"
    description = "Perfetto protobuf, for ui.perfetto.dev and trace_processor"

    def __init__(self, marks: Sequence[Sequence[Mark]] = ()) -> None:
        """Show these marks, of each trace its own."""
        self._marks = marks

    def marked(self, marks: Sequence[Sequence[Mark]]) -> PerfettoExporter:
        """Return one that shows marks, of each trace its own."""
        return PerfettoExporter(marks)

    def write(self, traces: Sequence[Trace], out: BinaryIO, progress: Progress = silent) -> None:
        """Write all traces as one, with a common start."""
        track = 1
        for scene in scenes(traces, self._marks):
            writer = _SceneWriter(scene, track, out)
            writer.write(progress)
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
        naming = enumerate(
            scene.span_tids, first_track + 1 + len(self._tracks) + len(self._callback_tracks)
        )
        self._span_tracks = {index: track for track, index in naming}
        above = (self._tracks, self._callback_tracks, self._span_tracks)
        self._first_counter = first_track + 1 + sum(map(len, above))
        self.next_track = self._first_counter + len(COUNTERS)
        self._wakes = Labels(lambda index: f"wakes {trace.thread_name(index)}")
        self._woken = Labels(lambda index: f"woken by {trace.thread_name(index)}")
        self._handovers = lock_handovers(trace)
        self._states = interval_states(trace)
        self._contentions = contentions(trace, self._states, scene.tids, self._handovers)
        self._contended = Labels(lambda number: self._contentions.names[number])
        self._mark_names = Labels(lambda number: scene.marks[number].name)
        self._mark_places = Labels(lambda number: scene.marks[number].place)
        names = (
            *(scene.names, self._wakes, self._woken, scene.callback_names),
            *(scene.span_names, self._contended, self._mark_names),
        )
        self._known_addresses: list[int] = []
        self._names = Strings(packets.NAME_TABLE, names)
        values = scene.peers, scene.notes, scene.stacks, scene.callers, self._mark_places
        self._values = Strings(packets.VALUE_TABLE, values)

    def write(self, progress: Progress) -> None:
        """Write the process."""
        scene = self._scene
        self._descriptors()
        # First what takes the most memory for a while.
        tracks = {name: track for track, name in enumerate(COUNTERS, self._first_counter)}
        for name, times, values in scene.counters(self._states):
            event: Values = {"time": wire.long(times), "value": wire.short(values)}
            self._out.write(packets.state(track=tracks[name]))
            self._out.write(packets.counter().encode(event, len(times)).data)
        del self._states
        rows = thread_rows(scene.trace.intervals.thread)
        flows = _Flows(scene, rows)
        for piece in nested_pieces(scene.trace, rows, PIECE):
            self._slices(piece, flows)
            progress(len(piece))
        del flows, rows
        # Behind the slices: what ends at the moment of a wake is over then.
        self._write_wakes(self._handovers)
        for thread, nesting in nested_callbacks(scene.trace):
            self._callbacks(self._callback_tracks[thread.index], edges(nesting))
        for thread, nesting in nested_spans(scene.trace):
            self._spans(self._span_tracks[thread.index], edges(nesting))
        self._write_marks()

    def _descriptors(self) -> None:
        scene, trace, write = self._scene, self._scene.trace, self._out.write
        process = wire.number(1, scene.pid) + wire.text(6, scene.name)
        for arg in trace.argv:
            process += wire.text(2, arg)
        write(packets.descriptor(self._process, wire.message(3, process)))
        for thread in trace.threads:
            ids = wire.number(1, scene.pid) + wire.number(2, scene.tids[thread.index])
            described = wire.message(4, ids + wire.text(5, thread.label))
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
        write(packets.state(b"".join(parts), first=True))

    def _tell_state(self, track: int = 0) -> None:
        """Write the strings that are new in what comes next, and the track where it is."""
        new = self._names.new() + self._values.new()
        if new or track:
            self._out.write(packets.state(new, track=track))

    def _slices(self, piece: Piece, flows: _Flows) -> None:
        nesting = piece.nesting
        has, columns = self._columns_of(piece.rows, piece.intervals, flows)
        has = has[nesting.rows]
        begins, ends = edge_places(nesting)
        contended = (has & Has.CONTENTION) != 0
        groups = []
        for slices, chosen in ((1, ~contended), (2, contended)):
            own = np.flatnonzero(chosen)
            times = {"time": wire.long(nesting.ends[own])}
            groups.append((ends[own], packets.end(slices).encode(times, len(own))))
        for code in np.flatnonzero(np.bincount(has)).tolist():
            own = np.flatnonzero(has == code)
            message, rows = packets.begin(code), nesting.rows[own]
            event: Values = {"time": wire.long(nesting.starts[own])}
            for name in message.names:
                if name not in event:
                    encode, numbers = columns[name]
                    event[name] = encode(numbers[rows])
            groups.append((begins[own], message.encode(event, len(own))))
        self._tell_state(self._tracks[piece.thread.index])
        self._out.write(wire.in_order(groups, 2 * len(nesting)))

    def _columns_of(self, rows: I64, intervals: Intervals, flows: _Flows) -> tuple[U16, Columns]:
        """What the slice of each interval has, and the numbers for it."""
        scene, texts = self._scene, self._values
        waits = np.flatnonzero(intervals.kind == Event.LOCK_WAIT)
        peers = scene.peers.numbers(intervals.peer)
        notes = scene.notes.numbers(note_codes(intervals))
        stacks = scene.stacks.numbers(intervals.stack)
        names = scene.names.numbers(name_codes(intervals))
        addresses = self._addresses(intervals, waits)
        times = switch_intervals(intervals)
        incoming = flows.incoming[rows]
        others = peer_labels(intervals)
        contended = np.full(len(rows), NONE)
        contended[waits] = self._contentions.numbers_of(rows[waits])
        columns: Columns = {
            "name": (partial(self._names.encoded, scene.names), names),
            "flow_out": (flows.numbers, rows + 1),
            "flow_in": (flows.numbers, incoming),
            "peer": (partial(texts.encoded, scene.peers), peers),
            "note": (partial(texts.encoded, scene.notes), notes),
            "stack": (partial(texts.encoded, scene.stacks), stacks),
            "times": (wire.short, times),
            "address": (wire.long, addresses),
            "contention": (self._contention_names, contended),
        }
        has: U16 = np.zeros(len(rows), np.uint16)
        for flag, chosen in (
            (Has.LOCK, on_locks(intervals)),
            (Has.FLOW_OUT, flows.outgoing[rows]),
            (Has.FLOW_IN, incoming > 0),
            (Has.HELD_BY, others[HELD_BY] & (peers != NONE)),
            (Has.ENDED_BY, others[ENDED_BY] & (peers != NONE)),
            (Has.ADDRESS, addresses < packets.ADDRESS_LIMIT),
            (Has.NOTE, notes != NONE),
            (Has.TIMES, times > 0),
            (Has.STACK, stacks != NONE),
            (Has.CONTENTION, contended != NONE),
        ):
            has |= chosen * np.uint16(flag)
        return has, columns

    def _contention_names(self, numbers: Integers) -> U32:
        return self._names.encoded(self._contended, self._contended.numbers(numbers))

    def _addresses(self, intervals: Intervals, waits: I64) -> U64:
        """Address that each interval waits on; the limit of those that do not wait for a lock."""
        labels = self._scene.addresses
        numbers = labels.numbers(intervals.what[waits])
        known = len(self._known_addresses)
        self._known_addresses += [int(text, 16) for text in labels.strings[known:]]
        result = np.full(len(intervals), packets.ADDRESS_LIMIT, np.uint64)
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

    def _spans(self, track: int, changes: Edges) -> None:
        scene, spans = self._scene, self._scene.trace.spans
        for at in range(0, len(changes.times), PIECE):
            part = slice(at, at + PIECE)
            begins, times, rows = changes.begins[part], changes.times[part], changes.rows[part]
            groups = []
            for sized in (True, False):
                chosen = begins & ((spans.bytes[rows] >= 0) == sized)
                mine = rows[chosen]
                names = scene.span_names.numbers(spans.name[mine].astype(np.int64))
                event: Values = {
                    "time": wire.long(times[chosen]),
                    "name": self._names.encoded(scene.span_names, names),
                    "bytes": wire.long(np.maximum(spans.bytes[mine], 0)),
                }
                message = packets.span(sized=sized).encode(event, len(mine))
                groups.append((np.flatnonzero(chosen), message))
            ends: Values = {"time": wire.long(times[~begins])}
            groups.append((np.flatnonzero(~begins), packets.end().encode(ends, len(ends["time"]))))
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

    def _write_marks(self) -> None:
        """An instant for each access of a race, and an arrow from one to the next."""
        marks = self._scene.marks
        latest = {mark.race: number for number, mark in enumerate(marks)}
        for number, mark in enumerate(marks):
            code = np.array([number])
            event: Values = {
                "time": wire.long(np.array([mark.time_ns])),
                "track": wire.short(np.array([self._tracks[mark.thread]])),
                "name": self._names.encoded(self._mark_names, self._mark_names.numbers(code)),
                "place": self._values.encoded(self._mark_places, self._mark_places.numbers(code)),
                "flow": np.array([FIRST_ARROW + self._process * (1 << 20) + mark.race], np.uint64),
            }
            self._tell_state()
            message = packets.mark(last=latest[mark.race] == number)
            self._out.write(message.encode(event, 1).data)


class _Flows:
    """Arrows from hold to hold: the number of each is that of the hold it begins at.

    Attributes:
        outgoing: bool[n], one begins at this interval.
        incoming: u32[n], 1 + row of the interval that one to this interval begins at; 0 for none.
    """

    def __init__(self, scene: Scene, rows: Mapping[int, U32]) -> None:
        self._first = np.uint64(scene.first_flow - 1)
        self.outgoing: Bools = np.zeros(len(scene.trace.intervals), np.bool_)
        self.incoming: U32 = np.zeros(len(scene.trace.intervals), np.uint32)
        for causes, effects in gil_handover_parts(scene.trace, rows):
            self.outgoing[causes] = True
            self.incoming[effects] = causes + np.uint32(1)

    def numbers(self, begins: Integers) -> U64:
        """Numbers of the arrows by 1 + row of the interval that each begins at."""
        numbers = begins.astype(np.uint64)
        numbers += self._first
        return numbers


def _lookup(table: dict[int, int], keys: Integers) -> Integers:
    known = np.array(sorted(table))
    values = np.array([table[key] for key in known.tolist()])
    return values[np.searchsorted(known, keys)] if len(keys) else np.zeros(0, np.int64)
