"""Traces larger than memory: large arrays lie in files, and nothing else changes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gilscope.cli import main
from gilscope.cli.memory import DEFAULT, VARIABLE, limit
from gilscope.errors import UsageError
from gilscope.trace import limited_memory as limited_memory_module
from gilscope.trace.limited_memory import LEAST, limited_memory

LARGE_TRACE = Path(__file__).parents[2] / "tools" / "benchmarks" / "large_trace.py"
EVENTS = 45_000
MB = 1_000_000
COMMANDS = (
    ["top", "--json"],
    ["findings", "--json"],
    ["info", "--json"],
    ["diff", "--json", "--all", "{trace}"],
    ["report", "--force", "-o", "{out}"],
    ["pack", "--force", "-o", "{out}"],
    ["merge", "{small}", "--force", "-o", "{out}"],
    ["export", "--force", "--format", "parquet", "-o", "{out}"],
)
PEAK = """
import sys
import numpy as np
from gilscope.trace.limited_memory import LEAST, limited_memory
from peak_memory import peak_memory

with limited_memory(LEAST, sys.argv[1]) as taken:
    arrays = [np.arange(number, number + 16_000_000) for number in range(8)]
    right = all(np.array_equal(a, np.arange(n, n + 16_000_000)) for n, a in enumerate(arrays))
print(peak_memory(), taken.most, int(right))
"""


def large(path: Path, events: int = EVENTS) -> Path:
    """Write a trace of so many events."""
    subprocess.run([sys.executable, LARGE_TRACE, str(events), path], check=True)
    return path


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A large trace and a small one."""
    folder = tmp_path_factory.mktemp("large")
    return large(folder / "x.gilscope"), large(folder / "small.gilscope", 900)


@pytest.fixture
def files_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the smallest arrays lie in files."""
    for name, part in (("_LARGE", 1e-4), ("_MEDIUM", 1e-4), ("_HEAP", 0)):
        monkeypatch.setattr(limited_memory_module, name, part)


@pytest.mark.usefixtures("files_only")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_results_are_the_same(
    command: list[str],
    traces: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What a command prints and writes does not depend on where arrays lie."""
    trace, small = map(str, traces)
    out = tmp_path / "out"
    words = [word.format(trace=trace, small=small, out=out) for word in command[1:]]
    monkeypatch.setattr(os, "urandom", bytes)  # the merged trace's session
    found = []
    for memory in ("all", str(LEAST)):
        monkeypatch.setenv(VARIABLE, memory)
        assert main([command[0], trace, *words]) == 0
        written = out.read_bytes() if out.exists() else b""
        # The plotting library numbers what it makes in one process.
        found.append((capsys.readouterr().out, re.sub(rb'"p\d+"', b"", written)))
    assert found[0] == found[1]
    assert any(found[0])


def test_arrays_lie_in_files(tmp_path: Path) -> None:
    """Beyond a part of the limit, large arrays are in files, which have no name."""
    with limited_memory(LEAST, str(tmp_path)) as taken:
        arrays = [np.full(8 * MB, number, np.int64) for number in range(6)]
        assert [int(array.sum()) for array in arrays] == [8 * MB * number for number in range(6)]
    assert 200 * MB < taken.most < 390 * MB
    assert taken.refused == 0
    assert not list(tmp_path.iterdir())
    del arrays


def test_arrays_outlive_the_block(tmp_path: Path) -> None:
    """An array that was made in the block is as good as any other one behind it."""
    with limited_memory(LEAST, str(tmp_path)):
        arrays = [np.arange(8 * MB) for _ in range(4)]
    assert all(int(array[-1]) == 8 * MB - 1 for array in arrays)
    with limited_memory(LEAST, str(tmp_path)):
        grown = np.append(arrays[3], 1)
    assert int(grown[-1]) == 1


def test_arrays_grow(tmp_path: Path) -> None:
    """An array that changes its size keeps what is in it."""
    with limited_memory(LEAST, str(tmp_path)):
        keep = [np.zeros(8 * MB, np.int64) for _ in range(3)]
        array = np.arange(8 * MB)
        array.resize(12 * MB, refcheck=False)
        assert int(array[8 * MB - 1]) == 8 * MB - 1
        assert not array[8 * MB :].any()
    del keep


@pytest.mark.usefixtures("files_only")
def test_files_are_used_again(tmp_path: Path) -> None:
    """What an array leaves behind is used for the next one, and zeros are zeros in it."""
    with limited_memory(LEAST, str(tmp_path)) as taken:
        for number in range(20):
            array = np.full(MB, number)
            assert int(array[-1]) == number
            del array
            assert not np.zeros(MB - 1000, np.int64).any()
    assert 8 * MB <= taken.most < 100 * MB


def test_no_room(tmp_path: Path) -> None:
    """Where there can be no files, arrays are in memory, and how much is known."""
    with limited_memory(LEAST, str(tmp_path / "none")) as taken:
        arrays = [np.ones(8 * MB, np.int64) for _ in range(4)]
    assert taken.most == 0
    assert taken.refused >= 64 * MB
    assert int(sum(array.sum() for array in arrays)) == 32 * MB


@pytest.mark.usefixtures("files_only")
def test_the_command_says_so(
    traces: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """A command that could not keep to the limit says it, and what to do."""
    monkeypatch.setenv(VARIABLE, str(LEAST))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    assert main(["top", str(traces[0])]) == 0
    assert "set TMPDIR to a folder on a disk" in capsys.readouterr().err


def test_one_at_a_time(tmp_path: Path) -> None:
    """There is one limit; a second one is refused, and numpy has its own memory behind both."""
    with limited_memory(LEAST, str(tmp_path)):
        with pytest.raises(RuntimeError), limited_memory(LEAST, str(tmp_path)):
            pass
        assert np.ones(8 * MB).sum() == 8 * MB
    with limited_memory(LEAST, str(tmp_path)):
        pass


def test_peak_of_a_process(tmp_path: Path) -> None:
    """A process that writes and reads twice as much as its limit keeps to it.

    What lets go of memory is a thread, which a busy machine may make wait: a quarter is for that.
    """
    done = subprocess.run(
        [sys.executable, "-c", PEAK, tmp_path],
        env={**os.environ, "PYTHONPATH": str(LARGE_TRACE.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    peak, most, right = map(int, done.stdout.split())
    assert peak < LEAST * 5 // 4
    assert most > LEAST * 3 // 2
    assert right == 1


@pytest.mark.parametrize(
    ("text", "wanted"), [("", DEFAULT), ("all", None), ("4G", 4 << 30), ("512m", LEAST)]
)
def test_limits(text: str, wanted: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is a size, or none at all."""
    monkeypatch.setenv(VARIABLE, text)
    assert limit() == wanted


@pytest.mark.parametrize("text", ["none", "0", "511M", "-1", "4 G", "1T"])
def test_what_is_no_limit(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anything else is refused with an example."""
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(UsageError, match=r"GILSCOPE_MEMORY is .*such as 4G"):
        limit()
