"""A second reader in plain Python, from native_probe/FORMAT.md alone; it trusts the file more."""

from __future__ import annotations

import json
import struct
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HEAD = "magic major minor size alignment event slot flags clock machine pid python start monotonic"
SLOT = "thread tid ident start_ticks end_ticks dropped flags gil hold wait wait_kind wait_what"
SLOT += " wait_peer hold_flags os_name callback callback_what callback_peer wait_stack wait_flags"
BODIES = {8: ("codes", "6I"), 10: ("modules", "2IQ2I"), 11: ("sites", "2IQ4I")}
BODIES |= {12: ("lock_names", "2IH"), 13: ("entries", "2I2HI"), 14: ("callables", "4I")}
BODIES |= {16: ("lock_created", "2I"), 20: ("lock_waited", "2I"), 21: ("hazards", "4IQ")}
TABLES = (
    "names",
    "locks",
    "not_measured",
    "strings",
    "stacks",
    "cpu",
    *(n for n, _ in BODIES.values()),
)
OF_KINDS = {"intervals": (1, 2, 3, 4, 8), "wakes": (5,), "callbacks": (6,)}
OF_KINDS |= {"thread_states": (7,), "gil_switches": (9,), "spans": (10,), "gil_samples": (11,)}


def checksum(data: bytes) -> int:
    """Position-weighted sum of the words."""
    words = struct.iter_unpack("<Q", data + bytes(-len(data) % 8))
    return sum(word * (2 * i + 1) for i, (word,) in enumerate(words, 1)) % 2**64


def chunks(data: bytes, at: int, alignment: int) -> Iterator[tuple[Any, ...]]:
    """Sequence, kind, thread, open_ticks, sealed and payload of every good chunk."""
    while at + 64 <= len(data):
        magic, kind, _, size, thread, sequence, opened = struct.unpack_from("<IHHIIQQ", data, at)
        head_sum, sealed, used, body_sum = struct.unpack_from("<QIIQ", data, at + 32)
        good = magic == 0x4B435347 and head_sum == checksum(data[at : at + 32])
        payload = data[at + 64 : at + size] if good else b""
        at += size if good else alignment
        whole = good and sealed and used <= len(payload)
        if good and (not whole or checksum(payload[:used]) == body_sum):
            yield sequence, kind, thread, opened, sealed, payload[:used] if whole else payload


def define(result: dict[str, Any], points: set[Any], tag: int, body: bytes) -> None:
    """Take over a definition."""
    n, m = struct.unpack_from("<2I", body)
    if tag == 1:
        points.add(struct.unpack_from("<2Q", body))
    elif tag in (2, 7):
        result["names" if tag == 2 else "strings"][n] = body[8 : 8 + m].decode()
    elif tag == 4:
        lock, kind, _, address, owner, n = struct.unpack_from("<I2H2QI", body)
        result["locks"][lock] = [kind, body[32 : 32 + n].decode(), address, owner]
    elif tag == 5:
        result["not_measured"][body[8 : 8 + n].decode()] = body[8 + n : 8 + n + m].decode()
    elif tag == 15:
        for thread, _, *times in struct.iter_unpack("<2I3Q", body):
            result["cpu"].setdefault(thread, []).append(times)
    elif tag == 9:
        result["stacks"][n] = list(struct.unpack_from(f"<{2 * m}I", body, 8))
    elif tag in BODIES:
        number, *values = struct.unpack_from("<" + BODIES[tag][1], body)
        values[-1] = body[24 : 24 + values[-2]].hex() if tag == 10 else values[-1]
        result[BODIES[tag][0]][number] = values


def unpacked(payload: bytes, opened: int) -> Iterator[tuple[int, ...]]:
    """Records of a packed chunk whose frame is one raw block."""
    n, runs, _, _, length = struct.unpack_from("<3IBQ", payload)
    content, rows = payload[24 : 24 + length], iter(range(n))
    for at in range(0, 8 * runs, 8):
        (thread, count), end = struct.unpack_from("<2I", content, at), opened
        for row in islice(rows, count):
            record = bytes(content[8 * runs + plane * n + row] for plane in range(32))
            kind, flags, aux, what, gap, *rest = struct.unpack("<2BHI2Q2I", record)
            start = (end + (-(gap + 1) // 2 if gap % 2 else gap // 2)) % 2**64
            yield thread, kind, flags, aux, what, start, *rest
            end = (start + rest[0]) % 2**64


def to_ns(points: list[tuple[int, int]], rate: float, ticks: int) -> int:
    """Ticks from the start → ns from the start; points are sorted and begin with (0, 0)."""
    for (t0, n0), (t1, n1) in pairwise(points):
        if t0 <= ticks <= t1:
            return round(n0 + (ticks - t0) * (n1 - n0) / (t1 - t0))
    base = points[0] if ticks < 0 else points[-1]
    rate = points[-1][1] / points[-1][0] if len(points) > 1 else rate
    return round(base[1] + (ticks - base[0]) * rate)


def rows_of(raw: list[Any], slots: list[Any], ns: Callable[[int], int], stop: int) -> list[Any]:
    """[kind, flags, aux, what, thread, start, duration, peer, open, stack], by start and thread."""
    rows = []
    for thread, kind, flags, aux, what, start, duration, peer, stack in raw:
        enter = ns(start + ((aux & 0x7FF) << (aux >> 11))) - ns(start)
        length = ns(start + duration) - ns(start)
        times = [enter if kind == 6 else aux, what, thread, ns(start), length]
        rows.append([kind, flags, *times, peer, 0, stack])
    known = {(row[0], row[4], row[5]) for row in rows}
    for s in slots:
        waiting = [s["wait_" + name] for name in ("kind", "flags", "what", "peer", "stack")]
        inside = (6, 0, s["callback_what"], s["callback_peer"], 0)
        states = ((s["hold"], (1, s["hold_flags"], s["gil"], 0, 0)), (s["wait"], waiting))
        end = ns(s["end_ticks"]) if s["end_ticks"] else stop
        for since, (kind, flags, what, peer, stack) in (*states, (s["callback"], inside)):
            if since and (kind, s["thread"], ns(since)) not in known:
                times = [what, s["thread"], ns(since), end - ns(since)]
                rows.append([kind, flags, 0, *times, peer, 1, stack])
    return sorted(rows, key=lambda row: (row[5], row[4]))


def read(path: Path) -> dict[str, Any]:
    """What the trace says, in types that JSON has."""
    data = path.read_bytes()
    names = [*HEAD.split(), "realtime", "per_second"]
    head = dict(zip(names, struct.unpack_from("<8s2H9I4Q", data), strict=True))
    assert (head["magic"], head["major"]) == (b"GILSCOPE", 1)
    result: dict[str, Any] = {name: {} for name in TABLES}
    points, stamps, raw, slots, end = {(head["start"], head["monotonic"])}, [], [], [], {}
    found = sorted(chunks(data, head["size"], head["alignment"]))
    for _, kind, thread, opened, sealed, payload in found:
        stamps.append(opened)
        if kind in (1, 5):
            said = json.loads(payload.rstrip(b"\0"))
            result |= {"argv": said["argv"]} if kind == 1 else {}
            end = said if kind == 5 else end
        at = 0
        while kind == 2 and at + 8 <= len(payload):
            tag, _, length = struct.unpack_from("<2HI", payload, at)
            if not tag:
                break
            define(result, points, tag, payload[at + 8 : at + length])
            at += length
        for at in range(0, len(payload) - head["event"] + 1, head["event"]) if kind == 3 else ():
            record = struct.unpack_from("<2BHI2Q2I", payload, at)
            if not record[0] and not sealed:
                break
            raw += [(thread, *record)] if 1 <= record[0] <= 11 else []
        for at in range(0, len(payload) - head["slot"] + 1, head["slot"]) if kind == 4 else ():
            values = struct.unpack_from("<2I4Q2I2Q4I16sQ4I", payload, at)
            slots += [dict(zip(SLOT.split(), values, strict=True))] if values[0] else []
        raw += unpacked(payload, opened) if kind == 6 else ()
    relative = sorted((t - head["start"], n - head["monotonic"]) for t, n in points)

    def ns(ticks: int) -> int:
        return to_ns(relative, 1e9 / head["per_second"], ticks - head["start"])

    stamps += [ticks for ticks, _ in points] + [record[5] + record[6] for record in raw]
    whens = ("start_ticks", "end_ticks", "hold", "wait", "callback")
    stamps += [slot[name] for slot in slots for name in whens]
    result["duration_ns"] = stop = ns(end.get("stop_ticks", max(stamps)))
    for times in result["cpu"].values():
        times[:] = [[ns(ticks), *rest] for ticks, *rest in times]
    rows = rows_of(raw, slots, ns, stop)
    result |= {name: [r for r in rows if r[0] in kinds] for name, kinds in OF_KINDS.items()}
    result |= {name: head[name] for name in ("pid", "python", "flags")}
    result["end"] = [end.get("reason"), end.get("gil_enabled")]
    keys = ("tid", "ident", "dropped", "flags")
    result["threads"] = {slot["thread"]: [slot[key] for key in keys] for slot in slots}
    loaded: dict[str, Any] = json.loads(json.dumps(result))
    return loaded
