"""Damaged traces of every sort: a partial trace or an error of ours, never anything else."""

from __future__ import annotations

import io
import json
import random
import struct
import warnings
from typing import TYPE_CHECKING

import pytest

from gilscope.analysis import contention, spans
from gilscope.cli.info import describe
from gilscope.cli.info_text import text
from gilscope.errors import TraceError
from gilscope.export import FORMATS, count
from gilscope.trace.pack import pack
from gilscope.trace.reader import read
from trace_builder import checksum
from trace_examples import golden_files

if TYPE_CHECKING:
    from pathlib import Path

CASES = 1000
PARTS = 10
ALIGNMENT = 512
NUMBERS = (0, 1, 8, 32, 512, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 63, (1 << 64) - 1)
ORIGINALS = [data for name, data in golden_files().items() if name != "gil"]


def damaged(chance: random.Random) -> bytes:
    """A golden trace with some damage, half of it behind checksums that are right again."""
    data = bytearray(chance.choice(ORIGINALS))
    for _ in range(chance.randint(1, 12)):
        at = chance.randrange(len(data))
        kind = chance.choice(("bit", "u32", "u32", "u64", "cut", "copy"))
        if kind == "bit":
            data[at] ^= 1 << chance.randrange(8)
        elif kind == "u32" and at + 4 <= len(data):
            struct.pack_into("<I", data, at & ~3, chance.choice(NUMBERS) & 0xFFFFFFFF)
        elif kind == "u64" and at + 8 <= len(data):
            struct.pack_into("<Q", data, at & ~7, chance.choice(NUMBERS))
        elif kind == "cut" and chance.random() < 0.1 and at:
            del data[at:]
        elif kind == "copy" and chance.random() < 0.1:
            source, target = (chance.randrange(len(data)) // ALIGNMENT * ALIGNMENT for _ in "ab")
            data[target : target + ALIGNMENT] = data[source : source + ALIGNMENT]
    return with_right_checksums(data) if chance.random() < 0.5 else bytes(data)


def with_right_checksums(data: bytearray) -> bytes:
    """The damage passes the checksums, and so reaches what lies behind them."""
    if len(data) >= 128:
        struct.pack_into("<Q", data, 120, checksum(bytes(data[:120])))
    for at in range(ALIGNMENT, len(data) - 63, ALIGNMENT):
        if data[at : at + 4] == b"GSCK":
            struct.pack_into("<Q", data, at + 32, checksum(bytes(data[at : at + 32])))
            (used,) = struct.unpack_from("<I", data, at + 44)
            payload = bytes(data[at + 64 : at + 64 + used])
            struct.pack_into("<Q", data, at + 48, checksum(payload))
    return bytes(data)


def use(path: Path) -> None:
    """Read a trace and do with it what the product does."""
    trace = read(path)
    for lane in spans.lanes(trace):
        assert (lane.ends > lane.starts).all()
        assert (lane.starts[1:] == lane.ends[:-1]).all()
    totals = contention.gil_totals(trace)
    assert totals.held_at_start + totals.acquires == totals.releases + totals.held_at_end
    contention.thread_totals(trace)
    contention.lock_totals(trace)
    contention.blocked_totals(trace)
    contention.check_invariants(trace)
    text(describe(trace))
    for table in (trace.codes, trace.modules, trace.sites, trace.callables):
        assert all(table[number].id == number for number in table)
    for stack in trace.intervals.stack.tolist() + trace.wakes.stack.tolist() + [*trace.stacks]:
        assert all(frame.name for frame in trace.stacks[stack])
    count([trace])


def use_or_refuse(path: Path) -> str:
    """Use a trace; the message if it is refused, else nothing."""
    try:
        use(path)
    except TraceError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("part", range(PARTS))
def test_damage(part: int, tmp_path: Path) -> None:
    """Nothing but a trace or a TraceError of one line comes of a damaged file."""
    chance = random.Random(part)  # noqa: S311 - no secret
    path = tmp_path / "damaged.gilscope"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(CASES // PARTS):
            path.write_bytes(damaged(chance))
            message = use_or_refuse(path)
            assert "\n" not in message


def test_packed_copies_of_damaged_traces(tmp_path: Path) -> None:
    """What can be read can be packed, and the copy holds the same events."""
    chance = random.Random(7)  # noqa: S311 - no secret
    path, copy = tmp_path / "damaged.gilscope", tmp_path / "copy.gilscope"
    for _ in range(100):
        path.write_bytes(damaged(chance))
        try:
            trace = read(path)
        except TraceError:
            continue
        pack(path, copy, force=True)
        packed = read(copy)
        assert packed.intervals.start.tolist() == trace.intervals.start.tolist()
        assert packed.callbacks.start.tolist() == trace.callbacks.start.tolist()
        assert [thread.index for thread in packed.threads] == [t.index for t in trace.threads]


def test_exports_of_damaged_traces(tmp_path: Path) -> None:
    """What could be read can be exported too, and the JSON is whole."""
    chance = random.Random(99)  # noqa: S311 - no secret
    path = tmp_path / "damaged.gilscope"
    for _ in range(60):
        path.write_bytes(damaged(chance))
        try:
            trace = read(path)
        except TraceError:
            continue
        for exporter in FORMATS.values():
            out = io.BytesIO()
            exporter.write([trace, trace], out)
            if exporter.name == "chrome":
                json.loads(out.getvalue())
