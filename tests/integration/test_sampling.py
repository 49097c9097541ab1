"""Stacks are sampled beside the probe, and the run goes on where that cannot be done."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import gilscope
from gilscope.analysis.sampled_stacks import sampled_stacks

if TYPE_CHECKING:
    from gilscope.trace.model import Trace

BUILDS = {"gil": "GILSCOPE_PYTHON", "ft": "GILSCOPE_FT_PYTHON"}
PROGRAM = """
import threading, time

def busy(until):
    while time.monotonic() < until:
        sum(range(1000))

until = time.monotonic() + 1.5
threads = [threading.Thread(target=busy, args=(until,), name=f"busy {i}") for i in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("done")
"""

KILLED = """
import os, time
print("Sampling process", flush=True)
time.sleep(0.3)
os.kill(os.getpid(), 9)
"""

pytestmark = pytest.mark.skipif(
    "GILSCOPE_FT_PYTHON" not in os.environ, reason="no interpreters: run `make test`"
)


def recorded(folder: Path, python: str | Path, **variables: str) -> Trace:
    """Record the program with samples; it has to end as without."""
    (folder / "app.py").write_text(PROGRAM)
    done = subprocess.run(
        [python, "-m", "gilscope", "run", "--sample", "50", "-o", "t.gilscope", "app.py"],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    return gilscope.open(folder / "t.gilscope")


@pytest.mark.parametrize("build", BUILDS)
def test_what_runs_is_seen(build: str, tmp_path: Path) -> None:
    """Both threads are in their function nearly all the time, by state."""
    trace = recorded(tmp_path, os.environ[BUILDS[build]])
    samples = trace.samples
    assert samples.by.startswith("py-spy" if build == "gil" else "gilscope")
    assert any("cannot read free-threaded builds" in note for note in samples.notes) == (
        build == "ft"
    )
    stacks = [one for one in sampled_stacks(trace) if trace.thread_name(one.thread)[:4] == "busy"]
    inside = sum(one.total_ns for one in stacks if any(f.name == "busy" for f in one.frames))
    assert inside > 0.8 * sum(one.total_ns for one in stacks)
    waited = sum(one.total_ns for one in stacks if one.others_wait)
    whole = sum(one.total_ns for one in stacks)
    # Without the GIL a thread that starts may wait for a lock of the interpreter for a moment.
    assert waited > 0.2 * whole if build == "gil" else waited < 0.2 * whole


def environment(folder: Path, py_spy: str = "") -> tuple[Path, dict[str, str]]:
    """Return an interpreter that has no py-spy beside it, or this one, and what it needs."""
    binaries = folder / "bin"
    binaries.mkdir()
    python = binaries / "python"
    python.symlink_to(Path(os.environ["GILSCOPE_PYTHON"]).resolve())
    if py_spy:
        program = binaries / "py-spy"
        program.write_text(f"#!{sys.executable}\n{py_spy}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    packages = sysconfig.get_path("platlib")
    return python, {"PYTHONPATH": packages, "PATH": "/usr/bin:/bin"}


@pytest.mark.parametrize(
    ("py_spy", "note"),
    [
        ("", "py-spy is not installed (pip install py-spy)"),
        ("import sys; sys.exit('Error: Permission denied')", "Error: Permission denied"),
        (
            KILLED,
            f"py-spy was ended by signal {int(signal.SIGKILL)}, and its samples with it",
        ),
    ],
    ids=["missing", "refused", "killed"],
)
def test_our_own_reader_goes_on(py_spy: str, note: str, tmp_path: Path) -> None:
    """Without py-spy, without permission, or when it dies, a line names the reason."""
    python, variables = environment(tmp_path, py_spy)
    samples = recorded(tmp_path, python, **variables).samples
    assert any(note in one for one in samples.notes), samples.notes
    assert samples.by == "gilscope"
    assert len(samples)
