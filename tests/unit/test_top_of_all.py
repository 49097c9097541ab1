"""Several traces as one thing: `gilscope top` of a directory."""

from __future__ import annotations

import json
import multiprocessing
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import gilscope
from gilscope.analysis.rows import Groups, Label, one_group, rows_of
from gilscope.cli import beside, main
from gilscope.trace.reading.reader import read
from trace_builder import TraceBuilder
from trace_examples import callback_trace, ft_trace, gil_trace, span_trace

if TYPE_CHECKING:
    from pathlib import Path

TABLES = ("thread", "lock", "callable", "line", "function", "span")
EXAMPLES = (gil_trace, ft_trace, callback_trace, span_trace)


def printed(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    """What the command prints as JSON."""
    assert main(["top", "--json", "--limit", "1000", *map(str, words)]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Different traces, some of them in a directory below."""
    folder = tmp_path / "week"
    (folder / "monday").mkdir(parents=True)
    for number, make in enumerate(EXAMPLES):
        trace = make().of_session(number + 1)
        trace.write(folder / ("monday" if number % 2 else "") / f"{number}.gilscope")
    (folder / "notes.txt").write_text("no trace")
    return folder


def test_sums_are_those_of_the_traces(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Counts, sums, what was caused and maxima of each name are those of all traces together."""
    whole = printed(capsys, folder)
    parts = [printed(capsys, path) for path in sorted(folder.rglob("*.gilscope"))]
    assert whole["traces"] == [part["trace"] for part in parts]
    assert whole["duration_s"] == pytest.approx(sum(part["duration_s"] for part in parts))
    for by in TABLES:
        expected: dict[tuple[str, ...], list[float]] = {}
        for row in (row for part in parts for row in part[by]):
            detail = "" if by == "span" else row["detail"]
            sums = expected.setdefault((row["name"], detail, str(row["file"])), [0, 0, 0, 0])
            sums[0] += row["count"]
            sums[1] += row["total_s"]
            sums[2] += row["caused_s"] or 0
            sums[3] = max(sums[3], row["max_s"])
        found = {
            (row["name"], "" if by == "span" else row["detail"], str(row["file"])): [
                *(row["count"], row["total_s"], row["caused_s"] or 0, row["max_s"])
            ]
            for row in whole[by]
        }
        assert found.keys() == expected.keys()
        for name, figures in found.items():
            assert figures == pytest.approx(expected[name])


def test_blame_and_path_are_sums(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Pairs of threads and times on the path are added up by the threads' names."""
    whole = printed(capsys, folder)
    parts = [printed(capsys, path) for path in sorted(folder.rglob("*.gilscope"))]
    for name in ("gil_s", "lock_s"):
        expected = sum(pair[name] for part in parts for pair in part["blame"])
        assert sum(pair[name] for pair in whole["blame"]) == pytest.approx(expected)
    for name in ("pieces", "inferred", "handover_s"):
        assert whole["path"][name] == pytest.approx(sum(part["path"][name] for part in parts))
    total = sum(one["total_s"] for part in parts for one in part["path"]["threads"])
    assert sum(one["total_s"] for one in whole["path"]["threads"]) == pytest.approx(total)


def test_a_trace_twice_is_its_double(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    """Two runs that are the same: twice the sums, the same quantiles; one file counts once."""
    one = callback_trace().write(tmp_path / "a.gilscope")
    other = callback_trace().of_session(1).write(tmp_path / "b.gilscope")
    alone, both = printed(capsys, one, one), printed(capsys, one, other, tmp_path)
    assert alone["trace"] == str(one)
    for by in ("callable", "line", "thread"):
        assert alone[by]
        names = [row["name"] for row in alone[by]]
        assert len(set(names)) == len(names)
        single, double = ({row["name"]: row for row in part[by]} for part in (alone, both))
        assert single.keys() == double.keys()
        for name, row in single.items():
            assert double[name]["count"] == 2 * row["count"]
            for same in ("p50_s", "p99_s", "max_s", "file", "line", "detail"):
                assert double[name][same] == row[same]
    assert [pair["count"] for pair in both["concurrent"]["pairs"]] == [
        2 * pair["count"] for pair in alone["concurrent"]["pairs"]
    ]


def test_quantiles_are_those_of_all_values() -> None:
    """The middle one of all values is found, not one of the middle ones of each trace."""
    chance = np.random.default_rng(3)
    parts = []
    for number in range(5):
        values = chance.integers(0, 1 << 40, 100 * (1 + number))
        groups = chance.integers(0, 3, len(values))
        labels = [Label("a"), None, Label(f"only {number}")]
        parts.append(Groups(groups, values, labels.__getitem__, 3, np.arange(3)))
    rows = {row.name: row for row in rows_of(one_group(parts))}
    values = np.sort(np.concatenate([part.values[part.numbers == 0] for part in parts]))
    assert rows["a"].p50_ns == values[-(-len(values) // 2) - 1]
    assert rows["a"].total_ns == values.sum()
    assert rows["a"].caused_ns == 0
    assert rows["only 4"].caused_ns == 2
    assert len(rows) == 6


def test_no_groups() -> None:
    """Of no traces there are no rows."""
    assert rows_of(one_group([])) == []


def test_the_tables_for_people(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same tables are printed for several traces."""
    assert main(["top", str(folder)]) == 0
    text = capsys.readouterr().out
    assert "waits for the GIL and for locks, by thread" in text
    assert "spans, by name" in text


@pytest.mark.parametrize("memory", ["all", "2G"])
def test_several_processes(
    memory: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """However many processes read the traces, and whichever of them, the tables are the same."""
    alone = printed(capsys, folder)
    monkeypatch.setenv("GILSCOPE_MEMORY", memory)
    monkeypatch.setattr(beside, "WORTH", 0)
    monkeypatch.setattr(os, "process_cpu_count", lambda: 2)
    assert printed(capsys, folder) == alone
    sizes = sorted(path.stat().st_size for path in folder.rglob("*.gilscope"))
    monkeypatch.setattr(beside, "SMALL", sizes[-2])
    assert printed(capsys, folder) == alone


def test_errors_of_other_processes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A trace that another process cannot read is the same error, and no process is left."""
    (folder / "bad.gilscope").write_text("no trace at all" * 100)
    monkeypatch.setattr(beside, "WORTH", 0)
    monkeypatch.setattr(os, "process_cpu_count", lambda: 2)
    assert main(["top", str(folder)]) == 2
    assert "bad.gilscope is not a gilscope trace" in capsys.readouterr().err
    assert multiprocessing.active_children() == []


def test_a_directory_without_traces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A directory in which nothing is a trace is refused in one line."""
    assert main(["top", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"gilscope: error: no traces in {tmp_path}: ")


def test_findings_of_a_directory(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Findings are listed trace by trace."""
    assert main(["findings", "--json", str(folder)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found) == len(EXAMPLES)


def test_an_export_of_a_directory(folder: Path, tmp_path: Path) -> None:
    """All traces of a directory are in one table, each row with the trace that it is of."""
    parquet = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "week.parquet"
    assert main(["export", "--format", "parquet", str(folder), "-o", str(out)]) == 0
    table = parquet.read_table(out)
    paths = sorted(folder.rglob("*.gilscope"))
    assert table.num_rows == sum(len(read(path).intervals) for path in paths)
    assert set(table["trace"].to_pylist()) == {
        path.name for path in paths if len(read(path).intervals)
    }


def test_a_trace_without_events(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A trace with nothing in it adds nothing to the others."""
    one = gil_trace().of_session(1).write(tmp_path / "a.gilscope")
    TraceBuilder().write(tmp_path / "empty.gilscope")
    whole, alone = printed(capsys, tmp_path), printed(capsys, one)
    assert [row["total_s"] for row in whole["thread"]] == [
        row["total_s"] for row in alone["thread"]
    ]


def recording(folder: Path, snapshot_split: int = 1000) -> tuple[Path, Path]:
    """A trace and a snapshot of it in a directory."""
    folder.mkdir()
    trace = gil_trace().write(folder / "run.gilscope")
    snapshot = gil_trace()
    snapshot.split = snapshot_split
    return trace, snapshot.write(folder / "run.1.gilscope", reason="snapshot")


@pytest.mark.parametrize("named", ["directory", "files"])
def test_a_snapshot_of_a_trace_that_is_there_counts_once(
    named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is in both does not count twice, and it is said what was left out."""
    trace, snapshot = recording(tmp_path / "runs")
    words = [trace.parent] if named == "directory" else [snapshot, trace]
    assert main(["top", "--json", *map(str, words)]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["trace"] == str(trace)
    assert printed.err == f"note: {snapshot} is left out: it is a copy of {trace}\n"


def test_findings_leave_out_a_snapshot_in_a_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A snapshot that was named itself stays."""
    trace, snapshot = recording(tmp_path / "runs")
    assert main(["findings", "--json", str(trace.parent)]) == 0
    assert [one["trace"] for one in json.loads(capsys.readouterr().out)] == [str(trace)]
    assert main(["findings", "--json", str(snapshot), str(trace)]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2


def test_findings_keep_a_snapshot_with_what_the_ring_has_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`top` leaves it out and says that a part is missing: a sum would have the rest twice."""
    # The snapshot has chunks that the trace has no more.
    trace, _ = recording(tmp_path / "runs", snapshot_split=2)
    assert main(["findings", "--json", str(trace.parent)]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2
    assert main(["top", "--json", str(trace.parent)]) == 0
    assert "which lacks a part of it: for that part, name it alone" in capsys.readouterr().err


def test_a_family_has_each_process_once(tmp_path: Path) -> None:
    """With the file that was asked for, be it the snapshot."""
    trace, snapshot = recording(tmp_path / "runs")
    assert gilscope.family(trace) == [trace]
    assert gilscope.family(snapshot) == [snapshot]
