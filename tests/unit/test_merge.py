"""Several traces as one."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

import pytest

from gilscope.analysis.waits.contention import check_invariants
from gilscope.cli import main
from gilscope.errors import ExportError, TraceError
from gilscope.export import FORMATS, export_file
from gilscope.trace.reading.reader import read
from gilscope.trace.writing.chunks import short_floats
from gilscope.trace.writing.merge import merge
from trace_builder import START_MONOTONIC, TraceBuilder, checksum, short_float
from trace_examples import (
    callback_trace,
    cpu_time_trace,
    drifting_clock,
    ft_trace,
    gil_samples,
    gil_trace,
    golden_files,
)

if TYPE_CHECKING:
    from pathlib import Path

    from gilscope.trace.model import Intervals, Trace


def started(data: bytes, later: int, wall: int | None = None) -> bytes:
    """The same trace, of a process that began later; by the wall clock by another time."""
    head = bytearray(data)
    for at, by in ((56, later), (64, later if wall is None else wall)):
        (value,) = struct.unpack_from("<Q", head, at)
        struct.pack_into("<Q", head, at, value + by)
    struct.pack_into("<Q", head, 120, checksum(bytes(head[:120])))
    return bytes(head)


def places(trace: Trace, rows: Intervals) -> list[tuple[object, ...]]:
    """Rows with names for numbers, so that those of two traces can be compared."""
    columns = (rows.kind, rows.flags, rows.aux, rows.start, rows.duration, rows.open)
    named = [
        (trace.locks[what].address, trace.stacks[stack])
        for what, stack in zip(rows.what.tolist(), rows.stack.tolist(), strict=True)
    ]
    numbers = zip(*(column.tolist() for column in columns), strict=True)
    return [(*n, *names) for n, names in zip(numbers, named, strict=True)]


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    """Two free-threaded processes, the second one 5 µs later."""
    first, second = tmp_path / "a.gilscope", tmp_path / "b.gilscope"
    ft_trace().write(first)
    second.write_bytes(started(callback_trace().to_bytes(), 5_000))
    return [first, second]


def test_every_thread_is_there(pair: list[Path], tmp_path: Path) -> None:
    """Threads of all traces, named after their process, in the order of their starts."""
    done = merge(pair, tmp_path / "m.gilscope")
    trace = read(tmp_path / "m.gilscope")
    names = [f"{t.name} ({trace.pid})" for path in pair for t in read(path).threads]
    assert {t.name.rpartition(" ")[0] for t in trace.threads} == {
        n.rpartition(" ")[0] for n in names
    }
    assert (done.traces, done.clock, done.problems) == (2, "monotonic", ())
    assert trace.end_reason == "merge"
    assert not check_invariants(trace)


def test_events_are_what_they_were(pair: list[Path], tmp_path: Path) -> None:
    """All intervals, later by the start of their trace, with their locks and stacks."""
    merge(pair, tmp_path / "m.gilscope")
    trace = read(tmp_path / "m.gilscope")
    originals = [read(path) for path in pair]
    expected = places(originals[0], originals[0].intervals)
    expected += places(originals[1], originals[1].intervals.shifted(5_000))
    assert sorted(places(trace, trace.intervals), key=str) == sorted(expected, key=str)
    assert len(trace.wakes) == sum(len(original.wakes) for original in originals)
    assert trace.duration_ns == max(50_000, 5_000 + originals[1].duration_ns)


def test_callbacks_and_names(pair: list[Path], tmp_path: Path) -> None:
    """Callbacks keep their callables and native functions; locks the program's names."""
    merge(pair, tmp_path / "m.gilscope")
    trace, original = read(tmp_path / "m.gilscope"), read(pair[1])

    def told(trace: Trace) -> list[tuple[object, ...]]:
        calls = trace.callbacks
        called = [trace.callables[number].label for number in calls.callable.tolist()]
        entries = [trace.entries[number].stack for number in calls.entry.tolist()]
        times = calls.duration.tolist(), calls.enter_ns.tolist(), calls.open.tolist()
        return list(zip(called, entries, *times, strict=True))

    assert told(trace) == told(original)
    assert {lock.name for lock in original.locks.values()} <= {
        lock.name for lock in trace.locks.values()
    }
    assert trace.gil_switches.module == original.gil_switches.module


def test_samples_of_holders(tmp_path: Path) -> None:
    """They stay about the same threads, GIL and stacks."""
    first, second = tmp_path / "a.gilscope", tmp_path / "b.gilscope"
    gil_samples().write(first)
    second.write_bytes(started(gil_samples().to_bytes(), 5_000))
    merge([first, second], tmp_path / "m.gilscope")
    trace, original = read(tmp_path / "m.gilscope"), read(first)

    def told(trace: Trace) -> list[tuple[object, ...]]:
        samples = trace.gil_samples
        names = [trace.thread_name(peer).partition(" ")[0] for peer in samples.peer.tolist()]
        stacks = [trace.stacks[stack] for stack in samples.stack.tolist()]
        return sorted(zip(names, stacks, samples.flags.tolist(), strict=True), key=str)

    assert told(trace) == sorted(2 * told(original), key=str)


def test_gils_stay_apart(tmp_path: Path) -> None:
    """Two processes may hold their GILs at one time."""
    paths = [tmp_path / name for name in ("a.gilscope", "b.gilscope")]
    for path in paths:
        gil_trace().write(path)
    merge(paths, tmp_path / "m.gilscope")
    trace = read(tmp_path / "m.gilscope")
    assert len(trace.gils) == 2
    assert not check_invariants(trace)
    assert {int(gil) for gil in trace.intervals.what[trace.intervals.kind == 1]} == {1, 2}


def test_ticks_become_ns(tmp_path: Path) -> None:
    """A trace of another clock is converted, drift and all."""
    path = drifting_clock().write(tmp_path / "a.gilscope")
    merge([path], tmp_path / "m.gilscope")
    original, trace = read(path), read(tmp_path / "m.gilscope")
    assert trace.intervals.start.tolist() == original.intervals.start.tolist()
    assert trace.intervals.duration.tolist() == original.intervals.duration.tolist()


def test_processor_times_are_what_they_were(tmp_path: Path) -> None:
    """Of each thread, on the common clock."""
    paths = [tmp_path / "a.gilscope", tmp_path / "b.gilscope"]
    paths[0].write_bytes(cpu_time_trace().to_bytes())
    paths[1].write_bytes(started(cpu_time_trace().to_bytes(), 5_000))
    merge(paths, tmp_path / "m.gilscope")
    trace, times = read(tmp_path / "m.gilscope"), read(paths[0]).cpu_times
    for later in (0, 5_000):
        for index in (1, 2):
            # The second trace's threads are numbered behind the two of the first one.
            share = trace.cpu_times.share(index + 2 * bool(later), 0, 1 << 40)
            assert share is not None
            assert share == times.share(index, 0, 1 << 40)


def test_other_hosts(tmp_path: Path) -> None:
    """Traces of several boots share the wall clock, and the merged trace says so."""
    paths = [tmp_path / name for name in ("a.gilscope", "b.gilscope")]
    gil_trace().write(paths[0])
    apart = 3_600_000_000_000
    paths[1].write_bytes(started(gil_trace().to_bytes(), -apart, wall=7_000))
    done = merge(paths, tmp_path / "m.gilscope")
    trace = read(tmp_path / "m.gilscope")
    assert done.clock == "realtime"
    assert any("several hosts" in problem for problem in trace.problems)
    assert trace.duration_ns == read(paths[0]).duration_ns + 7_000


@pytest.mark.parametrize("name", [name for name in golden_files() if name != "gil"])
def test_every_golden_trace(name: str, tmp_path: Path) -> None:
    """A trace that can be read can be merged, and its problems are listed."""
    path = tmp_path / "a.gilscope"
    path.write_bytes(golden_files()[name])
    merge([path, path], tmp_path / "m.gilscope")
    original, trace = read(path), read(tmp_path / "m.gilscope")
    assert len(trace.intervals) == 2 * len(original.intervals)
    assert len(trace.problems) >= 2 * len(original.problems)
    for exporter in FORMATS:
        export_file([trace], exporter, tmp_path / f"x.{exporter}")


def test_builds_are_not_mixed(tmp_path: Path) -> None:
    """Traces of different builds are compared, not merged; nothing is written."""
    paths = [gil_trace().write(tmp_path / "a"), ft_trace().write(tmp_path / "b")]
    with pytest.raises(ExportError, match="different builds"):
        merge(paths, tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_progress_ends_at_the_whole(pair: list[Path], tmp_path: Path) -> None:
    """The progress adds up to the intervals of all traces, whatever other events they have."""
    told: list[int] = []
    merged = merge(pair, tmp_path / "m.gilscope", progress=told.append)
    assert sum(told) == sum(len(read(path).intervals) for path in pair)
    assert sum(told) < merged.events


def test_bad_sources_and_targets(tmp_path: Path) -> None:
    """No trace, and a file that is there, are refused in one line."""
    path = gil_trace().write(tmp_path / "a")
    (tmp_path / "text").write_text("no trace" * 100)
    with pytest.raises(TraceError, match="is not a gilscope trace"):
        merge([path, tmp_path / "text"], tmp_path / "m")
    with pytest.raises(ExportError, match="exists"):
        merge([path], tmp_path / "text")


def test_short_floats_are_those_of_the_format() -> None:
    """Time to get in is encoded as FORMAT.md has it."""
    import numpy as np  # noqa: PLC0415 - beside the only test of it

    values = [0, 1, 2047, 2048, 2049, 4095, 4096, 123_456_789, (1 << 42) - 1, 1 << 42, 1 << 50]
    assert short_floats(np.array(values)).tolist() == [short_float(value) for value in values]


def test_command(pair: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command says what it did."""
    target = tmp_path / "m.gilscope"
    assert main(["merge", *map(str, pair), "-o", str(target), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["traces"], facts["clock"]) == (2, "monotonic")
    assert read(target).start_monotonic_ns == START_MONOTONIC


def test_empty_trace(tmp_path: Path) -> None:
    """Traces without anything make one without anything."""
    path = TraceBuilder().write(tmp_path / "a")
    merge([path, path], tmp_path / "m")
    assert not len(read(tmp_path / "m").intervals)


def test_processes_may_have_names(tmp_path: Path) -> None:
    """Threads and problems say them instead of process ids; one without a name keeps its own."""
    torn = tmp_path / "torn.gilscope"
    torn.write_bytes(golden_files()["killed"])

    done = merge([torn, torn], tmp_path / "m.gilscope", names=["", "process 1"])
    trace = read(tmp_path / "m.gilscope")
    own = [thread.name for thread in read(torn).threads]
    assert [one.name for one in done.processes] == ["", "process 1"]
    assert sorted(thread.name for thread in trace.threads) == sorted(
        [*own, "process 1", *(f"process 1: {name}" for name in own if name != "MainThread")]
    )
    assert {"the program: ended early", "process 1: ended early"} <= set(trace.problems)
    assert trace.not_measured == read(torn).not_measured
