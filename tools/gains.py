"""Holds what findings claim to cost against what is gained where their advice is followed.

    .venv/bin/python tools/gains.py [--repeat 3] [NAME ...]

The programs are those of tests/cases/repairs/programs.py; each is recorded with its fault and
repaired, in turns. Takes the interpreters that GILSCOPE_PYTHON and GILSCOPE_FT_PYTHON name. Prints
a line a kind of finding: the median cost that is claimed, the median gain, gain by cost, and what
part of the processors other processes took meanwhile: if that is much, threads that no longer wait
get no processor instead. Exit status: 0, 1 if a finding is not made or less than half of its cost
is gained while others took less than a quarter, 2 if nothing could be run.

chatty-callbacks has a test of its own (tests/integration/test_findings_recorded.py). lock-convoy
and gil-ping-pong have no program here: the locks of Python 3.13 do not hand over, and no program
on two busy processors passes the GIL on a thousand times a second.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cases
from gilscope.analysis.findings import find
from gilscope.trace.reading.reader import read

if TYPE_CHECKING:
    from gilscope.trace.model import Trace

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "tests" / "cases" / "repairs"
BUILD = ROOT / "build" / "gains"
EXTENSIONS = (
    "41_import_turns_gil_on",
    "47_state_for_each_callback",
    "49_pools_multiply",
    "54_counters_side_by_side",
)
SECONDS = 60
ENOUGH = 0.5
TAKEN = 0.25  # of the processors by other processes: then a low gain tells nothing


@dataclass(frozen=True)
class Repair:
    """A program with one fault.

    Attributes:
        program: its name.
        finding: the kind of finding.
        build: under which it has the fault.
        gained: what the repair saves: thread time of all "threads" but the main one, of the "main"
            thread, "processor" time, or time "ready" to run without a processor.
        repaired: build under which the repair runs; the advice may be to use the other one.
    """

    program: str
    finding: str
    build: str
    gained: str = "threads"
    repaired: str = ""


REPAIRS = (
    Repair("gil_reenabled", "gil-reenabled", "ft"),
    Repair("native_mutex", "native-mutex-held-while-taking-gil", "gil"),
    Repair("serialised", "serialised-callbacks", "gil"),
    Repair("gil_bound", "gil-bound-threads", "gil", repaired="ft"),
    Repair("native_hold", "gil-held-in-native-code", "gil"),
    Repair("hot_object", "hot-object-lock", "ft"),
    Repair("hot_lock", "hot-lock", "gil"),
    Repair("stop_the_world", "stop-the-world-storm", "ft"),
    Repair("thread_states", "thread-state-churn", "gil"),
    Repair("refcount", "refcount-hot-object", "ft", "processor"),
    Repair("cache_line", "shared-cache-line", "gil", "processor"),
    Repair("pools", "processor-oversubscription", "gil", "ready"),
    Repair("starvation", "switch-interval-starvation", "gil", "main"),
)


def prepare(build: str, python: str) -> Path:
    """Return a folder with the programs and their extensions, compiled for the interpreter."""
    question = (
        "import sysconfig; print(sysconfig.get_path('include')); "
        "print(sysconfig.get_config_var('EXT_SUFFIX'))"
    )
    answer = subprocess.run([python, "-c", question], capture_output=True, text=True, check=True)
    include, suffix = answer.stdout.split()
    folder = BUILD / build
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(PROGRAMS / "programs.py", folder)
    reports = [cases.CASES / name for name in EXTENSIONS]
    for source in [path for place in (PROGRAMS, *reports) for path in sorted(place.iterdir())]:
        module = folder / f"{source.stem}{suffix}"
        is_old = not module.exists() or module.stat().st_mtime < source.stat().st_mtime
        if source.suffix in {".c", ".cpp"} and is_old:
            cases.compile_extension(source, module, include)
    return folder


def record(python: str, folder: Path, program: str, way: str) -> Trace:
    """Record one way of a program."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "run.gilscope"
        command = [python, "-m", "gilscope", "run", "-o", str(path), "programs.py", program, way]
        done = cases.run(command, folder, SECONDS)
        if done.status != 0:
            raise RuntimeError(f"{program} {way}: {done.err.strip()[-300:]}")
        return read(path)


def spent(trace: Trace, what: str) -> int:
    """Return what a run took of what a repair saves, ns."""
    if what == "processor":
        return trace.cpu_times.total_on_cpu_ns
    if what == "ready":
        shares = (trace.cpu_times.share(t.index, t.start_ns, t.end_ns) for t in trace.threads)
        return sum(share.runnable_ns for share in shares if share is not None)
    return sum(
        thread.end_ns - thread.start_ns
        for thread in trace.threads
        if thread.main == (what == "main")
    )


class Others:
    """What processes other than those that this one started take of the processors, from now on."""

    def __init__(self) -> None:
        self._busy, self._all = self._now()

    @staticmethod
    def _now() -> tuple[float, float]:
        line = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
        ticks = [int(word) / os.sysconf("SC_CLK_TCK") for word in line.split()[1:9]]
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        idle = ticks[3] + ticks[4]
        return sum(ticks) - idle - used.ru_utime - used.ru_stime, sum(ticks)

    def share(self) -> float:
        """Return their part of all processors, 0 to 1."""
        busy, every = self._now()
        return max(busy - self._busy, 0.0) / max(every - self._all, 1e-9)


def measure(repair: Repair, places: dict[str, tuple[str, Path]], repeat: int) -> bool:
    """Print the row of a repair; return whether enough of the cost is had back."""
    costs, gains, others = [], [], Others()
    for _ in range(repeat):
        bad = record(*places[repair.build], repair.program, "bad")
        good = record(*places[repair.repaired or repair.build], repair.program, "good")
        costs += [one.cost_ns for one in find(bad) if one.name == repair.finding][:1]
        gains.append(spent(bad, repair.gained) - spent(good, repair.gained))
    cost, gain = statistics.median(costs or [0]), statistics.median(gains)
    part = gain / cost if cost else 0.0
    cells = [repair.finding, repair.build, f"{len(costs)} of {repeat}", f"{cost / 1e6:,.0f} ms"]
    cells += [f"{gain / 1e6:,.0f} ms, {repair.gained}", f"{part:.2f}"]
    cells.append(f"{others.share():.0%}")
    print("| " + " | ".join(cells) + " |", flush=True)
    return part >= ENOUGH or (bool(costs) and others.share() >= TAKEN)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("names", nargs="*", metavar="NAME", help="of a program")
    options = parser.parse_args()
    pythons = {build: os.environ.get(variable) for build, variable in cases.VARIABLES.items()}
    absent = [cases.VARIABLES[build] for build, python in pythons.items() if not python]
    if absent:
        print(f"gains: set {', '.join(absent)}")
        return cases.EXIT_NOTHING
    places = {
        build: (str(python), prepare(build, str(python))) for build, python in pythons.items()
    }
    print("| finding | build | found | claimed cost | gain | gain by cost | others |")
    print("|---|---|---|---|---|---|---|", flush=True)
    chosen = [one for one in REPAIRS if not options.names or one.program in options.names]
    enough = [measure(one, places, options.repeat) for one in chosen]
    return 0 if all(enough) else 1


if __name__ == "__main__":
    sys.exit(main())
