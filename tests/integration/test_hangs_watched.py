"""Hangs are explained in programs that are watched for races, or for the order of locks, too."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from contextlib import suppress
from signal import SIGKILL
from typing import TYPE_CHECKING

import pytest

from hang_programs import BUILDS, REPORT_S, TARGETS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    "GILSCOPE_FT_PYTHON" not in os.environ, reason="no interpreters: run `make test`"
)


def dumped(pid: int) -> str:
    """Look at a process until it is known to hang; return the first line that is said of it."""
    words = [sys.executable, "-m", "gilscope", "dump", "--no-py-spy", "--json", str(pid)]
    end = time.monotonic() + REPORT_S
    while time.monotonic() < end:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode == 1:
            return next(one["headline"] for one in json.loads(done.stdout) if one["kind"])
    return done.stdout + done.stderr


@pytest.mark.parametrize("program", ["order", "event"])
@pytest.mark.parametrize("command", ["races", "lock-order"])
@pytest.mark.parametrize("build", BUILDS)
def test_a_watched_program_that_hangs(
    build: str, command: str, program: str, tmp_path: Path
) -> None:
    """With blocks are known though bytecode is watched; gilscope's frames are not told."""
    words = [os.environ[BUILDS[build]], "-m", "gilscope", command, TARGETS / "hung.py", program]
    with subprocess.Popen(
        words,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            line = dumped(process.pid)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, SIGKILL)
    assert re.match(
        r"deadlock: MainThread \(hung\.py:\d+\) holds threading\.Lock `lock` and ", line
    )
    assert re.search(r"waits for threading\.Lock `lock`, held by MainThread", line)
