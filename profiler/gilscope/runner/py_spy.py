"""Stacks by py-spy: Python and native frames in one, with lines, also of threads that run.

It stops the process for some milliseconds, which our own reader does not; and it cannot read all
builds. What it does not tell is left to our own reader.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

PATIENCE_SECONDS = 30

type Stacks = dict[int, list[tuple[str, int, str]]]
"""By the kernel's thread id: ``(file, line, function)``, innermost frame first."""


def stacks(pid: int) -> tuple[Stacks, str]:
    """Return the stacks of a process, and why there are none if there are none."""
    program = find()
    if program is None:
        return {}, "py-spy is not installed (pip install py-spy)"
    command = [program, "dump", "--native", "--json", "--pid", str(pid)]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return {}, f"py-spy did not answer ({type(error).__name__})"
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        return {}, f"py-spy cannot read it ({lines[0].strip() if lines else done.returncode})"
    return parse(done.stdout)


def parse(text: str) -> tuple[Stacks, str]:
    """Read what ``py-spy dump --json`` prints."""
    try:
        found: Stacks = {
            int(thread["os_thread_id"]): [
                (str(frame["filename"]), int(frame["line"] or 0), str(frame["name"]))
                for frame in thread["frames"]
            ]
            for thread in json.loads(text)
            if thread["os_thread_id"]
        }
    except (ValueError, LookupError, TypeError):
        return {}, "py-spy's answer cannot be read"
    return found, ""


def find() -> str | None:
    """Return the program: that of this interpreter's environment, else the one on PATH."""
    own = Path(sys.executable).with_name("py-spy")
    return str(own) if own.is_file() else shutil.which("py-spy")
