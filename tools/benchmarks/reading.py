"""Time and memory of what reads traces: one step, in a process of its own.

    .venv/bin/python tools/benchmarks/reading.py {open,intervals,COMMAND,FORMAT} TRACE

A step is a command, with its limit of memory, or an export in a format. Prints JSON: seconds of the
step on the clock and of the processor, its peak of memory in bytes, how much of that was in no file
at any time, how much was in files without a name, and how many intervals there are.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import threading
import time
from contextlib import redirect_stdout
from pathlib import Path

from large_trace import write
from peak_memory import peak_memory

import gilscope
from gilscope.trace.reading.reader import read

OUTPUT = ["--force", "-o", "{out}"]
COMMANDS = {
    "findings": ["findings", "{trace}"],
    "top": ["top", "{trace}"],
    "report": ["report", "{trace}", *OUTPUT],
    "diff": ["diff", "{trace}", "{trace}"],
    "pack": ["pack", "{trace}", *OUTPUT],
    "merge": ["merge", "{trace}", "{small}", *OUTPUT],
    "parquet": ["export", "--format", "parquet", "{trace}", *OUTPUT],
}
SMALL = 900  # events of the trace that another one is merged with
PERIOD_S = 0.02


class Anonymous(threading.Thread):
    """Looks again and again how much memory is in no file.

    Attributes:
        most: bytes.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0

    def run(self) -> None:
        """Look until the process ends."""
        while True:
            _, resident, shared, *_ = Path("/proc/self/statm").read_text("ascii").split()
            pages = int(resident) - int(shared)
            self.most = max(self.most, pages * resource.getpagesize())
            time.sleep(PERIOD_S)


def step(name: str, path: str) -> int:
    """Do the step; how many intervals there are, as far as it knows."""
    if name in COMMANDS:
        _command(name, path)
        return 0
    trace = read(path)
    if name == "open":
        return 0
    if name == "intervals":
        return len(trace.intervals)
    from gilscope.export import export_file  # noqa: PLC0415 - other steps do not need it

    with tempfile.TemporaryDirectory(dir=Path(path).parent) as folder:
        export_file([trace], name, Path(folder) / "export")
    return len(trace.intervals)


def _command(name: str, path: str) -> None:
    """Run a command; what it prints is not looked at.

    Raises:
        RuntimeError: it failed.
    """
    from gilscope.cli import main as gilscope_main  # noqa: PLC0415 - other steps do not need it

    with tempfile.TemporaryDirectory(dir=Path(path).parent) as folder:
        os.environ["TMPDIR"] = folder
        small = Path(folder) / "small.gilscope"
        write(small, SMALL)
        places = {"trace": path, "small": small, "out": Path(folder) / "out"}
        words = [word.format(**places) for word in COMMANDS[name]]
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
            status = gilscope_main(words)
    if status:
        raise RuntimeError(f"gilscope {name} ended with {status}")


def main() -> None:
    """Run from the command line."""
    name, path = sys.argv[1:]
    anonymous = Anonymous()
    anonymous.start()
    begin, busy = time.perf_counter(), time.process_time()
    intervals = step(name, path)
    seconds, busy = time.perf_counter() - begin, time.process_time() - busy
    peak = peak_memory()
    facts = {"seconds": seconds, "processor": busy, "bytes": peak, "intervals": intervals}
    facts |= {"anonymous": anonymous.most, "files": _files()}
    print(json.dumps(facts | {"gilscope": gilscope.__version__}))


def _files() -> int:
    """Return the most that was in files without a name, bytes."""
    from gilscope import _file_memory  # noqa: PLC0415 - most steps do not use it

    return _file_memory.figures()[1]


if __name__ == "__main__":
    main()
