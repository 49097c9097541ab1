"""Read a trace file."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope.config import OWN_THREADS
from gilscope.trace import format as fmt
from gilscope.trace.model import CpuTimes, GilSwitches, Trace, TraceEvents
from gilscope.trace.reading.chunks import Chunk, ChunkWalk, File, Head, Header, opened, read_header
from gilscope.trace.reading.clock import ClockMap, make_clock
from gilscope.trace.reading.cpu_samples import cpu_times
from gilscope.trace.reading.definitions import Definitions, hazards, named_locks, read_json
from gilscope.trace.reading.events import EventTables
from gilscope.trace.reading.hangs import number, read_hangs
from gilscope.trace.reading.interpreters import with_interpreters
from gilscope.trace.reading.place_tables import PlaceTables
from gilscope.trace.reading.records import Records
from gilscope.trace.reading.samples import read_samples
from gilscope.trace.reading.shared_memory import not_sampled, read_pools, read_shared_memory
from gilscope.trace.reading.slots import Slot, latest, make_threads, open_intervals, read_slots

if TYPE_CHECKING:
    import os

    from gilscope.trace.model import Intervals, Spans

_EVENTS = (fmt.Chunk.EVENTS, fmt.Chunk.PACKED_EVENTS)
_LEVELS = {0xA: "a", 0xB: "b", 0xC: "rc"}


def read(path: str | os.PathLike[str]) -> Trace:
    """Read the intact parts of a trace file.

    Definitions and the index of chunks are read at once, events when something is asked for that
    depends on them: so any file opens quickly, and needs memory for what is used of it.

    Args:
        path: a `.gilscope` file; it may be torn, damaged or that of a process that was killed.

    Returns:
        The trace; `problems` says what is lost.

    Raises:
        TraceError: the file cannot be read, is no trace, or is one of another major version.
    """
    with opened(Path(path)) as file:
        header, parts = _parts_of(file)
    return _assemble(file, header, parts)


def parts_of(path: str | os.PathLike[str]) -> tuple[Header, Parts]:
    """Return the contents of a file without its events, unprocessed.

    Raises:
        TraceError: the file cannot be read, is no trace, or is one of another major version.
    """
    with opened(Path(path)) as file:
        return _parts_of(file)


def _parts_of(file: File) -> tuple[Header, Parts]:
    header, problems = read_header(file.data, file.path)
    walk = ChunkWalk(file, header)
    chunks: defaultdict[int, list[Chunk]] = defaultdict(list)
    events: list[Head] = []
    for head in walk.heads():
        if head.kind in _EVENTS:
            events.append(head)
        elif (chunk := walk.chunk(head)) is not None:
            chunks[chunk.kind].append(chunk)
    parts = Parts.of(header, chunks, events)
    file.complete = parts.end is not None
    return header, replace(parts, problems=problems + walk.problems + parts.problems)


@dataclass(frozen=True, slots=True)
class Parts:
    """The contents of a file's chunks, except the events.

    Attributes:
        own: numbers of gilscope's threads in the program; nothing of theirs is in the others.
    """

    definitions: Definitions
    metadata: dict[str, Any]
    end: dict[str, Any] | None
    slots: dict[int, Slot]
    clock: ClockMap
    cpu_times: CpuTimes
    events: list[Head]
    latest: int
    problems: list[str]
    samples: list[Chunk]
    own: frozenset[int]

    @classmethod
    def of(cls, header: Header, chunks: dict[int, list[Chunk]], events: list[Head]) -> Parts:
        """Read the chunks."""
        definitions = Definitions()
        for chunk in sorted(chunks[fmt.Chunk.DEFINITIONS], key=lambda chunk: chunk.sequence):
            definitions.add(chunk)
        metadata, problems = _json(chunks[fmt.Chunk.METADATA], "metadata")
        end, end_problems = _json(chunks[fmt.Chunk.END], "end")
        slots, slot_problems = read_slots(
            chunks[fmt.Chunk.THREADS], fmt.slot_dtype(header.slot_size)
        )
        own = frozenset(n for n, name in definitions.names.items() if name in OWN_THREADS)
        slots = {index: slot for index, slot in slots.items() if index not in own}
        clock, clock_problems = make_clock(
            clock=header.clock,
            start_ticks=header.start_ticks,
            ticks_per_second=header.ticks_per_second,
            start_monotonic=header.start_monotonic,
            points=definitions.clock,
        )
        problems += end_problems + slot_problems + clock_problems
        births = {
            slot.thread: slot.start_ticks
            for slot in slots.values()
            if not slot.flags & fmt.ThreadFlag.STARTED_BEFORE
        }
        # Of a session that did not come to its end nobody knows who ran last.
        lasting = [slot.thread for slot in slots.values() if end is not None and not slot.end_ticks]
        samples, impossible = cpu_times(definitions.cpu_times, births, own, clock, lasting)
        if impossible:
            definitions.unknown["samples of processor time that cannot be right"] += impossible
        earlier = _of_type(metadata, fmt.PROBLEMS_BEFORE_PACKING, list) or []
        problems += [_harmless(problem) for problem in earlier if isinstance(problem, str)]
        problems += _left_out(definitions.unknown)
        stamps = [chunk.open_ticks for kind in chunks.values() for chunk in kind]
        stamps += [head.open_ticks for head in events]
        stamps += [ticks for ticks, _ in definitions.clock]
        times, good = clock.convert(np.array(stamps, np.uint64))
        last = max(int(times[good].max(initial=0)), latest(slots.values(), clock))
        return cls(
            definitions,
            metadata or {},
            end,
            slots,
            clock,
            samples,
            events,
            last,
            problems,
            chunks[fmt.Chunk.SAMPLES],
            own,
        )


def _assemble(file: File, header: Header, parts: Parts) -> Trace:
    definitions, end = parts.definitions, parts.end
    places = PlaceTables(definitions.places)
    dropped = max(sum(slot.dropped for slot in parts.slots.values()), _int(end, "dropped_events"))
    free_threaded = bool(header.flags & fmt.HeaderFlag.FREE_THREADED)
    return Trace(
        load=lambda: _load(file, header, parts, places),
        path=file.path,
        build="ft" if free_threaded else "gil",
        python=python_version(header.python),
        free_threaded=free_threaded,
        gil_enabled_start=bool(header.flags & fmt.HeaderFlag.GIL_ENABLED),
        gil_enabled_end=_of_type(end, "gil_enabled", bool),
        pid=header.pid,
        argv=_argv(parts.metadata),
        executable=_harmless(_of_type(parts.metadata, "executable", str) or ""),
        start_monotonic_ns=header.start_monotonic,
        start_realtime_ns=header.start_realtime,
        ended_early=end is None,
        end_reason=_of_type(end, "reason", str),
        load_locks=lambda: named_locks(definitions, places),
        load_hazards=lambda: hazards(definitions, places),
        dropped_events=dropped,
        not_measured=definitions.not_measured | not_sampled(parts.metadata),
        probe_cost_ns=definitions.probe_cost_ns,
        gils=definitions.gils,
        codes=places.codes,
        modules=places.modules,
        sites=places.sites,
        stacks=places.stacks,
        entries=places.entries,
        callables=places.callables,
        stack_cost_ns=definitions.stack_cost_ns,
        overwritten_events=_int(end, "overwritten_events"),
        cpu_times=parts.cpu_times,
        session=header.session.hex(),
        parent_pid=_of_type(parts.metadata, "parent_pid", int),
        executor=_harmless(_of_type(parts.metadata, "executor", str) or ""),
        hangs=read_hangs(parts.metadata, header.start_monotonic),
        shared_memory=read_shared_memory(parts.metadata, header.start_monotonic),
        load_samples=lambda threads, duration_ns: read_samples(
            parts.samples, threads, header.start_monotonic, duration_ns
        ),
        pools=read_pools(parts.metadata),
        processors=number(parts.metadata.get("processors")),
    )


def _load(file: File, header: Header, parts: Parts, places: PlaceTables) -> TraceEvents:
    """Read the part that depends on the events."""
    records = Records(file, header, parts.events, parts.own)
    tables = EventTables(records, parts.clock, spare=3 * len(parts.slots))
    stop_ns, duration_ns = _stop(parts, tables.latest)
    tables.add_open(open_intervals(parts.slots.values(), parts.own, parts.clock, stop_ns))
    events = tables.finish()
    strangers = {
        index: Slot(index, start_ticks=header.start_ticks)
        for index in sorted(tables.threads - parts.slots.keys())
    }
    problems = [*parts.problems, *_left_out(tables.lost)]
    if strangers:
        problems.append(
            f"threads that have events and no slot: {len(strangers)}, not known by name"
        )
    names = parts.definitions.names
    threads = make_threads(parts.slots | strangers, names, parts.clock, duration_ns)
    return TraceEvents(
        duration_ns=duration_ns,
        threads=with_interpreters(threads, events.intervals, parts.definitions.gils),
        intervals=events.intervals,
        wakes=events.wakes,
        problems=tuple(problems),
        callbacks=events.callbacks,
        thread_states=events.thread_states,
        gil_switches=_gil_switches(events.gil_switches, places),
        spans=_named(events.spans, places),
        gil_samples=events.gil_samples,
    )


def python_version(hexversion: int) -> str:
    """Version of a PY_VERSION_HEX, such as "3.13.5" or "3.15.0b2"."""
    major, minor, micro, rest = hexversion.to_bytes(4, "big")
    level = _LEVELS.get(rest >> 4)
    return f"{major}.{minor}.{micro}" + (f"{level}{rest & 15}" if level else "")


def _stop(parts: Parts, latest_event: int) -> tuple[int, int]:
    """(when what is open is closed, length of the trace), ns from the start."""
    ticks = _int(parts.end, "stop_ticks")
    stop = parts.clock.one(ticks) if 0 < ticks < 1 << 64 else None
    if stop is None or stop < 0:
        last = max(parts.latest, latest_event)
        return last, last
    # Another thread may have finished a record after the stop was stamped.
    return stop, max(stop, latest_event)


def _gil_switches(rows: Intervals, places: PlaceTables) -> GilSwitches:
    """The rows as switches of the GIL: their peer is a module."""
    modules = tuple(places.modules[number].path for number in rows.peer.tolist())
    return GilSwitches(rows.thread, rows.start, rows.what, rows.flags, modules, rows.stack)


def _named(spans: Spans, places: PlaceTables) -> Spans:
    """The spans with what they are called."""
    used = np.unique(spans.name).tolist()
    return replace(spans, names={number: places.string(number) for number in used})


def _json(chunks: list[Chunk], name: str) -> tuple[dict[str, Any] | None, list[str]]:
    values = [value for value in map(read_json, chunks) if value is not None]
    problems = ["damaged chunks (" + name + "): left out"] if len(values) < len(chunks) else []
    return (values[-1] if values else None), problems


def _left_out(counts: Counter[str]) -> list[str]:
    return [f"{what}: {n} left out" for what, n in sorted(counts.items())]


def _argv(metadata: dict[str, Any]) -> tuple[str, ...]:
    argv = _of_type(metadata, "argv", list) or []
    return tuple(_harmless(arg) for arg in argv if isinstance(arg, str))


def _of_type[T](source: dict[str, Any] | None, key: str, kind: type[T]) -> T | None:
    value = (source or {}).get(key)
    return value if isinstance(value, kind) else None


def _int(source: dict[str, Any] | None, key: str) -> int:
    return _of_type(source, key, int) or 0


def _harmless(value: str) -> str:
    """Text that can be printed: JSON may carry halves of surrogate pairs."""
    return value.encode(errors="replace").decode()
