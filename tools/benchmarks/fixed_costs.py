"""Measure what a session costs a program that does little, in a process of its own.

python fixed_costs.py STEP [--rounds 15]; prints a JSON object of lists of figures, one a round.
Figures with and without the probe are taken in turns. Times are seconds, of the processor unless
their name ends in ``_wall``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gilscope.target.recording import session as probe

if TYPE_CHECKING:
    from collections.abc import Callable

    type Figures = dict[str, list[float]]

THREADS = 300
FORKS = 15
MANY_THREADS = 5_000
FIRST_S = 0.05  # of a session, in which its fixed cost is paid
BLOCK = 512  # bytes that st_blocks counts in


def usage() -> tuple[float, int]:
    """Return processor time and context switches of this process."""
    now = resource.getrusage(resource.RUSAGE_SELF)
    return now.ru_utime + now.ru_stime, now.ru_nvcsw + now.ru_nivcsw


def address_space() -> int:
    """Return the bytes that are reserved in this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()


def in_turns(path: str, rounds: int, work: Callable[[], dict[str, float]]) -> Figures:
    """Return what ``work`` measures, without the probe and with it (``probed_…``)."""
    figures: Figures = {}
    for _ in range(rounds):
        for name, value in work().items():
            figures.setdefault(name, []).append(value)
        probe.start(path)
        try:
            for name, value in work().items():
                figures.setdefault(f"probed_{name}", []).append(value)
        finally:
            probe.stop()
    return figures


def first_moments(path: str, rounds: int) -> Figures:
    """Measure what the session itself does in its first moments, beside a thread that sleeps."""
    end = threading.Event()
    sleeper = threading.Thread(target=end.wait)
    sleeper.start()

    def rest() -> dict[str, float]:
        seconds, switches = usage()
        time.sleep(FIRST_S)
        after, switches_after = usage()
        return {"busy": after - seconds, "switches": switches_after - switches}

    figures = in_turns(path, rounds, rest)
    end.set()
    sleeper.join()
    return figures


def threads_of(count: int) -> dict[str, float]:
    """Measure the start and end of one thread after another."""
    wall, (before, _) = time.perf_counter(), usage()
    for _ in range(count):
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
    after, _ = usage()
    return {"thread": (after - before) / count, "thread_wall": (time.perf_counter() - wall) / count}


def threads(path: str, rounds: int) -> Figures:
    """Measure threads that do nothing, some of them and many."""
    figures = in_turns(path, rounds, lambda: threads_of(THREADS))
    many = in_turns(path, max(rounds // 5, 1), lambda: threads_of(MANY_THREADS))
    for name, values in many.items():
        probed = "probed_" if name.startswith("probed_") else ""
        figures[f"{probed}many_{name.removeprefix(probed)}"] = values
    return figures


def busy_with_children() -> float:
    """Return the processor time of this process and of its children that have ended."""
    both = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(now.ru_utime + now.ru_stime for now in both)


def fork_and_wait() -> dict[str, float]:
    """Measure children that end at once: processor time, theirs included, and wall time."""
    wall = []
    before = busy_with_children()
    for _ in range(FORKS):
        begin = time.perf_counter()
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        wall.append(time.perf_counter() - begin)
    return {
        "fork": (busy_with_children() - before) / FORKS,
        "fork_wall": statistics.median(wall),
    }


def forks(path: str, rounds: int) -> Figures:
    """Measure forks of a process of one thread, and of children that are recorded themselves."""
    figures = in_turns(path, rounds, fork_and_wait)
    folder = Path(path).parent
    children: Figures = {"recorded_fork": [], "recorded_fork_wall": [], "recorded_bytes": []}
    for _ in range(rounds):
        probe.start(path, follow_children=True)
        for name, value in fork_and_wait().items():
            children[f"recorded_{name}"].append(value)
        probe.stop()
        traces = [each for each in folder.iterdir() if each != Path(path)]
        size = sum(each.stat().st_blocks for each in traces) * BLOCK
        children["recorded_bytes"].append(size / FORKS)
        for each in traces:
            each.unlink()
    return figures | children


def space(path: str, rounds: int) -> Figures:
    """Measure the address space that is reserved while the probe runs."""
    return in_turns(path, rounds, lambda: {"space": float(address_space())})


STEPS: dict[str, Callable[[str, int], Figures]] = {
    "first_moments": first_moments,
    "forks": forks,
    "space": space,
    "threads": threads,
}


def main() -> None:
    """Measure one step and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(STEPS[options.step](str(Path(folder) / "t.gilscope"), options.rounds)))


if __name__ == "__main__":
    main()
