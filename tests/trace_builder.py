"""Writes trace files for tests, from FORMAT.md alone: it shares no code with the reader.

    builder = TraceBuilder()
    main = builder.thread("MainThread", main=True)
    worker = builder.thread("worker")
    builder.hold(main, 0, 100)
    builder.gil_wait(worker, 20, 100, peer=main)
    builder.hold(worker, 100, 150)
    table = builder.lock("object", type="dict", object=0x1000, address=0x100A)
    builder.wait(main, table, 200, 250, peer=worker)
    builder.write(path)

Times are ns from the trace's start.
"""

from __future__ import annotations

import json
import struct
from itertools import pairwise
from pathlib import Path

EVENT, SLOT, HEADER, CHUNK = 32, 128, 128, 64
GIL_HOLD, GIL_WAIT, GIL_SWITCH_WAIT, LOCK_WAIT, LOCK_WAKE = 1, 2, 3, 4, 5
CALLBACK, THREAD_STATE, SPIN, GIL_SWITCH, SPAN, GIL_SAMPLE = 6, 7, 8, 9, 10, 11
METADATA, DEFINITIONS, EVENTS, THREADS, END, PACKED_EVENTS = 1, 2, 3, 4, 5, 6
MAIN, PYTHON, NATIVE, STARTED_BEFORE = 1, 2, 4, 8
LOCK_KINDS = (
    "unidentified",
    "mutex",
    "object",
    "thread_lock",
    "lock",
    "rlock",
    "simple_queue",
    "event",
    "stop_the_world",
    "stop_the_world_request",
    "raw_mutex",
    "import_lock",
    "rwlock",
    "once",
    "thread_end",
)
NATIVE_KINDS = {"native_mutex": 32, "native_rwlock": 33, "native_condition": 34}
SITE_FRAME = 1 << 31
START_MONOTONIC = 5_000_000_000_000
START_REALTIME = 1_750_000_000_000_000_000
DEFAULT_DURATION = 1000


def checksum(data: bytes) -> int:
    """Position-weighted sum of FORMAT.md."""
    data += bytes(-len(data) % 8)
    words = struct.unpack(f"<{len(data) // 8}Q", data)
    return sum(word * (2 * i + 1) for i, word in enumerate(words, 1)) % 2**64


def short_float(n: int) -> int:
    """An integer rounded down to 11 significant bits, as FORMAT.md has it."""
    shift = max(n.bit_length() - 11, 0)
    return 0xFFFF if shift > 31 else shift << 11 | n >> shift


class TraceBuilder:
    """A trace that is made up call by call and written at the end.

    Args:
        free_threaded: of which build the trace is.
        gil_enabled: whether the GIL was on at the start; by default as the build has it.
        python: PY_VERSION_HEX.
        pid: of the process under test; its main thread's tid too.
        alignment: of chunks.
        clock, ticks_per_second, start_ticks: the clock; ns by default.
        minor: the format's minor version.
        event_size, slot_size: sizes of records; a later minor version may have longer ones.
        split: event records a chunk at most.
        session: 16 bytes; traces of different recordings have different ones.
    """

    def __init__(
        self,
        *,
        free_threaded: bool = False,
        gil_enabled: bool | None = None,
        python: int = 0x030D05F0,
        pid: int = 4000,
        alignment: int = 4096,
        clock: int = 3,
        ticks_per_second: int = 1_000_000_000,
        start_ticks: int = 7_000_000_000_000,
        minor: int = 0,
        event_size: int = EVENT,
        slot_size: int = SLOT,
        split: int = 1000,
        session: bytes = bytes(range(16)),
    ) -> None:
        self.session = session
        self.free_threaded = free_threaded
        self.gil_enabled = not free_threaded if gil_enabled is None else gil_enabled
        self.python, self.pid, self.alignment, self.clock = python, pid, alignment, clock
        self.ticks_per_second, self.start_ticks = ticks_per_second, start_ticks
        self.minor, self.event_size, self.slot_size, self.split = (
            minor,
            event_size,
            slot_size,
            split,
        )
        self.slots: list[dict[str, int | bytes]] = []
        self.records: dict[int, list[bytes]] = {}
        self.definitions: list[bytes] = []
        self.extra: list[tuple[int, bytes]] = []
        self.locks = 0
        self.latest = 0
        self.strings: dict[str, int] = {}
        self.ids = 0

    def ticks(self, ns: int) -> int:
        """Ns from the start → ticks."""
        self.latest = max(self.latest, ns)
        return self.start_ticks + ns * self.ticks_per_second // 1_000_000_000

    def thread(
        self,
        name: str | None = None,
        *,
        main: bool = False,
        native: bool = False,
        start: int = 0,
        end: int | None = None,
        tid: int | None = None,
        dropped: int = 0,
        os_name: str = "python",
    ) -> int:
        """Add a thread; its index."""
        index = len(self.slots) + 1
        flags = (MAIN if main else 0) | (NATIVE if native else PYTHON)
        slot: dict[str, int | bytes] = {
            "thread": index,
            "tid": self.pid + (0 if main else index) if tid is None else tid,
            "ident": 0x7F0000000000 + index * 0x1000,
            "start_ticks": self.ticks(start),
            "end_ticks": 0 if end is None else self.ticks(end),
            "dropped": dropped,
            "flags": flags,
            "os_name": os_name.encode()[:16],
        }
        self.slots.append(slot)
        if name is not None:
            text = name.encode()
            self.define(2, struct.pack("<II", index, len(text)) + text)
        return index

    def lock(
        self,
        kind: str | int = "object",
        *,
        type: str = "",  # noqa: A002 - the format's word
        address: int = 0,
        object: int = 0,  # noqa: A002 - the format's word
    ) -> int:
        """Define a lock; its id."""
        self.locks += 1
        code = kind if isinstance(kind, int) else NATIVE_KINDS.get(kind, -1)
        code = LOCK_KINDS.index(kind) if code < 0 else code  # type: ignore[arg-type]
        text = type.encode()
        fixed = struct.pack("<IHHQQII", self.locks, code, 0, address, object, len(text), 0)
        self.define(4, fixed + text)
        return self.locks

    def gil(self, gil: int = 1, address: int = 0x5000, interpreter: int = 0) -> None:
        """Define a GIL."""
        self.define(3, struct.pack("<IIQq", gil, 0, address, interpreter))

    def clock_point(self, ticks: int, ns: int) -> None:
        """Define a point of the clock: ticks from the start, ns from the start."""
        monotonic, realtime = START_MONOTONIC + ns, START_REALTIME + ns
        self.define(1, struct.pack("<QQQ", self.start_ticks + ticks, monotonic, realtime))

    def not_measured(self, name: str, reason: str) -> None:
        """Name a class of event that was not measured."""
        texts = name.encode(), reason.encode()
        self.define(5, struct.pack("<II", *map(len, texts)) + b"".join(texts))

    def probe_cost(self, femtoseconds: int, stack: int = 0) -> None:
        """Say what the probe costs."""
        self.define(6, struct.pack("<QQ", femtoseconds, stack))

    def cpu_times(self, *samples: tuple[int, int, int, int]) -> None:
        """Samples: (thread, ticks from the start, ns on a processor, ns runnable)."""
        rows = (
            struct.pack("<IIQQQ", thread, 0, self.start_ticks + ticks, on_cpu, runnable)
            for thread, ticks, on_cpu, runnable in samples
        )
        self.define(15, b"".join(rows))

    def string(self, value: str) -> int:
        """Define a string, once; its id. 0 for the empty one."""
        if value and value not in self.strings:
            self.strings[value] = len(self.strings) + 1
            raw = value.encode()
            self.define(7, struct.pack("<II", self.strings[value], len(raw)) + raw)
        return self.strings.get(value, 0)

    def code(self, name: str, file: str = "", line: int = 0, module: str = "") -> int:
        """Define a Python function; its id."""
        texts = (self.string(value) for value in (file, name, module))
        return self._new(8, "<IIIII", line, *texts, 0)

    def stack(self, *frames: tuple[int, int]) -> int:
        """Define a stack of (code, or site | SITE_FRAME; line); its id."""
        numbers = [number for frame in frames for number in frame]
        return self._new(9, f"<I{len(numbers)}I", len(frames), *numbers)

    def module(self, path: str, base: int = 0, build_id: bytes = b"") -> int:
        """Define a loaded object; its id."""
        return self._new(10, "<IQII", self.string(path), base, len(build_id), 0, more=build_id)

    def site(
        self, module: int, offset: int, function: str = "", file: str = "", line: int = 0
    ) -> int:
        """Define a place in native code; its id."""
        texts = self.string(function), self.string(file)
        return self._new(11, "<IQIIII", module, offset, *texts, line, 0)

    def lock_name(self, lock: int, name: str, how: int) -> None:
        """Name a lock."""
        self.define(12, struct.pack("<IIHHI", lock, self.string(name), how, 0, 0))

    def lock_created(self, lock: int, stack: int) -> None:
        """Say where a lock was made."""
        self.define(16, struct.pack("<II", lock, stack))

    def lock_waited(self, lock: int, stack: int) -> None:
        """Say where a thread first waited for a lock."""
        self.define(20, struct.pack("<II", lock, stack))

    def hazard(self, kind: int, tid: int, stack: int, function: str, count: int) -> None:
        """Say what native code did that Python forbids."""
        self.define(21, struct.pack("<IIIIQ", kind, tid, stack, self.string(function), count))

    def entry(self, site: int, binding: int = 0, stack: int = 0) -> int:
        """Define native code that enters Python; its id."""
        return self._new(13, "<IHHI", site, binding, 0, stack)

    def callable(self, code: int = 0, name: str = "", module: str = "") -> int:
        """Define what is called there; its id."""
        return self._new(14, "<III", code, self.string(name), self.string(module))

    def _new(self, tag: int, layout: str, *values: int, more: bytes = b"") -> int:
        self.ids += 1
        body = struct.pack("<I", self.ids) + struct.pack("<" + layout[1:], *values)
        self.define(tag, body + more)
        return self.ids

    def define(self, tag: int, body: bytes) -> None:
        """Add a definition."""
        body += bytes(-len(body) % 8)
        self.definitions.append(struct.pack("<HHI", tag, 0, 8 + len(body)) + body)

    def hold(
        self,
        thread: int,
        start: int,
        end: int | None = None,
        *,
        gil: int = 1,
        forced: bool = False,
        before: bool = False,
    ) -> None:
        """The thread holds the GIL; without an end it still does when the trace ends."""
        flags = forced | before << 1
        if end is None:
            self.slots[thread - 1] |= {
                "open_gil": gil,
                "open_hold": self.ticks(start),
                "open_hold_flags": flags,
            }
        else:
            self.event(GIL_HOLD, thread, start, end, what=gil, flags=flags)

    def gil_wait(
        self,
        thread: int,
        start: int,
        end: int | None = None,
        *,
        gil: int = 1,
        peer: int = 0,
        flags: int = 0,
        aux: int = 0,
    ) -> None:
        """The thread waits for the GIL; without an end it still does when the trace ends."""
        if end is None:
            self._open_wait(GIL_WAIT, thread, start, gil, peer)
        else:
            self.event(GIL_WAIT, thread, start, end, what=gil, peer=peer, flags=flags, aux=aux)

    def switch_wait(self, thread: int, start: int, end: int, *, gil: int = 1) -> None:
        """The thread waits until another has taken the GIL that it was forced to release."""
        self.event(GIL_SWITCH_WAIT, thread, start, end, what=gil)

    def wait(
        self,
        thread: int,
        lock: int,
        start: int,
        end: int | None = None,
        *,
        peer: int = 0,
        flags: int = 0,
        stack: int = 0,
    ) -> None:
        """The thread waits for a lock; without an end it still does when the trace ends."""
        if end is None:
            self._open_wait(LOCK_WAIT, thread, start, lock, peer)
            self.slots[thread - 1] |= {"open_wait_stack": stack, "open_wait_flags": flags}
        else:
            self.event(
                LOCK_WAIT, thread, start, end, what=lock, peer=peer, flags=flags, stack=stack
            )

    def wake(self, thread: int, lock: int, woken: int, at: int, *, stack: int = 0) -> None:
        """The thread ends another one's wait."""
        self.event(LOCK_WAKE, thread, at, at, what=lock, peer=woken, stack=stack)

    def spin(self, thread: int, lock: int, start: int, end: int, *, yields: int = 1) -> None:
        """The thread spins for a lock."""
        self.event(SPIN, thread, start, end, what=lock, aux=yields)

    def callback(
        self,
        thread: int,
        start: int,
        end: int | None = None,
        *,
        enter: int = 0,
        entry: int = 0,
        callable: int = 0,  # noqa: A002 - the format's word
        flags: int = 0,
        stack: int = 0,
    ) -> None:
        """Native code is in Python; without an end it still is when the trace ends.

        `enter` is the time to get in, ns.
        """
        if end is None:
            self.slots[thread - 1] |= {
                "open_callback": self.ticks(start),
                "open_callback_what": entry,
                "open_callback_callable": callable,
            }
            return
        aux = short_float(enter * self.ticks_per_second // 1_000_000_000)
        about = {"what": entry, "peer": callable, "flags": flags, "aux": aux, "stack": stack}
        self.event(CALLBACK, thread, start, end, **about)

    def thread_state(self, thread: int, start: int, end: int, *, flags: int) -> None:
        """Native code makes (1) or destroys (2) a thread state."""
        self.event(THREAD_STATE, thread, start, end, flags=flags)

    def gil_switch(
        self, thread: int, at: int, *, flags: int, module: int = 0, gil: int = 1, stack: int = 0
    ) -> None:
        """The GIL is switched on (1) or off (2)."""
        about = {"what": gil, "peer": module, "flags": flags, "stack": stack}
        self.event(GIL_SWITCH, thread, at, at, **about)

    def sample(
        self, holder: int, at: int, stack: int = 0, *, by: int = 0, flags: int = 0, gil: int = 1
    ) -> None:
        """The holder of the GIL is seen at work, by another thread or (0) by itself."""
        about = {"what": gil, "peer": holder, "flags": flags, "stack": stack}
        self.event(GIL_SAMPLE, by or holder, at, at, **about)

    def span(
        self, thread: int, name: str, start: int, end: int, *, size: int | None = None
    ) -> None:
        """The program calls a stretch of time something; `size` is in bytes."""
        about = {"flags": size is not None, "aux": (size or 0) >> 32, "peer": (size or 0) % 2**32}
        self.event(SPAN, thread, start, end, what=self.string(name), **about)

    def event(
        self,
        kind: int,
        thread: int,
        start: int,
        end: int,
        *,
        what: int = 0,
        peer: int = 0,
        flags: int = 0,
        aux: int = 0,
        stack: int = 0,
    ) -> None:
        """Add any event record."""
        first, last = self.ticks(start), self.ticks(end)
        values = (kind, flags, aux, what, first, (last - first) % 2**64, peer, stack)
        record = struct.pack("<BBHIQQII", *values).ljust(self.event_size, b"\0")
        self.records.setdefault(thread, []).append(record)

    def chunk(self, kind: int, payload: bytes) -> None:
        """Add a chunk of any kind."""
        self.extra.append((kind, payload))

    def to_bytes(
        self,
        *,
        end: bool = True,
        sealed: bool = True,
        torn: int = 0,
        duration: int | None = None,
        reason: str = "stop",
        gap: int = 0,
        packed: bool = False,
    ) -> bytes:
        """The file.

        Args:
            end: the session was stopped in order.
            sealed: writers were done with their chunks; a crash leaves open ones.
            torn: bytes that are missing at the end.
            duration: when it was stopped; by default at the latest time of all.
            reason: why.
            gap: bytes of zeros between chunks; a multiple of the alignment.
            packed: all events are in one packed chunk.
        """
        stop = self.latest if duration is None else duration
        parts = [self._header(), *self._chunks(sealed, gap, packed)]
        if end:
            text = json.dumps(
                {
                    "stop_ticks": self.ticks(stop),
                    "gil_enabled": self.gil_enabled,
                    "dropped_events": sum(int(slot["dropped"]) for slot in self.slots),
                    "reason": reason,
                }
            )
            parts.append(self._chunk(END, text.encode(), sequence=9999))
        data = b"".join(parts)
        return data[: len(data) - torn]

    def write(self, path: str | Path, **options: object) -> Path:
        """Write the file; options as those of `to_bytes`."""
        path = Path(path)
        path.write_bytes(self.to_bytes(**options))  # type: ignore[arg-type]
        return path

    def of_session(self, number: int) -> TraceBuilder:
        """This builder, for a trace of another recording."""
        self.session = bytes([number]) * 16
        return self

    def _open_wait(self, kind: int, thread: int, start: int, what: int, peer: int) -> None:
        self.slots[thread - 1] |= {
            "open_wait": self.ticks(start),
            "open_wait_kind": kind,
            "open_wait_what": what,
            "open_wait_peer": peer,
        }

    def _header(self) -> bytes:
        flags = self.free_threaded | self.gil_enabled << 1
        fixed = struct.pack(
            "<8sHHIIIIIIIIIQQQQ16s24s",
            b"GILSCOPE",
            1,
            self.minor,
            max(self.alignment, HEADER),
            self.alignment,
            self.event_size,
            self.slot_size,
            flags,
            self.clock,
            62,
            self.pid,
            self.python,
            self.start_ticks,
            START_MONOTONIC,
            START_REALTIME,
            self.ticks_per_second,
            self.session,
            bytes(24),
        )
        header = fixed + struct.pack("<Q", checksum(fixed))
        return header.ljust(max(self.alignment, HEADER), b"\0")

    def _chunks(self, sealed: bool, gap: int, packed: bool) -> list[bytes]:  # noqa: FBT001 - private
        metadata = {
            "gilscope": "0.1.0",
            "python": "3.13.5 (made up)",
            "executable": "/usr/bin/python3",
            "argv": ["example.py", "--fast"],
            "free_threaded": self.free_threaded,
            "gil_enabled": self.gil_enabled,
        }
        wanted = [
            (METADATA, 0, json.dumps(metadata).encode(), True),
            (DEFINITIONS, 0, b"".join(self.definitions), sealed),
            (THREADS, 0, b"".join(map(self._slot, self.slots)), sealed),
        ]
        if packed:
            wanted.append((PACKED_EVENTS, 0, self._packed(), sealed))
        for thread, records in self.records.items() if not packed else ():
            for at in range(0, len(records), self.split):
                payload = b"".join(records[at : at + self.split])
                wanted.append((EVENTS, thread, payload, sealed))
        wanted += [(kind, 0, payload, sealed) for kind, payload in self.extra]
        return [
            self._chunk(kind, payload, sequence=i, thread=thread, sealed=done) + bytes(gap)
            for i, (kind, thread, payload, done) in enumerate(wanted, 1)
        ]

    def _packed(self) -> bytes:
        """All records as the payload of a packed chunk, in a frame that does not compress."""
        runs = b"".join(struct.pack("<II", *run) for run in self._runs())
        columns: list[list[bytes]] = [[] for _ in range(9)]
        for records in self.records.values():
            end = self.start_ticks
            for record in records:
                kind, flags, aux, what, start, duration, peer, stack = struct.unpack_from(
                    "<BBHIQQII", record
                )
                d = (start - end) % 2**64
                gap = 2 * d if d < 2**63 else 2 * (2**64 - d) - 1
                end = (start + duration) % 2**64
                values = struct.pack(
                    "<BBHIQQII", kind, flags, aux, what, gap, duration, peer, stack
                )
                bounds = (0, 1, 2, 4, 8, 16, 24, 28, 32)
                for column, (a, b) in zip(columns, pairwise(bounds), strict=False):
                    column.append(values[a:b])
                columns[8].append(record[32:])
        content = runs + b"".join(
            bytes(value[i] for value in column) for column in columns for i in range(len(column[0]))
        )
        block = struct.pack("<I", 1 | len(content) << 3)[:3]  # the last one, raw
        frame = struct.pack("<IBQ", 0xFD2FB528, 0xE0, len(content)) + block + content
        return struct.pack("<II", sum(n for _, n in self._runs()), len(self.records)) + frame

    def _runs(self) -> list[tuple[int, int]]:
        return [(thread, len(records)) for thread, records in self.records.items()]

    def _slot(self, values: dict[str, int | bytes]) -> bytes:
        names = (
            "thread tid ident start_ticks end_ticks dropped flags open_gil open_hold open_wait"
            " open_wait_kind open_wait_what open_wait_peer open_hold_flags"
        )
        numbers = [values.get(name, 0) for name in names.split()]
        packed = struct.pack("<IIQQQQIIQQIIII16s", *numbers, values["os_name"])
        later = "callback callback_what callback_callable wait_stack wait_flags"
        rest = [values.get(f"open_{name}", 0) for name in later.split()]
        packed += struct.pack("<QIIIIQ", *rest, 0)
        return packed.ljust(self.slot_size, b"\0")

    def _chunk(
        self, kind: int, payload: bytes, *, sequence: int, thread: int = 0, sealed: bool = True
    ) -> bytes:
        # A chunk that is still open has room left: zeros follow the last record.
        size = CHUNK + len(payload) + (0 if sealed else EVENT)
        size += -size % self.alignment
        head = struct.pack(
            "<IHHIIQQ", 0x4B435347, kind, 0, size, thread, sequence, self.start_ticks
        )
        used = (len(payload), checksum(payload)) if sealed else (0, 0)
        tail = struct.pack("<QIIQQ", checksum(head), sealed, *used, 0)
        return (head + tail + payload).ljust(size, b"\0")
