"""Time and memory of what reads traces: one step, in a process of its own.

    .venv/bin/python tools/benchmarks/reading.py {open,intervals,FORMAT} TRACE

Prints JSON: seconds of the step on the clock and of the processor, its peak of memory in bytes, and
how many intervals there are.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import gilscope
from gilscope.trace.reading.reader import read


def step(name: str, path: str) -> int:
    """Do the step; how many intervals there are, as far as it knows."""
    trace = read(path)
    if name == "open":
        return 0
    if name == "intervals":
        return len(trace.intervals)
    from gilscope.export import export_file  # noqa: PLC0415 - other steps do not need it

    with tempfile.TemporaryDirectory(dir=Path(path).parent) as folder:
        export_file([trace], name, Path(folder) / "export")
    return len(trace.intervals)


def main() -> None:
    """Run from the command line."""
    name, path = sys.argv[1:]
    begin, busy = time.perf_counter(), time.process_time()
    intervals = step(name, path)
    seconds, busy = time.perf_counter() - begin, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    facts = {"seconds": seconds, "processor": busy, "bytes": peak, "intervals": intervals}
    print(json.dumps(facts | {"gilscope": gilscope.__version__}))


if __name__ == "__main__":
    main()
