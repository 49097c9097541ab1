"""Each kind of wait in native code is known by the stack, with who could end it."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess

import pytest

from hang_programs import BUILDS, TARGETS, all_hung

HELD = "held by native thread"
ROWS = {
    "openmp": "other threads of an OpenMP region in row_openmp (librows.so): not there yet is nat",
    "future": "waits for a std::future in row_future",
    "async": "joins native thread",
    "atomic": "waits for a futex, as std::atomic::wait() does in row_atomic",
    "stdio": f"waits for the lock of a stdio stream in row_stdio (librows.so), {HELD}",
    "write_lock": f"waits for a native read-write lock in row_write_lock (librows.so), {HELD}",
    "read_lock": "waits for a native read-write lock in row_read_lock (librows.so)",
    "upgrade": "waits for a native read-write lock in row_upgrade (librows.so)",
    "barrier": "waits for other threads at a native barrier in row_barrier",
    "join": "joins native thread",
    "condition": "waits for a native condition in row_condition",
    "call_once": "waits for a function that runs once to end in row_call_once (librows.so), begun",
    "tbb": "waits for work of oneTBB",
    "spin": "spins in row_spin (librows.so)",
}
"""What the main thread does, by function of native_rows.cpp."""

pytestmark = pytest.mark.skipif(
    "GILSCOPE_FT_PYTHON" not in os.environ, reason="no interpreters: run `make test`"
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The functions that wait."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++")
    path = tmp_path_factory.mktemp("rows") / "librows.so"
    words = ["-std=c++20", "-O1", "-shared", "-fPIC", "-fopenmp", "-pthread"]
    command = [compiler, *words, str(TARGETS / "native_rows.cpp"), "-o", str(path)]
    # oneTBB may not be there.
    if subprocess.run(
        [*command, "-DWITH_TBB", "-ltbb"], capture_output=True, check=False
    ).returncode:
        subprocess.run(command, check=True)
    return str(path)


@pytest.fixture(scope="module", params=BUILDS)
def rows(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, library: str
) -> tuple[str, dict[str, str]]:
    """The build, and the report on each program."""
    folder = tmp_path_factory.mktemp(f"rows-{request.param}")
    names = [row for row in ROWS if hasattr(ctypes.CDLL(library), f"row_{row}")]
    said = all_hung(request.param, folder, "rows.py", tuple(names), {"ROWS": library})
    return request.param, said


@pytest.mark.parametrize("row", ROWS)
def test_a_wait_in_native_code(row: str, rows: tuple[str, dict[str, str]]) -> None:
    """What is waited for, by the thread that keeps the others from ending it."""
    build, said = rows
    if row not in said:
        pytest.skip(f"no {row}")
    assert ROWS[row] in said[row], said[row]
    keeps = "holds the GIL and" if build == "gil" else "is attached and"
    assert f"MainThread (rows.py:24) {keeps}" in said[row]


@pytest.mark.parametrize("row", ["openmp", "stdio", "call_once", "spin"])
def test_it_does_not_hang_without_the_gil(row: str, library: str) -> None:
    """The programs are right but for what they keep: without it they finish."""
    done = subprocess.run(
        [os.environ["GILSCOPE_PYTHON"], TARGETS / "rows.py", row, "good"],
        env={**os.environ, "ROWS": library},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "finished\n"
