"""Several traces as one, on one clock: processes of one host, or of several.

Threads, locks and all other definitions get new numbers, those of each trace behind those of the
one before. Times become nanoseconds of one clock: CLOCK_MONOTONIC where all traces are of one boot,
else the wall clock, which is only as accurate as the clocks of the hosts. Names of threads include
the process.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from gilscope.errors import ExportError
from gilscope.trace import format as fmt
from gilscope.trace.reading.reader import parts_of, read
from gilscope.trace.writing.chunks import ALIGNMENT, chunk, short_floats
from gilscope.trace.writing.merged_samples import Part, merged_samples
from gilscope.trace.writing.output import whole_file
from gilscope.trace.writing.renumber import Numbers, Source, definitions, moved

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from gilscope.trace.arrays import I64
    from gilscope.trace.model import Intervals, Trace
    from gilscope.trace.writing.functions import Functions

SAME_BOOT_NS = 1_000_000_000  # the clocks of one boot drift apart by less
RECORDS = 1 << 13  # in a chunk
REASON = "merge"


@dataclass(frozen=True, slots=True)
class Process:
    """A process whose trace is part of a merged one.

    Attributes:
        name: what it is called in the names of its threads; "" if these are as they were.
        pid: its process id.
        start_ns: start of its trace, from that of the merged one.
        duration_ns: length of its trace.
    """

    name: str
    pid: int
    start_ns: int
    duration_ns: int


@dataclass(frozen=True, slots=True)
class Merged:
    """The result of merging.

    Attributes:
        processes: those of the traces, in the order given.
        events: records written.
        clock: "monotonic" or "realtime": what the traces have in common.
        problems: what to know of the result.
    """

    processes: tuple[Process, ...]
    events: int
    clock: str
    problems: tuple[str, ...]

    @property
    def traces(self) -> int:
        """How many there were."""
        return len(self.processes)


def merge(
    sources: Sequence[str | os.PathLike[str]],
    target: str | os.PathLike[str],
    *,
    names: Sequence[str] | None = None,
    remarks: Sequence[str] = (),
    functions: Functions | None = None,
    force: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Merged:
    """Write one trace that holds several.

    Args:
        sources: traces of one build.
        target: the new file; it is there whole, or not at all.
        names: of the process of each source; threads of one without a name, "", keep theirs. By
            default the names of all threads end in the process id.
        remarks: what else to know of the result; it is among its problems.
        functions: which files they are of that the traces do not name.
        force: replace a file that exists.
        progress: told of each so many intervals that are written.

    Raises:
        TraceError: a source cannot be read, or is no trace.
        ExportError: the target cannot be written, or the sources do not fit together.
    """
    paths = [Path(source) for source in sources]
    traces = [read(path) for path in paths]
    if len({trace.build for trace in traces}) > 1:
        raise ExportError("cannot merge traces of different builds: compare or export them instead")
    starts, clock = _starts(traces)
    called: Sequence[str | None] = names or [None] * len(paths)
    found = [
        Source(trace, *parts_of(path), start - min(starts), name)
        for trace, path, start, name in zip(traces, paths, starts, called, strict=True)
    ]
    if functions is not None:
        for source in found:
            functions.name_in(source.parts.definitions.places)
    problems = [*remarks]
    problems += [line for pair in zip(traces, called, strict=True) for line in _problems(*pair)]
    if clock == "realtime":
        problems.append("traces of several hosts or boots: times are as accurate as their clocks")
    with whole_file(Path(target), paths, force=force) as out:
        writer = _Writer(out, found, progress)
        writer.write(problems)
    processes = tuple(
        Process(one.process or "", one.trace.pid, one.later, one.trace.duration_ns) for one in found
    )
    return Merged(processes, writer.events, clock, tuple(problems))


def _problems(trace: Trace, name: str | None) -> list[str]:
    """What to know of a trace, under the name of its process."""
    who = trace.path.name if name is None else name or "the program"
    return [f"{who}: {one}" for one in [*trace.problems, *["ended early"] * trace.ended_early]]


def _starts(traces: Sequence[Trace]) -> tuple[list[int], str]:
    """Start of each trace on a clock that they share, ns, and which one that is."""
    apart = [trace.start_realtime_ns - trace.start_monotonic_ns for trace in traces]
    if max(apart) - min(apart) < SAME_BOOT_NS:
        return [trace.start_monotonic_ns for trace in traces], "monotonic"
    return [trace.start_realtime_ns for trace in traces], "realtime"


class _Writer:
    """Writes the merged trace.

    Attributes:
        events: records written so far.
    """

    def __init__(
        self, out: BinaryIO, sources: Sequence[Source], progress: Callable[[int], None]
    ) -> None:
        self._out, self._sources, self._progress = out, sources, progress
        first = min(sources, key=lambda source: source.later)
        self._start = first.trace.start_monotonic_ns
        self._first = first
        self._sequence = 0
        self.events = 0

    def write(self, problems: Sequence[str]) -> None:
        """Write everything."""
        self._out.write(self._header())
        self._chunk(fmt.Chunk.METADATA, json.dumps(self._metadata(problems)).encode())
        numbers, parts = Numbers(), []
        for source in self._sources:
            begin = self._start + source.later
            self._chunk(fmt.Chunk.DEFINITIONS, b"".join(definitions(source, numbers, begin)))
            self._chunk(fmt.Chunk.THREADS, self._slots(source, numbers).tobytes())
            self._events(source, numbers)
            parts.append(Part(source.trace, begin, numbers.thread))
            numbers.skip(source)
        samples = merged_samples(parts)
        if samples:
            self._chunk(fmt.Chunk.SAMPLES, samples)
        self._chunk(fmt.Chunk.END, json.dumps(self._end()).encode())

    def _chunk(self, kind: int, payload: bytes, thread: int = 0) -> None:
        self._sequence += 1
        data = chunk(kind, payload, sequence=self._sequence, open_ticks=self._start, thread=thread)
        self._out.write(data)

    def _header(self) -> bytes:
        trace, header = self._first.trace, self._first.header
        record: Any = np.zeros(1, fmt.HEADER)
        record["magic"], record["version_major"] = fmt.MAGIC, fmt.VERSION_MAJOR
        record["version_minor"] = fmt.VERSION_MINOR
        record["header_size"], record["alignment"] = fmt.HEADER_SIZE, ALIGNMENT
        record["event_size"], record["slot_size"] = fmt.EVENT_SIZE, fmt.SLOT_SIZE
        record["flags"] = header.flags & ~fmt.HeaderFlag.RING
        record["clock"], record["ticks_per_second"] = fmt.Clock.MONOTONIC, 1_000_000_000
        record["pid"], record["python"] = header.pid, header.python
        record["start_ticks"] = record["start_monotonic"] = trace.start_monotonic_ns
        record["start_realtime"] = trace.start_realtime_ns
        # One of its own: it is no member of the family that it is made from.
        record["session"] = np.frombuffer(os.urandom(16), np.uint8)
        record["checksum"] = fmt.checksum(record.view(np.uint8)[: fmt.HEADER_CHECKSUMMED])
        return bytes(record.tobytes())

    def _metadata(self, problems: Sequence[str]) -> dict[str, Any]:
        merged = [
            {
                "trace": source.trace.path.name,
                "pid": source.trace.pid,
                "process": source.process,
                "argv": list(source.trace.argv),
                "python": source.trace.python,
                "start_ns": source.later,
                "duration_ns": source.trace.duration_ns,
            }
            for source in self._sources
        ]
        own = self._first.parts.metadata
        return {**own, "merged": merged, fmt.PROBLEMS_BEFORE_PACKING: list(problems)}

    def _end(self) -> dict[str, Any]:
        traces = [source.trace for source in self._sources]
        stop = max(source.later + source.trace.duration_ns for source in self._sources)
        switched = {trace.gil_enabled_end for trace in traces}
        return {
            "stop_ticks": self._start + stop,
            "gil_enabled": switched.pop() if len(switched) == 1 else None,
            "dropped_events": sum(trace.dropped_events for trace in traces),
            "overwritten_events": sum(trace.overwritten_events for trace in traces),
            "reason": REASON,
        }

    def _slots(self, source: Source, numbers: Numbers) -> npt.NDArray[Any]:
        """Slots of the threads of a trace, with what they were in the middle of."""
        threads = source.trace.threads
        slots = np.zeros(len(threads), fmt.slot_dtype())
        begin = self._start + source.later
        for slot, thread in zip(slots, threads, strict=True):
            slot["thread"], slot["tid"] = thread.index + numbers.thread, thread.tid
            slot["ident"], slot["dropped"] = thread.ident, thread.dropped
            slot["start_ticks"], slot["end_ticks"] = begin + thread.start_ns, begin + thread.end_ns
            origin = fmt.ThreadFlag.NATIVE if thread.native else fmt.ThreadFlag.PYTHON
            known = source.parts.slots.get(thread.index)
            before = known.flags & fmt.ThreadFlag.STARTED_BEFORE if known else 0
            slot["flags"] = origin | (fmt.ThreadFlag.MAIN if thread.main else 0) | before
        by_index = {thread.index: number for number, thread in enumerate(threads)}
        self._open_intervals(source, numbers, slots, by_index)
        calls = source.trace.callbacks.select(source.trace.callbacks.open)
        for row, index in enumerate(calls.thread.tolist()):
            slot = slots[by_index[index]]
            slot["open_callback"] = begin + int(calls.start[row])
            slot["open_callback_what"] = moved(int(calls.entry[row]), numbers.entry)
            slot["open_callback_callable"] = moved(int(calls.callable[row]), numbers.callable)
        return slots

    def _open_intervals(
        self, source: Source, numbers: Numbers, slots: npt.NDArray[Any], by_index: dict[int, int]
    ) -> None:
        opened = source.trace.intervals.select(source.trace.intervals.open)
        records = _records(opened, numbers, self._start + source.later)
        for record, index in zip(records, opened.thread.tolist(), strict=True):
            slot = slots[by_index[index]]
            if record["kind"] == fmt.Event.GIL_HOLD:
                slot["open_gil"], slot["open_hold"] = record["what"], record["start"]
                slot["open_hold_flags"] = record["flags"]
                continue
            slot["open_wait"] = record["start"]
            for name in ("kind", "what", "peer", "stack", "flags"):
                slot[f"open_wait_{name}"] = record[name]

    def _events(self, source: Source, numbers: Numbers) -> None:
        """Records of a trace, thread by thread, in the order in which they ended."""
        trace, begin = source.trace, self._start + source.later
        for thread in trace.threads:
            tables = (trace.intervals, trace.wakes, trace.thread_states, trace.gil_samples)
            parts = [
                _records(part.select(~part.open), numbers, begin)
                for part in (table.of_thread(thread.index) for table in tables)
            ]
            parts += [_callbacks(trace, thread.index, numbers, begin)]
            parts += [_switches(source, thread.index, numbers, begin)]
            parts += [_spans(trace, thread.index, numbers, begin)]
            records = np.concatenate(parts)
            records = records[np.argsort(records["start"] + records["duration"], kind="stable")]
            for at in range(0, len(records), RECORDS):
                payload = records[at : at + RECORDS].tobytes()
                self._chunk(fmt.Chunk.EVENTS, payload, thread.index + numbers.thread)
            self.events += len(records)
            self._progress(int(np.count_nonzero(trace.intervals.thread == thread.index)))


def _records(rows: Intervals, numbers: Numbers, begin: int) -> npt.NDArray[Any]:
    """Rows of a table of intervals as records."""
    records = np.zeros(len(rows), fmt.event_dtype())
    for name in ("kind", "flags", "aux", "duration"):
        records[name] = getattr(rows, name)
    records["start"] = rows.start + begin
    about_lock = np.isin(rows.kind, (fmt.Event.LOCK_WAIT, fmt.Event.LOCK_WAKE, fmt.Event.SPIN))
    what = rows.what.astype(np.int64)
    records["what"] = np.where(what == 0, 0, what + np.where(about_lock, numbers.lock, numbers.gil))
    records["peer"] = _all_moved(rows.peer, numbers.thread)
    records["stack"] = _all_moved(rows.stack, numbers.stack)
    return records


def _callbacks(trace: Trace, thread: int, numbers: Numbers, begin: int) -> npt.NDArray[Any]:
    calls = trace.callbacks.select((trace.callbacks.thread == thread) & ~trace.callbacks.open)
    records = np.zeros(len(calls), fmt.event_dtype())
    records["kind"], records["flags"] = fmt.Event.CALLBACK, calls.flags
    records["aux"] = short_floats(calls.enter_ns)
    records["start"], records["duration"] = calls.start + begin, calls.duration
    records["what"] = _all_moved(calls.entry, numbers.entry)
    records["peer"] = _all_moved(calls.callable, numbers.callable)
    records["stack"] = _all_moved(calls.stack, numbers.stack)
    return records


def _switches(source: Source, thread: int, numbers: Numbers, begin: int) -> npt.NDArray[Any]:
    switches = source.trace.gil_switches
    rows = np.flatnonzero(switches.thread == thread)
    records = np.zeros(len(rows), fmt.event_dtype())
    paths = {module.path: number for number, module in source.trace.modules.items()}
    modules = [paths.get(switches.module[row], 0) for row in rows.tolist()]
    records["kind"], records["flags"] = fmt.Event.GIL_SWITCH, switches.flags[rows]
    records["start"] = switches.start[rows] + begin
    records["what"] = _all_moved(switches.gil[rows], numbers.gil)
    records["peer"] = _all_moved(np.array(modules, np.int64), numbers.module)
    records["stack"] = _all_moved(switches.stack[rows], numbers.stack)
    return records


def _spans(trace: Trace, thread: int, numbers: Numbers, begin: int) -> npt.NDArray[Any]:
    spans = trace.spans.of_thread(thread)
    records = np.zeros(len(spans), fmt.event_dtype())
    sizes = np.maximum(spans.bytes, 0)
    records["kind"] = fmt.Event.SPAN
    records["flags"] = np.where(spans.bytes >= 0, fmt.SpanFlag.BYTES, 0)
    records["aux"], records["peer"] = sizes >> 32, sizes & 0xFFFFFFFF
    records["start"], records["duration"] = spans.start + begin, spans.duration
    records["what"] = _all_moved(spans.name, numbers.string)
    return records


def _all_moved(values: npt.NDArray[np.integer[Any]], by: int) -> I64:
    wide = values.astype(np.int64)
    return np.where(wide == 0, 0, wide + by)
