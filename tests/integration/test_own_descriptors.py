"""Programs that close descriptors which are not theirs: their own files then have the numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import gilscope

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 120
PYTHONS = [
    pytest.param(os.environ.get("GILSCOPE_PYTHON", sys.executable), id="gil"),
    pytest.param(os.environ.get("GILSCOPE_FT_PYTHON", ""), id="ft"),
]
TRACE = "out.gilscope"
COMMANDS = {
    "run": ("run", "-o", TRACE),
    "children": ("run", "--children", "-o", TRACE),
    "ring": ("run", "--ring", "--max-bytes", "8M", "-o", TRACE),
    "when": ("run", "--ring", "--when", "gil_wait > 5 ms", "-o", TRACE),
    "sampled": ("run", "--sample", "50", "-o", TRACE),
    "races": ("races",),
    "races-json": ("races", "--json"),
    "lock-order": ("lock-order",),
    "lock-order-json": ("lock-order", "--json"),
}
SIZE = 6_000_000
WORK = """
import atexit, os, sys, threading
SIZE = 6_000_000
def contend():
    global count
    for _ in range(4000):
        with lock: count += sum(range(20))
lock, count = threading.Lock(), 0
def work():
    threads = [threading.Thread(target=contend) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
def check(files):
    for file in files: os.fstat(file.fileno())
    os.write(2, b"all are there")
"""
CLOSES = (
    WORK
    + """
os.closerange(3, 4096)
files = [open(f"own{n}", "w+b", buffering=0) for n in range(12)]
for file in files: file.write(b"x" * SIZE)
atexit.register(check, files)
work()
"""
)
TAKES = (
    WORK
    + """
file = open("own0", "w+b", buffering=0)
file.write(b"x" * SIZE)
for number in range(3, 1024):
    if number != file.fileno(): os.dup2(file.fileno(), number)
atexit.register(lambda: check(open(number, "rb", closefd=False) for number in range(3, 1024)))
work()
"""
)
NUMBERS = """
import os
print(open(os.devnull).fileno(), *os.pipe(), flush=True)
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
files = []
try:
    while True: files.append(open(os.devnull))
except OSError:
    print(len(files))
files.clear()
"""


def run(place: Path, python: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python with a time limit."""
    if not python:
        pytest.skip("no interpreter of this build")
    return subprocess.run(
        [python, *words], capture_output=True, text=True, timeout=SECONDS, check=False, cwd=place
    )


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("source", [CLOSES, TAKES], ids=["closes", "takes"])
@pytest.mark.parametrize("python", PYTHONS)
def test_the_files_of_the_program(tmp_path: Path, python: str, source: str, command: str) -> None:
    """Nothing is written to them, they are not cut, and they stay open."""
    (tmp_path / "program.py").write_text(source, encoding="utf-8")
    done = run(tmp_path, python, "-m", "gilscope", *COMMANDS[command], "program.py")
    assert done.returncode == 0, done.stderr
    assert "all are there" in done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert "ignored" not in done.stderr, done.stderr
    own = list(tmp_path.glob("own*"))
    assert own
    for path in own:
        assert path.read_bytes() == b"x" * SIZE


@pytest.mark.parametrize("python", PYTHONS)
def test_the_trace(tmp_path: Path, python: str) -> None:
    """It is found again by its name, and is whole."""
    done = run(tmp_path, python, "-m", "gilscope", "run", "-o", TRACE, "-c", CLOSES)
    assert done.stderr.startswith("gilscope: "), done.stderr
    trace = gilscope.open(tmp_path / TRACE)
    assert not trace.ended_early
    assert not trace.problems
    assert len(trace.threads) >= 5


@pytest.mark.parametrize("command", ["run", "children", "when", "races", "lock-order"])
@pytest.mark.parametrize("python", PYTHONS)
def test_numbers(tmp_path: Path, python: str, command: str) -> None:
    """The program's files have the same ones, and there are as many left for them."""
    plain = run(tmp_path, python, "-c", NUMBERS)
    done = run(tmp_path, python, "-m", "gilscope", *COMMANDS[command], "-c", NUMBERS)
    assert (done.returncode, done.stdout) == (0, plain.stdout), done.stderr


@pytest.mark.parametrize("python", PYTHONS)
def test_few_numbers(tmp_path: Path, python: str) -> None:
    """A program that may have few files runs as without a trace, if there is one to spare."""
    limited = 'ulimit -n 16; exec "$@"'
    words = ["-m", "gilscope", "run", "-o", TRACE, "-c", "print('said')"]
    if not python:
        pytest.skip("no interpreter of this build")
    done = subprocess.run(
        ["/bin/sh", "-c", limited, "sh", python, *words],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout) == (0, "said\n"), done.stderr


@pytest.mark.parametrize("command", ["races", "lock-order"])
def test_a_report_to_standard_output(tmp_path: Path, command: str) -> None:
    """It is there, although the program has closed what it did not open, or on standard error."""
    source = "import os\nos.closerange(3, 200)\n"
    done = run(tmp_path, sys.executable, "-m", "gilscope", command, "--json", "-c", source)
    assert json.loads(done.stdout)
    source = "import os\nos.closerange(3, 4096)\n"
    done = run(tmp_path, sys.executable, "-m", "gilscope", command, "--json", "-c", source)
    assert done.stdout == ""
    assert json.loads(done.stderr)
