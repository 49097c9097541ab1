"""What a program pays while it is attached to with a trigger on: processor time and latency.

    python attached_bench.py --rounds N --seconds S --out DIRECTORY

A service of three threads answers requests at a fixed rate. Windows with `gilscope attach --ring
--when` and without take turns. Prints one JSON object: {figure: {"bare" | "attached": [a value a
round]}}; processor time and latencies are in seconds, the watcher's share is of one processor.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import queue
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE = 400  # requests a second
THREADS = 3
WORK = 2_000  # numbers that a request adds up
CONDITION = "gil_wait > 50 ms"
BEGIN_S = 30
TICKS = os.sysconf("SC_CLK_TCK")


def serve() -> None:
    """Answer requests, and report on each window that a line of the input asks for."""
    import gilscope.agent  # noqa: F401, PLC0415 - all that it takes

    inbox: queue.SimpleQueue[float] = queue.SimpleQueue()
    latencies: list[float] = []

    def work() -> None:
        while begin := inbox.get():
            sum(range(WORK))
            latencies.append(time.perf_counter() - begin)

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    for line in sys.stdin:
        latencies.clear()
        busy, due = time.process_time(), time.perf_counter()
        end = due + float(line)
        while due < end:
            due += 1 / RATE
            time.sleep(max(due - time.perf_counter(), 0))
            inbox.put(time.perf_counter())
        while not inbox.empty():
            time.sleep(0.001)
        busy = time.process_time() - busy
        *_, p99 = statistics.quantiles(latencies, n=100)
        figures = {"processor": busy / len(latencies), "p99": p99}
        figures["p50"] = statistics.median(latencies)
        print(json.dumps(figures), flush=True)
    for _ in threads:
        inbox.put(0.0)


@contextlib.contextmanager
def attached(pid: int, out: Path) -> Iterator[None]:
    """Record the service into a ring, with a trigger."""
    words = [sys.executable, "-m", "gilscope", "attach", str(pid), "--ring"]
    words += ["--when", CONDITION, "-o", str(out / "attached.gilscope")]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as command:
        assert command.stderr is not None  # noqa: S101 - it was asked for
        if "recording process" not in command.stderr.readline():
            command.kill()
            raise OSError("attach failed")
        try:
            yield
        finally:
            command.send_signal(signal.SIGINT)
            command.wait(BEGIN_S)


def watcher_of(pid: int) -> int:
    """Return the process that watches another one; 0 if none does."""
    for maps in Path("/proc").glob("[0-9]*/maps"):
        with contextlib.suppress(OSError):
            if f"gilscope-hangs-{pid} " in maps.read_text() and int(maps.parent.name) != pid:
                return int(maps.parent.name)
    return 0


def busy_of(pid: int) -> float:
    """Return the processor time of a process, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def window(service: subprocess.Popen[str], seconds: float) -> dict[str, float]:
    """Have the service work for some seconds; return what it measured."""
    assert service.stdin is not None and service.stdout is not None  # noqa: S101, PT018
    service.stdin.write(f"{seconds}\n")
    service.stdin.flush()
    figures: dict[str, float] = json.loads(service.stdout.readline())
    return figures


def measured(rounds: int, seconds: float, out: Path) -> dict[str, dict[str, list[float]]]:
    """Return each figure, bare and attached, one value a round."""
    found: dict[str, dict[str, list[float]]] = {}

    def note(variant: str, figures: dict[str, float]) -> None:
        for name, value in figures.items():
            found.setdefault(name, {}).setdefault(variant, []).append(value)

    words = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as service:
        assert service.stdout is not None and service.stdin is not None  # noqa: S101, PT018
        service.stdout.readline()
        window(service, seconds)  # warm
        for _ in range(rounds):
            note("bare", window(service, seconds))
            with attached(service.pid, out):
                window(service, 1.0)  # the watcher may have just begun
                watcher = watcher_of(service.pid)
                busy, begin = busy_of(watcher), time.monotonic()
                note("attached", window(service, seconds))
                share = (busy_of(watcher) - busy) / (time.monotonic() - begin)
                note("attached", {"watcher": share})
        service.stdin.close()
    return found


def main() -> None:
    """Measure, or be the service."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--out", type=Path, default=Path())
    options = parser.parse_args()
    if options.serve:
        serve()
    else:
        print(json.dumps(measured(options.rounds, options.seconds, options.out)))


if __name__ == "__main__":
    main()
