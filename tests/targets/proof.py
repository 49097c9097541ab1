"""Programs that start the probe in an interpreter that was not, or cannot be, tested before."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path

from scenario import main, scenario

from gilscope import profile
from gilscope.target.recording import session


def kept() -> list[tuple[str, int, int, int]]:
    """Name, mode, inode and size of the folder of reports and of what is in it."""
    folder = Path(os.environ["XDG_CACHE_HOME"]) / "gilscope" / "self-test"
    if not folder.is_dir():
        return []
    found = [(path, path.stat()) for path in (folder, *sorted(folder.iterdir()))]
    return [(path.name, x.st_mode & 0o777, x.st_ino, x.st_size) for path, x in found]


def outcomes() -> dict[str, str]:
    """What the probe goes by in this process."""
    facts: dict[str, str] = session._native().self_test_state()[1]
    return facts


@scenario
def start(trace: str) -> dict[str, object]:
    """Record nothing."""
    before = kept()
    with profile(trace):
        pass
    return {"outcomes": outcomes(), "before": before, "kept": kept()}


@scenario
def children(trace: str) -> dict[str, object]:
    """A program that waits for any child, and counts signals."""
    signals: list[int] = []
    signal.signal(signal.SIGCHLD, lambda number, _: signals.append(number))
    with profile(trace):
        pass
    child = None
    with contextlib.suppress(ChildProcessError):
        child = os.waitpid(-1, 0)
    return {"signals": signals, "child": child}


@scenario
def no_interpreter(trace: str) -> dict[str, object]:
    """Python is part of another program, which must not be started for a test."""
    program = Path(trace).with_name("application")
    program.write_text(f"#!/bin/sh\ntouch {trace}.started\n", encoding="utf-8")
    program.chmod(0o700)
    sys.executable = sys._base_executable = str(program)  # type: ignore[attr-defined]
    sys.base_exec_prefix = "/nowhere"
    with profile(trace):
        pass
    return {"outcomes": outcomes(), "started": Path(f"{trace}.started").exists()}


@scenario
def another_python(trace: str) -> dict[str, object]:
    """What is called Python answers something else."""
    program = Path(trace).with_name("python3")
    program.write_text("#!/bin/sh\necho gilscope self-test 1 >&3\n", encoding="utf-8")
    program.chmod(0o700)
    sys.executable = sys._base_executable = str(program)  # type: ignore[attr-defined]
    sys.base_exec_prefix = "/nowhere"
    with profile(trace):
        pass
    return {"outcomes": outcomes()}


if __name__ == "__main__":
    main()
