"""The first line of `gilscope findings` on the programs of tests/cases/diagnosis."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conftest import FACTS, TIMEOUT_S, Recorded

pytest.importorskip("numpy")

from gilscope.analysis.findings import find

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Interpreter

    type Run = Callable[[str, int, int], Recorded]

CASES = Path(__file__).parents[1] / "cases" / "diagnosis"
SHAPES = [(4, 50), (3, 100), (20, 10), (1, 400)]
FIRST = re.compile(
    r"checksum \(minex\), called at tiles\.py:24 in checksums, keeps the GIL for (\S+) ms at a "
    r"time: (\d+)% of all waiting for the GIL"
)
SHORTEST = 0.9  # of the time that a hold takes at least, as the clocks of program and trace have it
GIL_ONLY = pytest.mark.parametrize("interpreter", ["gil"], indirect=True)


@pytest.fixture(scope="session")
def built() -> dict[str, Path]:
    """Where the extension has been compiled, by build."""
    return {}


@pytest.fixture
def run(interpreter: Interpreter, built: dict[str, Path], tmp_path: Path) -> Run:
    """Record the program that keeps the GIL (or its repaired twin) so often, for so long."""
    if interpreter.build not in built:
        done = subprocess.run(
            [interpreter.python, "-c", FACTS],
            capture_output=True, text=True, timeout=TIMEOUT_S, check=True,
        )  # fmt: skip
        facts = json.loads(done.stdout)
        place = interpreter.modules / "diagnosis"
        place.mkdir()
        command = ["g++", "-O2", "-std=c++17", "-shared", "-fPIC", "-pthread"]
        command += [f"-I{facts['include']}", "-o", str(place / ("minex" + facts["suffix"]))]
        command += [str(CASES / "minex.cpp")]
        subprocess.run(command, timeout=TIMEOUT_S, check=True)
        shutil.copy(CASES / "tiles.py", place)
        built[interpreter.build] = place

    def record(way: str, count: int, ms: int) -> Recorded:
        path = tmp_path / "tiles.gilscope"
        command = [interpreter.python, "-m", "gilscope", "run", "-o", path, "tiles.py"]
        command += [str(count), str(ms), way]
        done = subprocess.run(
            command, cwd=built[interpreter.build], env=dict(os.environ),
            capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return Recorded(0, done.stdout, done.stderr, path)

    return record


@GIL_ONLY
@pytest.mark.parametrize(("count", "ms"), SHAPES)
def test_the_function_that_keeps_the_gil_is_the_first_line(run: Run, count: int, ms: int) -> None:
    """However often and for how long: the cause, with the callbacks that wait for it under it."""
    first = find(run("bad", count, ms).trace)[0]
    match = FIRST.fullmatch(first.title)
    assert match is not None, first.title
    assert float(match[1]) >= SHORTEST * ms
    assert any(line.startswith("__main__.tile_done (called by Pool::work) waited")
               for line in first.evidence)  # fmt: skip


@pytest.mark.parametrize("interpreter", ["gil", "ft"], indirect=True)
@pytest.mark.parametrize(("count", "ms"), [(4, 50), (1, 400)])
def test_nothing_is_said_of_the_repaired_program(run: Run, count: int, ms: int) -> None:
    """The same work with the GIL released."""
    assert [finding.title for finding in find(run("good", count, ms).trace)] == []


@pytest.mark.parametrize("interpreter", ["ft"], indirect=True)
def test_without_the_gil_nothing_is_kept(run: Run) -> None:
    """The free-threaded build has nothing to wait for."""
    assert [finding.title for finding in find(run("bad", 4, 50).trace)] == []
