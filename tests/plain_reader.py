"""A second reader of the trace format, in plain Python, from native_probe/FORMAT.md alone.

It shows that the document says enough, and the tests hold the real reader against it. It is slow,
and it trusts the file more than the real one does.
"""

from __future__ import annotations

import json
import struct
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HEADER = struct.Struct("<8sHHIIIIIIIIIQQQQ")
HEADER_NAMES = (
    "magic",
    "major",
    "minor",
    "size",
    "alignment",
    "event_size",
    "slot_size",
    "flags",
    "clock",
    "machine",
    "pid",
    "python",
    "start",
    "monotonic",
    "realtime",
    "per_second",
)
EVENT = struct.Struct("<BBHIQQII")
SLOT = struct.Struct("<IIQQQQIIQQIIII16sQIIII")
SLOT_NAMES = (
    "thread",
    "tid",
    "ident",
    "start_ticks",
    "end_ticks",
    "dropped",
    "flags",
    "open_gil",
    "open_hold",
    "open_wait",
    "open_wait_kind",
    "open_wait_what",
    "open_wait_peer",
    "open_hold_flags",
    "os_name",
    "open_callback",
    "open_callback_what",
    "open_callback_callable",
    "open_wait_stack",
    "open_wait_flags",
)
METADATA, DEFINITIONS, EVENTS, THREADS, END, PACKED_EVENTS = range(1, 7)
STRING, STACK, MODULE = 7, 9, 10
PLACE_BODIES = {
    8: ("codes", "<IIIIII"),
    10: ("modules", "<IIQII"),
    11: ("sites", "<IIQIIII"),
    12: ("lock_names", "<IIH"),
    13: ("entries", "<IIHHI"),
    14: ("callables", "<IIII"),
}
PLACES = ("strings", "stacks", *(name for name, _ in PLACE_BODIES.values()))
GIL_HOLD, LOCK_WAKE, CALLBACK, THREAD_STATE, SPIN, GIL_SWITCH = 1, 5, 6, 7, 8, 9


def checksum(data: bytes) -> int:
    """Position-weighted sum of the words."""
    data += bytes(-len(data) % 8)
    return sum(w * (2 * i + 1) for i, (w,) in enumerate(struct.iter_unpack("<Q", data), 1)) % 2**64


def chunks(data: bytes, at: int, alignment: int) -> Iterator[tuple[int, ...]]:
    """(sequence, kind, thread, open_ticks, sealed, payload) of every good chunk."""
    while at + 64 <= len(data):
        magic, kind, _, size, thread, sequence, opened = struct.unpack_from("<IHHIIQQ", data, at)
        head_sum, state, used, body_sum = struct.unpack_from("<QIIQ", data, at + 32)
        if magic != 0x4B435347 or head_sum != checksum(data[at : at + 32]):
            at += alignment
            continue
        payload = data[at + 64 : at + size]
        at += size
        if state == 1 and used <= len(payload):
            payload = payload[:used]
            if checksum(payload) != body_sum:
                continue
        yield sequence, kind, thread, opened, state == 1, payload


def records(payload: bytes, size: int, layout: struct.Struct) -> Iterator[tuple[Any, ...]]:
    """Records of fixed size."""
    for at in range(0, len(payload) - size + 1, size):
        yield layout.unpack_from(payload, at)


def definitions(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """(tag, body) of every definition."""
    at = 0
    while at + 8 <= len(payload):
        tag, _, length = struct.unpack_from("<HHI", payload, at)
        if tag == 0:
            return
        yield tag, payload[at + 8 : at + length]
        at += length


def to_ns(points: list[tuple[int, int]], rate: float) -> Callable[[int], int]:
    """Ticks from the start → ns from the start; points are sorted and begin with (0, 0)."""
    rate = points[-1][1] / points[-1][0] if len(points) > 1 else rate

    def convert(ticks: int) -> int:
        for (t0, n0), (t1, n1) in pairwise(points):
            if t0 <= ticks <= t1:
                return round(n0 + (ticks - t0) * (n1 - n0) / (t1 - t0))
        base = points[0] if ticks < 0 else points[-1]
        return round(base[1] + (ticks - base[0]) * rate)

    return convert


def define(result: dict[str, Any], points: set[tuple[int, int]], payload: bytes) -> None:
    """Take over a chunk of definitions."""
    for tag, body in definitions(payload):
        if tag == 1:
            points.add(struct.unpack_from("<QQ", body))
        elif tag == 2:
            thread, n = struct.unpack_from("<II", body)
            result["names"][thread] = body[8 : 8 + n].decode()
        elif tag == 4:
            lock, kind, _, address, owner, n = struct.unpack_from("<IHHQQI", body)
            result["locks"][lock] = [kind, body[32 : 32 + n].decode(), address, owner]
        elif tag in PLACE_BODIES:
            name, layout = PLACE_BODIES[tag]
            number, *values = struct.unpack_from(layout, body)
            if tag == MODULE:
                values[-1] = body[24 : 24 + values[-2]].hex()
            result[name][number] = values
        elif tag == STRING:
            number, n = struct.unpack_from("<II", body)
            result["strings"][number] = body[8 : 8 + n].decode()
        elif tag == STACK:
            number, n = struct.unpack_from("<II", body)
            result["stacks"][number] = list(struct.unpack_from(f"<{2 * n}I", body, 8))
        elif tag == 5:
            n, m = struct.unpack_from("<II", body)
            result["not_measured"][body[8 : 8 + n].decode()] = body[8 + n : 8 + n + m].decode()


def read(path: Path) -> dict[str, Any]:
    """What the trace says, in types that JSON has."""
    data = path.read_bytes()
    head = dict(zip(HEADER_NAMES, HEADER.unpack_from(data), strict=True))
    assert (head["magic"], head["major"]) == (b"GILSCOPE", 1)
    result: dict[str, Any] = {name: {} for name in ("names", "locks", "not_measured", *PLACES)}
    points, stamps, raw, slots, end = {(head["start"], head["monotonic"])}, [], [], [], {}
    for _, kind, thread, opened, sealed, payload in sorted(
        chunks(data, head["size"], head["alignment"])
    ):
        stamps.append(opened)
        if kind == METADATA:
            result["argv"] = json.loads(payload.rstrip(b"\0"))["argv"]
        elif kind == END:
            end = json.loads(payload.rstrip(b"\0"))
        elif kind == DEFINITIONS:
            define(result, points, payload)
        elif kind == THREADS:
            found = records(payload, head["slot_size"], SLOT)
            slots += [dict(zip(SLOT_NAMES, slot, strict=True)) for slot in found if slot[0]]
        elif kind == EVENTS:
            for record in records(payload, head["event_size"], EVENT):
                if record[0] == 0 and not sealed:
                    break
                raw += [(thread, *record)] if GIL_HOLD <= record[0] <= GIL_SWITCH else []
        elif kind == PACKED_EVENTS:
            raw += unpacked(payload, head["event_size"], opened)
    relative = sorted((t - head["start"], n - head["monotonic"]) for t, n in points)
    convert = to_ns(relative, 1e9 / head["per_second"])
    stamps += [ticks for ticks, _ in points] + [r[5] + r[6] for r in raw]
    stamps += [
        slot[name]
        for slot in slots
        for name in ("start_ticks", "end_ticks", "open_hold", "open_wait", "open_callback")
    ]
    stop = convert(end.get("stop_ticks", max(stamps)) - head["start"])
    rows = intervals(raw, slots, lambda ticks: convert(ticks - head["start"]), stop)
    keys = ("tid", "ident", "dropped", "flags")
    result |= {
        "pid": head["pid"],
        "python": head["python"],
        "flags": head["flags"],
        "duration_ns": stop,
        "end": [end.get("reason"), end.get("gil_enabled")],
        "threads": {slot["thread"]: [slot[key] for key in keys] for slot in slots},
        "intervals": [row for row in rows if row[0] < LOCK_WAKE or row[0] == SPIN],
        "wakes": [row for row in rows if row[0] == LOCK_WAKE],
        "callbacks": [row for row in rows if row[0] == CALLBACK],
        "thread_states": [row for row in rows if row[0] == THREAD_STATE],
        "gil_switches": [row for row in rows if row[0] == GIL_SWITCH],
    }
    loaded: dict[str, Any] = json.loads(json.dumps(result))
    return loaded


def unpacked(payload: bytes, size: int, opened: int) -> Iterator[tuple[int, ...]]:
    """(thread, fields of a record) of a packed chunk whose frame is one raw block."""
    n, run_count, magic, descriptor, length = struct.unpack_from("<IIIBQ", payload)
    assert (magic, descriptor) == (0xFD2FB528, 0xE0)
    assert int.from_bytes(payload[21:24], "little") == 1 | length << 3
    content = payload[24 : 24 + length]
    runs = struct.unpack_from(f"<{2 * run_count}I", content)
    planes = [content[at : at + n] for at in range(8 * run_count, len(content), n)]
    assert len(planes) == size
    row = 0
    for thread, count in zip(runs[::2], runs[1::2], strict=True):
        end = opened
        for _ in range(count):
            kind, flags, aux, what, gap, *rest = EVENT.unpack(bytes(p[row] for p in planes[:32]))
            start = (end + (gap // 2 if gap % 2 == 0 else -(gap + 1) // 2)) % 2**64
            yield thread, kind, flags, aux, what, start, *rest
            end = (start + rest[0]) % 2**64
            row += 1


def intervals(
    raw: list[tuple[int, ...]], slots: list[dict[str, int]], ns: Callable[[int], int], stop: int
) -> list[list[int]]:
    """[kind, flags, aux, what, thread, start, duration, peer, open, stack], by start and thread.

    Of a callback, aux is the time to get in, ns.
    """
    rows = defaultdict(list)
    for thread, kind, flags, aux, what, start, duration, peer, stack in raw:
        length = ns(start + duration) - ns(start)
        enter = ns(start + ((aux & 0x7FF) << (aux >> 11))) - ns(start)
        times = [enter if kind == CALLBACK else aux, what, thread, ns(start), length]
        row = [kind, flags, *times, peer, 0, stack]
        rows[kind, thread, ns(start)].append(row)
    for slot in slots:
        thread, end = slot["thread"], ns(slot["end_ticks"]) if slot["end_ticks"] else stop
        hold = (GIL_HOLD, slot["open_hold_flags"], slot["open_gil"], slot["open_hold"], 0, 0)
        names = ("kind", "flags", "what", "", "peer", "stack")
        wait = (slot[f"open_wait_{name}" if name else "open_wait"] for name in names)
        inside = (slot["open_callback_what"], slot["open_callback"], slot["open_callback_callable"])
        for kind, flags, what, since, peer, stack in (hold, wait, (CALLBACK, 0, *inside, 0)):
            begin = ns(since) if since else 0
            if since and (kind, thread, begin) not in rows:
                row = [kind, flags, 0, what, thread, begin, end - begin, peer, 1, stack]
                rows[kind, thread, begin].append(row)
    return sorted((row for same in rows.values() for row in same), key=lambda r: (r[5], r[4]))
