"""Definitions of several traces with numbers that do not collide: those of each behind the last."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope.trace import format as fmt
from gilscope.trace.writing.chunks import definition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.trace.model import Thread, Trace
    from gilscope.trace.reading.chunks import Header
    from gilscope.trace.reading.definitions import Definitions
    from gilscope.trace.reading.reader import Parts

_KINDS = {name: code for code, name in fmt.LOCK_KINDS.items()}


@dataclass(frozen=True, slots=True)
class Source:
    """A trace to merge, and what its file says."""

    trace: Trace
    header: Header
    parts: Parts
    later: int  # ns from the merged trace's start to its own
    process: str | None = None  # what its process is called; None: names end in its pid

    def thread_name(self, thread: Thread) -> str:
        """Name of a thread among those of all processes."""
        if self.process is None:
            return f"{thread.name} ({self.trace.pid})"
        if not self.process:
            return thread.name
        return self.process if thread.main else f"{self.process}: {thread.name}"


class Numbers:
    """Where the numbers of a trace begin among those of all; 0 stays 0."""

    def __init__(self) -> None:
        self.thread = self.gil = self.lock = self.string = self.code = self.stack = 0
        self.module = self.site = self.entry = self.callable = 0

    def skip(self, source: Source) -> None:
        """Leave room for those of a trace."""
        found, places, trace = (
            source.parts.definitions,
            source.parts.definitions.places,
            source.trace,
        )
        waits = np.isin(trace.intervals.kind, (fmt.Event.LOCK_WAIT, fmt.Event.SPIN))
        used = trace.intervals.what
        self.thread += max((thread.index for thread in trace.threads), default=0)
        self.gil += max(max(found.gils, default=0), int(used[~waits].max(initial=0)))
        locks = int(used[waits].max(initial=0)), int(trace.wakes.what.max(initial=0))
        self.lock += max(max(found.locks, default=0), *locks)
        for name in ("string", "code", "stack", "module", "site"):
            table: dict[int, Any] = getattr(places, f"{name}s")
            setattr(self, name, getattr(self, name) + max(table, default=0))
        self.entry += max(places.entries, default=0)
        self.callable += max(places.callables, default=0)


def moved(value: int, by: int) -> int:
    """A number behind those of the traces before; 0 is none."""
    return value + by if value else 0


def definitions(source: Source, numbers: Numbers, begin: int) -> Iterator[bytes]:
    """The definitions of a trace with their new numbers; ``begin``: its start in the new ticks."""
    found, trace = source.parts.definitions, source.trace
    for thread in trace.threads:
        name = source.thread_name(thread).encode()
        head = struct.pack("<II", thread.index + numbers.thread, len(name))
        yield definition(fmt.Tag.THREAD_NAME, head + name)
    for gil in found.gils.values():
        body = struct.pack("<IIQq", gil.id + numbers.gil, 0, gil.address, gil.interpreter)
        yield definition(fmt.Tag.GIL, body)
    for lock in found.locks.values():
        kind, name = _KINDS.get(lock.kind, 0), lock.type.encode()
        about = (lock.id + numbers.lock, kind, 0, lock.address, lock.object_address, len(name), 0)
        yield definition(fmt.Tag.LOCK, struct.pack("<IHHQQII", *about) + name)
    yield from _about_locks(found, numbers)
    for (kind, tid, stack), (function, count) in found.hazards.items():
        where = moved(stack, numbers.stack), moved(function, numbers.string)
        yield definition(fmt.Tag.HAZARD, struct.pack("<IIIIQ", kind, tid, *where, count))
    for what, reason in found.not_measured.items():
        whose = f" ({trace.pid})" if source.process is None else ""
        texts = what.encode(), f"{reason}{whose}".encode()
        head = struct.pack("<II", *map(len, texts))
        yield definition(fmt.Tag.NOT_MEASURED, head + b"".join(texts))
    if found.probe_cost_ns is not None:
        costs = round(found.probe_cost_ns * 1e6), round((found.stack_cost_ns or 0) * 1e6)
        yield definition(fmt.Tag.PROBE_COST, struct.pack("<QQ", *costs))
    times = trace.cpu_times
    if len(times):
        samples = np.zeros(len(times), fmt.CPU_TIME)
        samples["thread"], samples["ticks"] = times.thread + numbers.thread, times.time + begin
        samples["on_cpu"], samples["runnable"] = times.on_cpu, times.runnable
        yield definition(fmt.Tag.CPU_TIME, samples.tobytes())
    yield from _places(source, numbers)


def _about_locks(found: Definitions, numbers: Numbers) -> Iterator[bytes]:
    """What the locks are called, and where they were made and first waited for."""
    for number, (string, how) in found.lock_names.items():
        named = (number + numbers.lock, moved(string, numbers.string), how, 0, 0)
        yield definition(fmt.Tag.LOCK_NAME, struct.pack("<IIHHI", *named))
    for number, stack in found.lock_created.items():
        made = number + numbers.lock, moved(stack, numbers.stack)
        yield definition(fmt.Tag.LOCK_CREATED, struct.pack("<II", *made))
    for number, stacks in found.lock_waited.items():
        for stack in stacks:
            waited = number + numbers.lock, moved(stack, numbers.stack)
            yield definition(fmt.Tag.LOCK_WAITED, struct.pack("<II", *waited))


def _places(source: Source, n: Numbers) -> Iterator[bytes]:
    """Functions, stacks and native code with their new numbers."""
    raw = source.parts.definitions.places
    for number, text in raw.strings.items():
        head = struct.pack("<II", number + n.string, len(text))
        yield definition(fmt.Tag.STRING, head + text)
    for number, (line, *texts) in raw.codes.items():
        strings = (moved(text, n.string) for text in texts)
        yield definition(fmt.Tag.CODE, struct.pack("<IIIIII", number + n.code, line, *strings, 0))
    for number, frames in raw.stacks.items():
        pairs = np.frombuffer(frames, "<u4").reshape(-1, 2).astype(np.int64)
        native = pairs[:, 0] >= fmt.SITE_FRAME
        pairs[:, 0] += np.where(native, n.site, n.code) * (pairs[:, 0] % fmt.SITE_FRAME > 0)
        body = struct.pack("<II", number + n.stack, len(pairs)) + pairs.astype("<u4").tobytes()
        yield definition(fmt.Tag.STACK, body)
    for number, (path, base, build_id) in raw.modules.items():
        module = (number + n.module, moved(path, n.string), base, len(build_id), 0)
        yield definition(fmt.Tag.MODULE, struct.pack("<IIQII", *module) + build_id)
    for number, (owner, offset, function, file, line) in raw.sites.items():
        names = moved(function, n.string), moved(file, n.string)
        site = (number + n.site, moved(owner, n.module), offset, *names, line, 0)
        yield definition(fmt.Tag.SITE, struct.pack("<IIQIIII", *site))
    for number, (place, binding, stack) in raw.entries.items():
        entry = (number + n.entry, moved(place, n.site), binding, 0, moved(stack, n.stack))
        yield definition(fmt.Tag.ENTRY, struct.pack("<IIHHI", *entry))
    for number, (code, name, owner) in raw.callables.items():
        names = moved(name, n.string), moved(owner, n.string)
        called = (number + n.callable, moved(code, n.code), *names)
        yield definition(fmt.Tag.CALLABLE, struct.pack("<IIII", *called))
