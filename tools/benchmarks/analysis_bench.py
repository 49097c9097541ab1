"""Processor time and memory of the analysis of made-up traces of 1, 10 and 100 million intervals.

python analysis_bench.py INTERVALS      one trace, in this process; prints one JSON object
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from peak_memory import peak_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gilscope.trace.model import Trace

SIZES = (1_000_000, 10_000_000, 100_000_000)
THREADS = 8
STEP_NS = 1_000
BYTES_AN_INTERVAL = 190  # that the analysis takes at its peak, the trace included, as measured
PATIENCE_S = 1800


def made_up(n: int) -> Trace:
    """Return a trace of n intervals: threads take the GIL in turns, and wait for it and for locks.

    A fifth of them are waits for the GIL, as many for locks; a tenth as many callbacks lie around
    the holds.
    """
    from gilscope.trace.format import Event, HoldFlag  # noqa: PLC0415 - see main
    from gilscope.trace.model import COLUMN_TYPES, Intervals  # noqa: PLC0415

    chance = np.random.default_rng(1)
    turn = np.arange(n, dtype=np.int64)
    pattern = np.array([1, 2, 1, 4, 1], np.uint8)  # hold, wait for the GIL, hold, lock, hold
    kind = pattern[turn % len(pattern)]
    columns: dict[str, Any] = {name: np.zeros(n, dtype) for name, dtype in COLUMN_TYPES.items()}
    columns["kind"] = kind
    columns["thread"] = (1 + turn % THREADS).astype(np.int32)
    columns["start"] = turn * STEP_NS
    columns["duration"] = chance.integers(100, STEP_NS, n)
    hold, wait, lock = (kind == k for k in (Event.GIL_HOLD, Event.GIL_WAIT, Event.LOCK_WAIT))
    # A wait ends when the thread's next hold begins; a lock is waited for while a thread holds.
    columns["duration"][wait] = (THREADS - 1) * STEP_NS
    columns["flags"][hold] = HoldFlag.WANTED
    columns["what"][hold | wait] = 1
    columns["what"][lock] = 1 + turn[lock] % 100
    columns["peer"][wait | lock] = (1 + (turn[wait | lock] + 1) % THREADS).astype(np.int32)
    return _trace(Intervals.of(**columns), n * STEP_NS)


def _trace(intervals: Any, duration: int) -> Trace:
    """Return a trace around the intervals."""
    from gilscope.trace.format import Event  # noqa: PLC0415 - see main
    from gilscope.trace.model import (  # noqa: PLC0415
        CALLBACK_TYPES,
        Callbacks,
        Intervals,
        Lock,
        Locks,
        Thread,
        Trace,
        TraceEvents,
    )

    rows = np.flatnonzero(intervals.kind == Event.GIL_HOLD)[::6]
    columns: dict[str, Any] = {
        name: np.zeros(len(rows), dtype) for name, dtype in CALLBACK_TYPES.items()
    }
    columns["thread"], columns["start"] = intervals.thread[rows], intervals.start[rows]
    columns["duration"], columns["enter_ns"] = intervals.duration[rows], np.full(len(rows), 10)
    locks = Locks({i: Lock(i, "mutex", "", f"mutex {i}", i, 0) for i in range(1, 101)})
    threads = tuple(
        Thread(i, f"thread {i}", main=i == 1, end_ns=duration) for i in range(1, THREADS + 1)
    )
    events = TraceEvents(
        duration_ns=duration, threads=threads, intervals=intervals, wakes=Intervals.empty(),
        callbacks=Callbacks(**columns),
    )  # fmt: skip
    return Trace(
        load=lambda: events, path=Path("made-up"), build="gil", python="3.13.5",
        free_threaded=False,
        gil_enabled_start=True, gil_enabled_end=True, pid=1, argv=(), executable="",
        start_monotonic_ns=0, start_realtime_ns=0, ended_early=False, end_reason="stop",
        load_locks=lambda: locks, dropped_events=0, not_measured={}, probe_cost_ns=None,
    )  # fmt: skip


def measure(n: int) -> dict[str, float]:
    """Return the processor time of each part, s, and the peak of the memory, bytes."""
    from gilscope.analysis.comparing.metrics import metrics  # noqa: PLC0415
    from gilscope.analysis.facts import Facts  # noqa: PLC0415 - see main
    from gilscope.analysis.findings import find  # noqa: PLC0415
    from gilscope.analysis.top import TABLES, top  # noqa: PLC0415

    facts = Facts(made_up(n))
    before = peak_memory()
    result: dict[str, float] = {}

    def timed(name: str, function: Callable[[], object]) -> None:
        begin = time.process_time()
        function()
        result[name] = time.process_time() - begin

    # In this order, each uses what those before have worked out.
    timed("findings", lambda: find(facts))
    timed("top", lambda: [top(facts, by) for by in TABLES])
    timed("critical_path", lambda: facts.path)
    timed("metrics", lambda: metrics(facts, []))
    result |= {"total": sum(result.values()), "memory": peak_memory(), "trace_memory": before}
    return result


def available() -> int:
    """Return how much memory there is to be had, bytes; 0 if the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    numbers = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return numbers.get("MemAvailable", 0) * 1024


def rows(sizes: Sequence[int] = SIZES) -> list[tuple[str, float, str]]:
    """Return (name, value, unit) of each figure; sizes for which memory is short are left out."""
    found: list[tuple[str, float, str]] = []
    for n in sizes:
        if n * BYTES_AN_INTERVAL > available():
            print(f"bench: analyse {n:,} intervals left out: too little memory", file=sys.stderr)
            continue
        print(f"bench: analyse {n:,} intervals", file=sys.stderr, flush=True)
        done = subprocess.run(
            [sys.executable, __file__, str(n)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=PATIENCE_S,
        )
        figures = json.loads(done.stdout)
        name = f"analyse.{n // 1_000_000}M"
        found += [
            (f"{name}.{part}", 1e3 * figures[part], "ms")
            for part in ("findings", "top", "critical_path", "metrics", "total")
        ]
        found += [(f"{name}.{part}", figures[part], "bytes") for part in ("memory", "trace_memory")]
    return found + _growth({name: value for name, value, _ in found}, sizes)


def _growth(values: dict[str, float], sizes: Sequence[int]) -> list[tuple[str, float, str]]:
    """Return by what each time and the memory grow from size to size."""
    names = [f"{n // 1_000_000}M" for n in sizes]
    return [
        (f"analyse.{part}.growth_{less}_{more}", values[f"analyse.{more}.{part}"] / before, "x")
        for part in ("findings", "top", "critical_path", "total", "memory")
        for less, more in pairwise(names)
        if (before := values.get(f"analyse.{less}.{part}")) and f"analyse.{more}.{part}" in values
    ]


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
