"""How programs under `gilscope races` end, and what they have of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 120
INTERPRETERS = [
    pytest.param(os.environ.get("GILSCOPE_PYTHON", sys.executable), id="gil"),
    pytest.param(os.environ.get("GILSCOPE_FT_PYTHON", ""), id="ft"),
]


def run(python: str, *words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run one interpreter with a time limit."""
    if not python:
        pytest.skip("no interpreter of this build")
    done = subprocess.run(
        [python, *words], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == status, done.stderr
    return done


LEAVES = """
import os, threading
class Counter: n = 0
counter = Counter()
def add():
    for _ in range(3): counter.n += 1
threads = [threading.Thread(target=add) for _ in range(2)]
for t in threads: t.start()
for t in threads: t.join()
if os.fork() == 0: os._exit(4)
os.wait()
os._exit(5)
"""


@pytest.mark.parametrize("python", INTERPRETERS)
def test_a_program_that_leaves_by_exit_at_once_has_a_report(python: str, tmp_path: Path) -> None:
    """Its own exit status stays, and children that leave so report nothing."""
    script = tmp_path / "script.py"
    script.write_text(LEAVES, encoding="utf-8")
    done = run(python, "-m", "gilscope", "races", str(script), status=5)
    assert done.stderr.count("race: lost update on Counter.n") == 1


WITHIN = """
import threading
import gilscope
class Counter: n = 0
counter = Counter()
def add():
    for _ in range(3): counter.n += 1
with gilscope.races() as found:
    threads = [threading.Thread(target=add) for _ in range(2)]
    for t in threads: t.start()
    for t in threads: t.join()
print(len(found.races))
"""


@pytest.mark.parametrize("python", INTERPRETERS)
def test_a_block_within_the_command_is_part_of_it(python: str, tmp_path: Path) -> None:
    """The report of the program has the block's races, and the program is told."""
    script = tmp_path / "script.py"
    script.write_text(WITHIN, encoding="utf-8")
    done = run(python, "-m", "gilscope", "races", str(script))
    assert done.stdout == "0\n"
    assert "are in its report" in done.stderr
    assert "race: lost update on Counter.n" in done.stderr


@pytest.mark.parametrize("python", INTERPRETERS)
def test_a_race_in_a_file_whose_name_is_no_text_is_reported(python: str, tmp_path: Path) -> None:
    """Bytes that are no text in the name do not hide the code."""
    script = tmp_path / os.fsdecode(b"\xff.py")
    script.write_text(LEAVES.replace("os._exit(5)", ""), encoding="utf-8")
    done = run(python, "-m", "gilscope", "races", str(script))
    assert "race: lost update on Counter.n" in done.stderr


@pytest.mark.parametrize("python", INTERPRETERS)
def test_an_exit_status_of_each_run_is_no_effect_of_a_race(python: str, tmp_path: Path) -> None:
    """A confirmation names an exit status only if the first run did not end with it."""
    script = tmp_path / "script.py"
    script.write_text(LEAVES.partition("if os.fork")[0] + "raise SystemExit(6)", encoding="utf-8")
    done = run(python, "-m", "gilscope", "races", "--confirm", str(script), status=6)
    assert "confirmed: a thread was held at" in done.stderr
    assert "exit status" not in done.stderr
