"""Damaged traces of every sort: a partial trace or an error of ours, never anything else."""

from __future__ import annotations

import faulthandler
import io
import json
import os
import random
import struct
import tracemalloc
import warnings
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gilscope.analysis.states import thread_states
from gilscope.analysis.waits import contention
from gilscope.cli.info import describe
from gilscope.cli.info_text import text
from gilscope.errors import TraceError
from gilscope.export import FORMATS, count
from gilscope.trace.model import COLUMN_TYPES
from gilscope.trace.reading.reader import read
from gilscope.trace.writing.pack import pack
from trace_builder import checksum
from trace_examples import golden_files

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_CASES = 1000
CASES = int(os.environ.get("GILSCOPE_FUZZ_CASES", DEFAULT_CASES))
PATIENCE_S = 120  # for a case that takes some ms
MEMORY_FACTOR = 4
MEMORY_BASE = 1 << 20  # what a file of some kB cannot do without
WIDTHS = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}
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
    for lane in thread_states.lanes(trace):
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


def edited(data: bytes, edits: list[tuple[str, int, int]], *, repair: bool) -> bytes:
    """A trace with edits, each at a place that is a share of 65536 of its length."""
    changed = bytearray(data)
    for kind, share, value in edits:
        at = share * len(changed) >> 16
        if kind == "cut":
            del changed[at:]
        elif kind == "copy" and len(changed) > 2 * ALIGNMENT:
            blocks = len(changed) // ALIGNMENT
            source, target = value % blocks * ALIGNMENT, at // ALIGNMENT * ALIGNMENT
            changed[target : target + ALIGNMENT] = changed[source : source + ALIGNMENT]
        elif kind in WIDTHS:
            width = WIDTHS[kind]
            raw = (value % (1 << 8 * width)).to_bytes(width, "little")
            place = at - at % width
            changed[place : place + width] = raw[: len(changed) - place]
    return with_right_checksums(changed) if repair else bytes(changed)


EDITS = st.tuples(
    st.sampled_from(["u8", "u16", "u32", "u32", "u64", "copy", "cut"]),
    st.integers(0, 65535),
    st.sampled_from(NUMBERS) | st.integers(0, (1 << 64) - 1),
)


@settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    derandomize=CASES == DEFAULT_CASES,
    suppress_health_check=list(HealthCheck),
)
@given(st.sampled_from(ORIGINALS), st.lists(EDITS, min_size=1, max_size=12), st.booleans())
@pytest.mark.timeout(0)
def test_damage(
    tmp_path_factory: pytest.TempPathFactory,
    data: bytes,
    edits: list[tuple[str, int, int]],
    repair: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    """Nothing but a trace or an error of one line comes of a damaged file, in little memory."""
    path = tmp_path_factory.getbasetemp() / "damaged.gilscope"
    path.write_bytes(edited(data, edits, repair=repair))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # A hang ends the process with the place where it hangs.
        faulthandler.dump_traceback_later(PATIENCE_S, exit=True)
        try:
            assert "\n" not in use_or_refuse(path)
        finally:
            # Before memory is traced: CPython crashes if that thread gives memory back while
            # tracemalloc starts or stops.
            faulthandler.cancel_dump_traceback_later()
        assert peak_of_reading(path) < MEMORY_FACTOR * path.stat().st_size + MEMORY_BASE


def peak_of_reading(path: Path) -> int:
    """The most memory that reading takes, with all columns, in bytes."""
    tracemalloc.start()
    try:
        trace = read(path)
        for table in (trace.intervals, trace.wakes, trace.thread_states):
            assert all(len(getattr(table, name)) == len(table) for name in COLUMN_TYPES)
        return tracemalloc.get_traced_memory()[1]
    except TraceError:
        return 0
    finally:
        tracemalloc.stop()


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
