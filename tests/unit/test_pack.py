"""Packed traces: they say the same, in little room."""

from __future__ import annotations

import os
import random
import struct
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zstandard

from gilscope.cli import main
from gilscope.errors import ExportError, TraceError
from gilscope.trace import packed
from gilscope.trace.format import event_dtype
from gilscope.trace.model import COLUMN_TYPES, Intervals
from gilscope.trace.reading.reader import read
from gilscope.trace.writing.pack import pack
from trace_builder import PACKED_EVENTS, TraceBuilder
from trace_examples import GOLDEN, callback_trace, gil_trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gilscope.trace.model import Trace

NAMES = sorted(path.stem for path in GOLDEN.glob("*.gilscope"))


def plain(value: Any) -> Any:
    """A part of a trace in types that can be compared."""
    if hasattr(value, "items"):
        return dict(value)
    if hasattr(value, "thread") and not isinstance(value, tuple):
        names = COLUMN_TYPES if isinstance(value, Intervals) else [f.name for f in fields(value)]
        return {name: list(getattr(value, name)) for name in names}
    return value


def same(one: Trace, other: Trace) -> None:
    """Two traces say the same."""
    for name in (f.name for of in (one, one.events) for f in fields(of)):
        if not name.startswith("load") and name != "path":
            assert plain(getattr(one, name)) == plain(getattr(other, name)), name


def busy(count: int, *, event_size: int = 32) -> TraceBuilder:
    """A trace of threads that take turns, with times as irregular as real ones."""
    chance = random.Random(1)  # noqa: S311 - no secret
    builder = TraceBuilder(
        clock=1, ticks_per_second=2_100_000_000, event_size=event_size, split=700
    )
    threads = [builder.thread() for _ in range(4)]
    at = 0
    for _ in range(count // 2):
        thread = chance.choice(threads)
        begin = at + chance.randint(20, 3_000)
        end = begin + chance.randint(50, 200_000)
        builder.gil_wait(thread, at, begin, peer=chance.choice(threads), aux=chance.randint(0, 2))
        builder.hold(thread, begin, end, forced=chance.random() < 0.1)
        at = end
    return builder


@pytest.mark.parametrize("name", NAMES)
def test_packed_trace_says_the_same(name: str, tmp_path: Path) -> None:
    """Whole, killed, torn, of a later version, packed already: the packed copy reads the same."""
    path = tmp_path / "packed.gilscope"
    pack(GOLDEN / f"{name}.gilscope", path)
    same(read(GOLDEN / f"{name}.gilscope"), read(path))


@pytest.mark.parametrize("event_size", [32, 48])
def test_many_chunks(tmp_path: Path, event_size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of several threads and chunks keep their order, whatever a packed chunk holds."""
    monkeypatch.setattr("gilscope.trace.writing.pack.MAX_RECORDS", 999)
    original = busy(5_000, event_size=event_size).write(tmp_path / "x.gilscope")
    done = pack(original, tmp_path / "p.gilscope")
    assert done.events == 5_000
    same(read(original), read(tmp_path / "p.gilscope"))


def test_room(tmp_path: Path) -> None:
    """An event takes 16 bytes or less of the whole file, and reserved space none."""
    original = tmp_path / "x.gilscope"
    original.write_bytes(busy(20_000).to_bytes(gap=64 * 4096, end=False))
    done = pack(original, tmp_path / "p.gilscope")
    assert done.size == (tmp_path / "p.gilscope").stat().st_size
    assert done.size / 20_000 <= 16


def test_times_of_all_sorts() -> None:
    """Times that run backwards, and nonsense, come back as they were."""
    chance = np.random.default_rng(3)
    records = np.zeros(1000, event_dtype())
    for name in records.dtype.names or ():
        top = int(np.iinfo(records.dtype[name]).max)
        records[name] = chance.integers(0, top, 1000, records.dtype[name], endpoint=True)
    runs = [(1, records[:1]), (7, records[1:400]), (7, records[400:400]), (2, records[400:])]
    payload = np.frombuffer(packed.encode(runs, 12345) or b"", np.uint8)
    assert packed.count(payload, 32) == 1000
    result = packed.decode(payload, records.dtype, 12345)
    assert [thread for thread, _ in result] == [1, 7, 7, 2]
    assert b"".join(part.tobytes() for _, part in result) == records.tobytes()


def test_problems_are_kept(tmp_path: Path) -> None:
    """What was damaged in the original is still said of the packed copy of the copy."""
    data = bytearray(busy(3_000).to_bytes())
    data[data.index(b"GSCK\3") + 100] ^= 1
    (tmp_path / "x.gilscope").write_bytes(data)
    before = read(tmp_path / "x.gilscope").problems
    assert before
    pack(tmp_path / "x.gilscope", tmp_path / "p.gilscope")
    pack(tmp_path / "p.gilscope", tmp_path / "pp.gilscope")
    assert read(tmp_path / "pp.gilscope").problems == before


def test_events_that_compress_too_well(tmp_path: Path) -> None:
    """What a reader would take for an attack is written as it is."""
    builder = TraceBuilder(split=1 << 16)
    thread = builder.thread()
    record = struct.pack("<BBHIQQII", 1, 0, 0, 1, builder.start_ticks, 0, 0, 0)
    builder.records[thread] = [record] * 60_000
    original = builder.write(tmp_path / "x.gilscope")
    pack(original, tmp_path / "p.gilscope")
    same(read(original), read(tmp_path / "p.gilscope"))


@pytest.mark.parametrize(
    "damage",
    [
        lambda payload: payload[:6],
        lambda payload: payload[:-9],
        lambda payload: struct.pack("<II", 1 << 30, 1) + payload[8:],
        lambda payload: struct.pack("<II", 3, 1) + payload[8:],
        lambda payload: payload[:8] + bytes(40),
        lambda payload: payload[:8] + zstandard.compress(b"\xff" * (3 * 8 + 15 * 32)),
        lambda _: struct.pack("<II", 1 << 16, 0) + zstandard.compress(bytes(32 << 16)),
    ],
)
def test_damaged_packed_chunk(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """A packed chunk that does not hold what it states is left out and counted."""
    builder = callback_trace()
    payload = builder._packed()
    builder.records.clear()
    builder.chunk(PACKED_EVENTS, damage(payload))
    trace = read(builder.write(tmp_path / "x.gilscope"))
    assert trace.problems == ("damaged chunks (packed_events): 1 left out",)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command writes beside the trace, says how small it is, and replaces nothing unasked."""
    original = str(gil_trace().write(tmp_path / "x.gilscope"))
    packed_path = tmp_path / "x.packed.gilscope"
    assert main(["pack", original]) == 0
    assert capsys.readouterr().out.startswith(
        f"{packed_path}: {packed_path.stat().st_size:,} bytes"
    )
    assert main(["pack", original]) == 2
    assert "exists" in capsys.readouterr().err
    assert main(["pack", original, "--force"]) == 0
    assert main(["pack", original, "-o", original, "--force"]) == 2
    assert main(["info", str(packed_path)]) == 0


def test_no_trace(tmp_path: Path) -> None:
    """What is no trace gives one line and no file."""
    source = tmp_path / "x.gilscope"
    source.write_bytes(b"\x7fELF" + bytes(1000))
    with pytest.raises(TraceError, match="not a gilscope trace"):
        pack(source, tmp_path / "p.gilscope")
    with pytest.raises(TraceError, match="No such file"):
        pack(tmp_path / "none.gilscope", tmp_path / "p.gilscope")
    assert os.listdir(tmp_path) == ["x.gilscope"]  # noqa: PTH208 - names are compared


def test_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full while the copy is written leaves what was there before."""
    original = gil_trace().write(tmp_path / "x.gilscope")
    (tmp_path / "p.gilscope").write_bytes(b"before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gilscope.trace.writing.pack.encode", full)
    with pytest.raises(ExportError, match="No space left"):
        pack(original, tmp_path / "p.gilscope", force=True)
    assert (tmp_path / "p.gilscope").read_bytes() == b"before"
    assert sorted(os.listdir(tmp_path)) == ["p.gilscope", "x.gilscope"]  # noqa: PTH208


def test_memory_does_not_grow_with_the_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packing keeps no more than a chunk's records at a time."""
    tracemalloc = pytest.importorskip("tracemalloc")
    monkeypatch.setattr("gilscope.trace.writing.pack.MAX_RECORDS", 4096)
    original = busy(100_000).write(tmp_path / "x.gilscope")
    tracemalloc.start()
    try:
        pack(original, tmp_path / "p.gilscope")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < original.stat().st_size / 2
