"""A program that is the first process of a container: it is given orphans, and waits for them."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Interpreter

SECONDS = 60
PROGRAM = """
import os, time
if child := os.fork():
    print(os.wait()[1] >> 8)
    time.sleep(0.5)
    try:
        print(os.wait())
    except ChildProcessError:
        print("no other child")
else:
    time.sleep(0.2)
    os._exit(3)
"""


@pytest.mark.parametrize("options", [[], ["--children"]], ids=["alone", "children"])
def test_children_of_the_first_process(
    interpreter: Interpreter, options: list[str], tmp_path: Path
) -> None:
    """It has those that it started, and no process of the profiler's."""
    unshare = [shutil.which("unshare") or "unshare", "--pid", "--fork", "--mount-proc"]
    try:
        subprocess.run([*unshare, "true"], check=True, capture_output=True, timeout=SECONDS)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("this user may not make a namespace")
    words = ["-m", "gilscope", "run", *options, "-o", "x.gilscope", "-c", PROGRAM]
    done = subprocess.run(
        [*unshare, str(interpreter.python), *words],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout) == (0, "3\nno other child\n"), done.stderr
