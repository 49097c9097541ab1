"""Large files: they are mapped, and read when something is asked for."""

from __future__ import annotations

import os
from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gilscope.errors import TraceError
from gilscope.trace.model import COLUMN_TYPES, Intervals, Trace
from gilscope.trace.reading import chunks
from gilscope.trace.reading.reader import read
from trace_builder import TraceBuilder
from trace_examples import callback_trace, gil_trace, golden_files

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file counts as a large one, and little is read together."""
    monkeypatch.setattr(chunks, "MAX_READ", 0)
    monkeypatch.setattr("gilscope.trace.reading.records.BLOCK", 5)
    monkeypatch.setattr("gilscope.trace.reading.events.BLOCK", 3)
    monkeypatch.setattr("gilscope.trace.reading.records._FEW", 2)
    monkeypatch.setattr("gilscope.trace.reading.records._RELEASE", 64)


def plain(trace: Trace) -> dict[str, list[object]]:
    """All columns of all tables."""
    tables = (trace.intervals, trace.wakes, trace.thread_states)
    columns = {
        f"{number} {name}": getattr(table, name).tolist()
        for number, table in enumerate(tables)
        for name in COLUMN_TYPES
    }
    calls = {f.name: getattr(trace.callbacks, f.name).tolist() for f in fields(trace.callbacks)}
    return columns | calls | {"threads": list(trace.threads), "problems": list(trace.problems)}


@pytest.mark.parametrize("name", golden_files())
def test_mapped_files_say_the_same(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Whether a file is read or mapped, in blocks of any size, the trace is the same."""
    path = tmp_path / "x.gilscope"
    path.write_bytes(golden_files()[name])
    expected = plain(read(path))
    request.getfixturevalue("mapped")
    assert plain(read(path)) == expected


@pytest.mark.usefixtures("mapped")
def test_nothing_is_read_before_it_is_asked_for(tmp_path: Path) -> None:
    """Opening looks at no event: damage among them shows when they are read."""
    data = bytearray(gil_trace(512).to_bytes())
    at = data.index(b"GSCK", data.rindex(b"GSCK") - 512 * 2) + 64
    data[at] ^= 255
    path = tmp_path / "x.gilscope"
    path.write_bytes(data)
    trace = read(path)
    assert "events" not in vars(trace)
    assert trace.build == "gil"
    assert any("damaged chunks (events)" in problem for problem in trace.problems)


@pytest.mark.usefixtures("mapped")
def test_columns_are_read_one_by_one(tmp_path: Path) -> None:
    """Of intervals, only the columns that are asked for are in memory, each read-only."""
    trace = read(callback_trace().write(tmp_path / "x.gilscope"))
    assert len(trace.intervals)
    assert "duration" not in trace.intervals.kept
    assert not trace.intervals.duration.flags.writeable
    assert "peer" not in trace.intervals.kept
    some = trace.intervals.select(np.array([2, 0]))
    assert some.peer.tolist() == trace.intervals.peer[[2, 0]].tolist()
    assert some.duration.tolist() == trace.intervals.duration[[2, 0]].tolist()


@pytest.mark.usefixtures("mapped")
@pytest.mark.parametrize("size", [0, 4096])
def test_file_that_is_cut_short_afterwards(size: int, tmp_path: Path) -> None:
    """Where what was mapped is gone, one line says so, and nothing crashes."""
    path = gil_trace().write(tmp_path / "x.gilscope")
    trace = read(path)
    os.truncate(path, size)
    with pytest.raises(TraceError, match="was changed while it was open"):
        len(trace.intervals)


@pytest.mark.usefixtures("mapped")
def test_file_that_is_written_over(tmp_path: Path) -> None:
    """Another trace in the same file is not taken for the one that was opened."""
    path = gil_trace().write(tmp_path / "x.gilscope")
    trace = read(path)
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(1, 1))
    with pytest.raises(TraceError, match="was changed while it was open"):
        len(trace.intervals)


@pytest.mark.usefixtures("mapped")
def test_file_that_is_replaced(tmp_path: Path) -> None:
    """A recording that takes the place of a trace does not harm the one that is open."""
    path = gil_trace().write(tmp_path / "x.gilscope")
    expected = plain(read(path))
    trace = read(path)
    path.unlink()
    TraceBuilder().write(path)
    assert plain(trace) == expected


def test_rows_that_begin_together(tmp_path: Path) -> None:
    """Rows are in the order of start and thread, then as they were recorded."""
    builder = TraceBuilder()
    threads = [builder.thread() for _ in range(3)]
    for number in range(30):
        for thread in reversed(threads):
            builder.hold(thread, 10 * (number % 2), 100 + number)
    rows = read(builder.write(tmp_path / "x.gilscope")).intervals
    found = list(zip(rows.start.tolist(), rows.thread.tolist(), rows.end.tolist(), strict=True))
    assert found == sorted(found)


def test_unknown_attributes(tmp_path: Path) -> None:
    """What is no column and no field is an AttributeError, as ever."""
    trace = read(gil_trace().write(tmp_path / "x.gilscope"))
    for thing in (trace, trace.intervals, Intervals.empty()):
        with pytest.raises(AttributeError, match="nothing"):
            _ = thing.nothing  # type: ignore[attr-defined]
