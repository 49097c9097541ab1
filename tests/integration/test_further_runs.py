"""The further runs of ``--confirm`` end with the command that began them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SECONDS = 60
PROGRAMS = Path(__file__).parents[1] / "cases"
LONG = """
import os, time
if os.path.exists("again"):
    with open("pid.draft", "w") as file:
        file.write(str(os.getpid()))
    os.rename("pid.draft", "pid")
    time.sleep(1000)
open("again", "w").close()
"""


def alive(pid: int) -> bool:
    """Whether a process still runs."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def wait_for(what: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until a file is there, or the process has ended."""
    end = time.monotonic() + SECONDS
    while not what.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize(
    ("command", "program"),
    [("lock-order", "lock_order/two_locks.py"), ("races", "races/check_key_then_set.py")],
)
def test_a_further_run_ends_with_its_command(
    command: str, program: str, number: signal.Signals, tmp_path: Path
) -> None:
    """Whatever ends gilscope while the program runs again, the program ends as well."""
    script = tmp_path / "app.py"
    script.write_text(LONG + (PROGRAMS / program).read_text(encoding="utf-8"))
    with subprocess.Popen(
        [sys.executable, "-m", "gilscope", command, "--confirm", script.name],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:
        wait_for(tmp_path / "pid", process)
        pid = int((tmp_path / "pid").read_text())
        assert alive(pid)
        process.send_signal(number)
        process.wait(SECONDS)
        end = time.monotonic() + SECONDS
        while alive(pid) and time.monotonic() < end:
            time.sleep(0.05)
        assert not alive(pid)
    if number != signal.SIGKILL:
        assert process.returncode == 128 + number
        assert not list(tmp_path.glob(".gilscope-*"))
