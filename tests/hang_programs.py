"""Runs programs that hang, or only wait, and returns the reports on them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TARGETS = Path(__file__).parent / "targets" / "hangs"
BUILDS = {"gil": "GILSCOPE_PYTHON", "ft": "GILSCOPE_FT_PYTHON"}
_KIND = re.compile(r"gilscope: (deadlock|hang): ")
REPORT_S = 60  # far more than it takes: machines are busy


@contextmanager
def running(
    build: str, words: list[str], folder: Path, *, recorded: bool = True, **variables: str
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Run a program under `gilscope run`, or alone; yield it and the file of its errors."""
    python, errors = os.environ[BUILDS[build]], folder / "errors.txt"
    probe = ["-m", "gilscope", "run", "-o", folder / "t.gilscope"] if recorded else []
    options = []
    while words[0].startswith("--"):
        options.append(words.pop(0))
    with errors.open("w") as err, (folder / "output.txt").open("w") as out:
        process = subprocess.Popen(
            [python, *probe, *options, *words],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            text=True,
            env={**os.environ, **variables},
            start_new_session=True,  # children that hang are ended with it
        )
    try:
        yield process, errors
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def reported(process: subprocess.Popen[str], errors: Path) -> str:
    """Wait for the report on a hang; return it."""
    end = time.monotonic() + REPORT_S
    while time.monotonic() < end and "Threads of process" not in errors.read_text():
        assert process.poll() is None, errors.read_text()
        time.sleep(0.1)
    return errors.read_text()


def hung(build: str, folder: Path, *words: str, **variables: str) -> str:
    """Return the first line of the report on a program that hangs."""
    with running(build, [str(TARGETS / "hung.py"), *words], folder, **variables) as (
        process,
        errors,
    ):
        lines = reported(process, errors).splitlines()
    return next(line for line in lines if line.startswith("gilscope: "))


def all_hung(
    build: str, folder: Path, program: str, names: tuple[str, ...], variables: Mapping[str, str]
) -> dict[str, str]:
    """Return the first line of the report on each of several programs, which all run at once."""
    said = {}
    with ExitStack() as stack:
        processes = {}
        for name in names:
            own = folder / name
            own.mkdir()
            words = [str(TARGETS / program), name]
            processes[name] = stack.enter_context(running(build, words, own, **variables))
        for name, (process, errors) in processes.items():
            lines = reported(process, errors).splitlines()
            # What was recorded is said first where a program hangs in its end.
            said[name] = next((line for line in lines if _KIND.match(line)), "")
    return said
