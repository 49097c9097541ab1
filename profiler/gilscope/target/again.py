"""Runs a program once more, in a process of its own, to see whether what was found can happen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope.target.start import START

if TYPE_CHECKING:
    from collections.abc import Callable

LEAST_SECONDS = 30.0
TIMES_AS_LONG = 5  # as the first run took; a thread is held for a few seconds in all at most
LOOK_SECONDS = 0.25

# The run ends with the process that wants to know of it, however that ends. What a thread of its
# own, or the program's process itself, would have to do for this, this does before the program.
LAUNCH = """
import os, signal, sys
PR_SET_PDEATHSIG = 1
try:
    import ctypes
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
except ImportError:  # an interpreter that was built without it
    pass
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


def _environment() -> dict[str, str]:
    return dict(os.environ)


@dataclass(frozen=True)
class Program:
    """The program as it was before its first run, which may change the process.

    Attributes:
        kind, value, args, filename: Those of `gilscope.target.worker.program.Target`.
        environment: Variables.
        folder: Its working directory.
        begin: When the first run began, on the monotonic clock, in seconds.
    """

    kind: str
    value: str
    args: tuple[str, ...]
    filename: str
    environment: dict[str, str] = field(default_factory=_environment)
    folder: str = field(default_factory=os.getcwd)
    begin: float = field(default_factory=time.monotonic)

    def limit(self) -> float:
        """Return how many seconds a further run may take, now that the first one is over."""
        return max(LEAST_SECONDS, TIMES_AS_LONG * (time.monotonic() - self.begin))


def run_again(
    program: Program,
    how: dict[str, Any],
    limit: float,
    look: Callable[[int], bool] = lambda _pid: False,
) -> tuple[dict[str, Any], str]:
    """Run the program once more.

    Args:
        program: The program.
        how: What the job says besides the program, see `gilscope.target.worker.job`.
        limit: Seconds after which it is stopped.
        look: Is called with the process again and again while it runs; true: stop it.

    Returns:
        Its result, empty if there is none; and how it ended.
    """
    job = {
        "kind": program.kind,
        "value": program.value,
        "args": program.args,
        "filename": program.filename,
        "carried": None,
        "trace": None,
        "recording": {},
        "races": None,
        "live": False,
        "cpus": (),
        "stacks": None,
        "stack_signal": 0,
        **how,
    }
    with tempfile.TemporaryDirectory(prefix=".gilscope-") as folder:
        place, result = Path(folder) / "job.json", Path(folder) / "result.json"
        place.write_text(json.dumps(job), encoding="utf-8")
        ended = _run(program, [str(place), str(result)], limit, look)
        try:
            found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}, ended
    return found, ended


def _run(program: Program, words: list[str], limit: float, look: Callable[[int], bool]) -> str:
    """Run the worker in a session of its own; return how it ended."""
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # noqa: SLF001 - as multiprocessing starts its own
    command = [sys.executable, *flags, "-c", START, *words]
    with subprocess.Popen(
        [sys.executable, "-I", "-c", LAUNCH, str(os.getpid()), *command],
        cwd=program.folder,
        env=program.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            return _wait(process, limit, look)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def _wait(process: subprocess.Popen[bytes], limit: float, look: Callable[[int], bool]) -> str:
    end = time.monotonic() + limit
    while (left := end - time.monotonic()) > 0:
        try:
            return f"exit status {process.wait(min(left, LOOK_SECONDS))}"
        except subprocess.TimeoutExpired:
            if look(process.pid):
                return "it was stopped"
    return f"it was stopped after {limit:.0f} s"
