"""Definitions and JSON chunks of a trace file."""

from __future__ import annotations

import json
import re
import struct
from collections import Counter
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope.text import short_function
from gilscope.trace import format as fmt
from gilscope.trace.model import Gil, Hazard, Lock, Locks
from gilscope.trace.reading.lock_names import lock_name
from gilscope.trace.reading.place_tables import Places
from gilscope.trace.reading.place_tables import text as harmless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from gilscope.trace.model import Frame
    from gilscope.trace.reading.chunks import Chunk
    from gilscope.trace.reading.place_tables import PlaceTables

MAX_JSON = 1 << 20  # bytes; what json.loads makes of it can be 20 times as much
MAKE_LOCKS = frozenset({"threading", "queue"})
PAUSES = frozenset({"stop_the_world", "stop_the_world_request", "raw_mutex"})
RUNTIME = ("std::", "__gthread", "pthread_", "pybind11::", "nanobind::")
"""Prefixes of functions that take locks for their callers."""
NAMELESS = re.compile(r"\+0x[0-9a-f]+$")
"""The end of the name of a function that its object has no symbol for."""
MOST_PLACES = 16
"""At which a native lock was waited for, that are asked for what it is."""
MAX_TEXT = 512  # characters of a name that are kept
_HEAD = fmt.DEFINITION_HEADER.itemsize


@dataclass(slots=True)
class Definitions:
    """The definitions of a file; filled chunk by chunk, in the order of sequence.

    Attributes:
        clock: (ticks, CLOCK_MONOTONIC in ns).
        names: thread index → name.
        gils: by id.
        locks: by id, as they are called without the names of `lock_names`.
        lock_names: lock → (string, source).
        lock_created: lock → the stack that made it.
        lock_waited: lock → stacks that waited for it, the first one first.
        hazards: (kind, tid, stack) → (function of the C API, how often).
        places: functions, stacks, native code.
        not_measured: class of event → reason.
        cpu_times: arrays of format.CPU_TIME.
        probe_cost_ns: an uncontended acquire and release; None if not measured.
        stack_cost_ns: a captured stack; None if not measured.
        unknown: what was passed over → how often.
    """

    clock: list[tuple[int, int]] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    gils: dict[int, Gil] = field(default_factory=dict)
    locks: Locks = field(default_factory=Locks)
    lock_names: dict[int, tuple[int, int]] = field(default_factory=dict)
    lock_created: dict[int, int] = field(default_factory=dict)
    lock_waited: dict[int, list[int]] = field(default_factory=dict)
    hazards: dict[tuple[int, int, int], tuple[int, int]] = field(default_factory=dict)
    places: Places = field(default_factory=Places)
    not_measured: dict[str, str] = field(default_factory=dict)
    cpu_times: list[NDArray[np.void]] = field(default_factory=list)
    probe_cost_ns: float | None = None
    stack_cost_ns: float | None = None
    unknown: Counter[str] = field(default_factory=Counter)

    def add(self, chunk: Chunk) -> None:
        """Take over the definitions of one chunk."""
        body: Any = memoryview(chunk.payload)
        for tag, definition in self._split(body, sealed=chunk.sealed):
            take = _TAKE.get(tag)
            if take is None:
                self.unknown[f"definitions with tag {tag}, which this gilscope does not know"] += 1
                continue
            try:
                take(self, definition)
            except (struct.error, ValueError):
                self.unknown["damaged definitions"] += 1

    def _split(self, body: memoryview, *, sealed: bool) -> Iterator[tuple[int, bytes]]:
        at = 0
        while at + _HEAD <= len(body):
            tag, _, length = struct.unpack_from("<HHI", body, at)
            if tag == 0 and not sealed:
                return
            if length < _HEAD or length % _HEAD or at + length > len(body):
                self.unknown["chunks of definitions that could be read in part only"] += 1
                return
            yield tag, bytes(body[at + _HEAD : at + length])
            at += length


def length_of(chunk: Chunk) -> int:
    """Bytes of a chunk of definitions that are in use; all of it if it is damaged."""
    payload: Any = memoryview(chunk.payload)
    at = 0
    while at + _HEAD <= len(payload):
        tag, _, length = struct.unpack_from("<HHI", payload, at)
        if tag == 0 and not chunk.sealed:
            return at
        if length < _HEAD or length % _HEAD or at + length > len(payload):
            return len(payload)
        at += length
    return at


def read_json(chunk: Chunk) -> dict[str, Any] | None:
    """The JSON object of a METADATA or END chunk; None if it is none."""
    if len(chunk.payload) > MAX_JSON and chunk.sealed:
        return None
    try:
        value = json.loads(chunk.payload[:MAX_JSON].tobytes().rstrip(b"\0"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def text(raw: bytes) -> str:
    """A name from the file, made harmless."""
    return harmless(raw, MAX_TEXT)


def named_locks(found: Definitions, places: PlaceTables) -> Locks:
    """The locks with the names that the program has for them.

    Args:
        found: all definitions of the file.
        places: those of the file.
    """
    locks = Locks(found.locks)
    for number, stack in found.lock_created.items():
        if number in locks:
            place = _place_of(places.stacks[stack])
            lock = _named(locks[number], place.rpartition("/")[2], "creation")
            locks[number] = replace(lock, created=place)
    for number, (name, how) in found.lock_names.items():
        if number in locks:
            source = fmt.NAME_SOURCES.get(how, "")
            shown = text(places.string(name).encode())
            lock = _named(locks[number], shown, source)
            locks[number] = replace(lock, member=shown) if source == "interpreter" else lock
    for number, stacks in found.lock_waited.items():
        lock = locks[number]
        if number in locks and not lock.source and lock.kind not in PAUSES:
            locks[number] = _by_waits(lock, stacks, places)
    return locks


def _by_waits(lock: Lock, stacks: list[int], places: PlaceTables) -> Lock:
    """The lock as the places say where threads waited for it."""
    if lock.native or lock.kind == "mutex":
        members = map(places.lock_member, stacks[:MOST_PLACES])
        name, file, line = next(filter(itemgetter(0), members), ("", "", 0))
        if name:
            where = f" ({file.rpartition('/')[2]}:{line})" if file and line else ""
            return _named(lock, f"`{name}`{where}", "member")
    return _named(lock, _first_wait(places.stacks[stacks[0]]), "first wait")


def hazards(found: Definitions, places: PlaceTables) -> tuple[Hazard, ...]:
    """Return violations of Python's rules by native code, in the order of the file."""
    return tuple(
        Hazard(fmt.HAZARD_KINDS[kind], tid, places.stacks[stack], places.string(function), count)
        for (kind, tid, stack), (function, count) in found.hazards.items()
        if kind in fmt.HAZARD_KINDS
    )


def _first_wait(stack: tuple[Frame, ...]) -> str:
    """Where a thread first waited for a lock: in native code the function, else the line."""
    own = [frame for frame in stack if not _is_runtime(frame)] or list(stack)
    if own and own[0].native:
        # A library without its symbols: what it exports says what it was asked for.
        named = next((frame for frame in own if not NAMELESS.search(frame.name)), own[0])
        if named is not own[0] and named.native and named.module == own[0].module:
            return f"in {short_function(named.name)} ({own[0].name})"
        where = f" ({_line_of(own[0])})" if own[0].file else ""
        return f"in {short_function(own[0].name)}{where}"
    frames = [frame for frame in own if not frame.native]
    callers = [frame for frame in frames if frame.module not in MAKE_LOCKS]
    return next((f"at {_line_of(frame)}" for frame in callers or frames), "")


def _is_runtime(frame: Frame) -> bool:
    return frame.native and short_function(frame.name).rpartition(" ")[2].startswith(RUNTIME)


def _line_of(frame: Frame) -> str:
    return f"{frame.file.rpartition('/')[2]}:{frame.line}"


def _named(lock: Lock, name: str, source: str) -> Lock:
    about = lock.kind, lock.type, lock.address, lock.object_address
    shown = lock_name(*about, name=name, source=source)
    return replace(lock, name=shown, source=source) if name else lock


def _place_of(stack: tuple[Frame, ...]) -> str:
    """Where a program made a lock: what the modules of locks make is made for their callers."""
    frames = [frame for frame in stack if not frame.native]
    callers = [frame for frame in frames if frame.module not in MAKE_LOCKS]
    return next((f"{frame.file}:{frame.line}" for frame in callers or frames), "")


def _lock_created(found: Definitions, body: bytes) -> None:
    lock, stack = struct.unpack_from("<II", body)
    found.lock_created[lock] = stack


def _lock_waited(found: Definitions, body: bytes) -> None:
    lock, stack = struct.unpack_from("<II", body)
    found.lock_waited.setdefault(lock, []).append(stack)


def _hazard(found: Definitions, body: bytes) -> None:
    kind, tid, stack, function, count = struct.unpack_from("<IIIIQ", body)
    found.hazards[kind, tid, stack] = function, count


def _cpu_times(found: Definitions, body: bytes) -> None:
    found.cpu_times.append(np.frombuffer(body, fmt.CPU_TIME))


def _clock(found: Definitions, body: bytes) -> None:
    ticks, monotonic, _realtime = struct.unpack_from("<QQQ", body)
    found.clock.append((ticks, monotonic))


def _thread_name(found: Definitions, body: bytes) -> None:
    thread, n = struct.unpack_from("<II", body)
    found.names[thread] = text(_bytes(body, 8, n))


def _gil(found: Definitions, body: bytes) -> None:
    gil, _, address, interpreter = struct.unpack_from("<IIQq", body)
    found.gils[gil] = Gil(gil, address, interpreter)


def _lock(found: Definitions, body: bytes) -> None:
    lock, code, _, address, owner, n, _ = struct.unpack_from("<IHHQQII", body)
    if code not in fmt.LOCK_KINDS:
        found.unknown[f"locks of kind {code}, which this gilscope does not know"] += 1
    kind = fmt.LOCK_KINDS.get(code, "unidentified")
    type_name = text(_bytes(body, 32, n))
    name = lock_name(kind, type_name, address, owner)
    found.locks[lock] = Lock(lock, kind, type_name, name, address, owner)


def _not_measured(found: Definitions, body: bytes) -> None:
    n, m = struct.unpack_from("<II", body)
    found.not_measured[text(_bytes(body, 8, n))] = text(_bytes(body, 8 + n, m))


def _probe_cost(found: Definitions, body: bytes) -> None:
    (femtoseconds,) = struct.unpack_from("<Q", body)
    found.probe_cost_ns = femtoseconds / 1e6
    (stack,) = struct.unpack_from("<Q", body, 8)
    found.stack_cost_ns = stack / 1e6 if stack else None


def _string(found: Definitions, body: bytes) -> None:
    number, n = struct.unpack_from("<II", body)
    found.places.strings[number] = _bytes(body, 8, n)


def _code(found: Definitions, body: bytes) -> None:
    number, line, file, name, module = struct.unpack_from("<IIIII", body)
    found.places.codes[number] = line, file, name, module


def _stack(found: Definitions, body: bytes) -> None:
    number, n = struct.unpack_from("<II", body)
    found.places.stacks[number] = _bytes(body, 8, 8 * n)


def _module(found: Definitions, body: bytes) -> None:
    number, path, base, n, _ = struct.unpack_from("<IIQII", body)
    found.places.modules[number] = path, base, _bytes(body, 24, n)


def _site(found: Definitions, body: bytes) -> None:
    number, module, offset, function, file, line = struct.unpack_from("<IIQIII", body)
    found.places.sites[number] = module, offset, function, file, line


def _lock_name(found: Definitions, body: bytes) -> None:
    lock, name, how = struct.unpack_from("<IIH", body)
    found.lock_names[lock] = name, how


def _entry(found: Definitions, body: bytes) -> None:
    number, site, binding, _, stack = struct.unpack_from("<IIHHI", body)
    found.places.entries[number] = site, binding, stack


def _callable(found: Definitions, body: bytes) -> None:
    number, code, name, module = struct.unpack_from("<IIII", body)
    found.places.callables[number] = code, name, module


def _bytes(body: bytes, at: int, n: int) -> bytes:
    if at + n > len(body):
        raise ValueError("the text is longer than its definition")
    return body[at : at + n]


_TAKE: dict[int, Callable[[Definitions, bytes], None]] = {
    fmt.Tag.CLOCK: _clock,
    fmt.Tag.THREAD_NAME: _thread_name,
    fmt.Tag.GIL: _gil,
    fmt.Tag.LOCK: _lock,
    fmt.Tag.NOT_MEASURED: _not_measured,
    fmt.Tag.CPU_TIME: _cpu_times,
    fmt.Tag.LOCK_CREATED: _lock_created,
    fmt.Tag.LOCK_WAITED: _lock_waited,
    fmt.Tag.HAZARD: _hazard,
    fmt.Tag.PROBE_COST: _probe_cost,
    fmt.Tag.STRING: _string,
    fmt.Tag.CODE: _code,
    fmt.Tag.STACK: _stack,
    fmt.Tag.MODULE: _module,
    fmt.Tag.SITE: _site,
    fmt.Tag.LOCK_NAME: _lock_name,
    fmt.Tag.ENTRY: _entry,
    fmt.Tag.CALLABLE: _callable,
}
