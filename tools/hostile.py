"""Runs programs that do their worst to threads, with the probe and without it, and compares.

    .venv/bin/python tools/hostile.py [--minutes N | --rounds N] [--seed N] [--build gil] [CASE ...]

Takes the interpreters that GILSCOPE_PYTHON and GILSCOPE_FT_PYTHON name and compiles the cases of
tests/hostile for them. Each case must end with the probe as it ends without it: exit status,
output, and whether it ends at all. Where a case has several endings without the probe, it must be
one of these. Exit status: 0, 1 if something differed, 2 if nothing could be run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator

ROOT = Path(__file__).resolve().parent.parent
CASES = ROOT / "tests" / "hostile"
VARIABLES = {"gil": "GILSCOPE_PYTHON", "ft": "GILSCOPE_FT_PYTHON"}
MODULES = ("threads.py", "processes.py", "sessions.py")
N_LEAVES = 40
PATIENCE_S = 40  # for a case whose own time is a second
SESSION_PATIENCE_S = 0.2  # for each session of many_sessions
PLAIN_RUNS = 10  # how often a case may run without the probe to show that it can end so, too
DISK = "12m"
EXIT_NOTHING = 2
SESSIONS = "HOSTILE_SESSIONS"
HANG = "hangs"
FACTS = """
import json, sysconfig
get = sysconfig.get_config_var
print(json.dumps({"include": sysconfig.get_path("include"), "suffix": get("EXT_SUFFIX")}))
"""
FLAGS = ["-O2", "-g", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-shared", "-fPIC", "-pthread"]


@dataclass(frozen=True)
class Outcome:
    """How a program ended: what must be the same with the probe.

    Attributes:
        status: Exit status; negative: the signal that ended it; "hangs" if it had to be ended.
        out: What it printed.
        err: What it printed as errors, without numbers, which are addresses, ids and times.
    """

    status: int | str
    out: str
    err: str

    def __str__(self) -> str:
        """Describe it in a few lines."""
        said = "\n".join(f"        {line}" for line in (self.out + self.err).splitlines()[-30:])
        return f"exit status {self.status}\n{said}".rstrip()


@dataclass
class Patient:
    """An interpreter, and the module that was compiled for it.

    Attributes:
        build: Its name in messages.
        python: The command that runs it.
        place: Where its modules and the traces are.
        environment: Variables that its programs have besides this one's.
        endings: By case, how it has ended without the probe so far.
    """

    build: str
    python: list[str]
    place: Path
    environment: dict[str, str] = field(default_factory=dict)
    endings: dict[str, set[Outcome]] = field(default_factory=lambda: defaultdict(set))


def cases() -> dict[str, str]:
    """Find all cases: the module of each by its name."""
    found = {}
    for module in MODULES:
        text = (CASES / module).read_text(encoding="utf-8")
        found.update(dict.fromkeys(re.findall(r"^@case\ndef (\w+)", text, re.MULTILINE), module))
    return found


def compile_modules(python: list[str], place: Path, flags: list[str]) -> None:
    """Compile the module and the libraries of tests/hostile for an interpreter."""
    done = subprocess.run([*python, "-c", FACTS], capture_output=True, text=True, check=True)
    facts = json.loads(done.stdout)
    compiler = [os.environ.get("CC", "gcc"), *FLAGS, *flags]
    sources = [str(path) for path in sorted(CASES.glob("*.c")) if path.name != "leaf.c"]
    include = ["-isystem", facts["include"]]
    target = str(place / f"hostile{facts['suffix']}")
    subprocess.run([*compiler, *include, *sources, "-o", target], check=True)
    other = str(place / "other.so")
    subprocess.run([*compiler, "-x", "c", os.devnull, "-o", other], check=True)
    leaf = place / "leaf0.so"
    name = f'-DLEAF_OTHER="{other}"'
    subprocess.run([*compiler, name, str(CASES / "leaf.c"), "-o", str(leaf)], check=True)
    for number in range(1, N_LEAVES):
        shutil.copy(leaf, place / f"leaf{number}.so")


@contextlib.contextmanager
def small_disk(place: Path) -> Iterator[str]:
    """Mount a disk that is soon full; gives no path where that is not allowed."""
    disk = place / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=777", "tmpfs", str(disk)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
        mounted = os.geteuid() == 0 and done.returncode == 0
    except OSError:
        mounted = False
    try:
        yield str(disk) if mounted else ""
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(disk)], check=False)  # noqa: S607


@contextlib.contextmanager
def prepared(
    build: str, python: list[str], flags: tuple[str, ...] = (), **environment: str
) -> Iterator[Patient]:
    """Make an interpreter ready: its modules are compiled, and removed at the end.

    Args:
        build: Its name in messages.
        python: The command that runs it.
        flags: The compiler's, besides the usual ones.
        environment: Variables that its programs have.
    """
    with tempfile.TemporaryDirectory(prefix="gilscope-hostile-") as name:
        place = Path(name)
        place.chmod(0o777)  # one case gives up being root
        compile_modules(python, place, list(flags))
        with small_disk(place) as disk:
            own = {"PYTHONPATH": name, "HOSTILE_PLACE": name, "HOSTILE_DISK": disk}
            yield Patient(build, python, place, {**own, **environment})


def ended(process: subprocess.Popen[bytes], seconds: float) -> int | str:
    """Wait for a program's end, and end all that it has left; a hang is shown by its stacks."""
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        show_stacks(process.pid)
        return HANG
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def processes_of(group: int) -> list[int]:
    """List the processes of a group, the oldest first."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(int(path.name)) == group:
                found.append(int(path.name))
    return sorted(found)


def show_stacks(group: int) -> None:
    """Print where the threads of a program and of its children stand."""
    for pid in processes_of(group):
        print(f"    process {pid}", flush=True)
        show_stacks_of(pid)


def show_stacks_of(pid: int) -> None:
    """Print where a process's threads stand: its stacks with gdb, else what they ask the kernel."""
    gdb = shutil.which("gdb")
    if gdb is not None:
        command = [gdb, "-p", str(pid), "-batch", "-ex", "thread apply all bt 30"]
        with contextlib.suppress(subprocess.TimeoutExpired):
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            print(done.stdout, flush=True)
            return
    for task in sorted(Path(f"/proc/{pid}/task").glob("*")):
        with contextlib.suppress(OSError):
            texts = [(task / name).read_text().strip() for name in ("comm", "wchan", "syscall")]
            print(f"        thread {task.name} {' '.join(texts)}", flush=True)


def patience(seconds: float) -> float:
    """Return after how many seconds a case is taken to hang."""
    return PATIENCE_S * max(1, seconds) + SESSION_PATIENCE_S * int(os.environ.get(SESSIONS, "0"))


def run_case(patient: Patient, case: str, seed: int, seconds: float, *, recorded: bool) -> Outcome:
    """Run a case once."""
    trace = patient.place / "trace.gilscope"
    arguments = [case, str(seed), str(seconds), str(trace) if recorded else "-"]
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHON_GIL"}
    texts = [patient.place / name for name in ("out", "err")]
    with texts[0].open("wb") as out, texts[1].open("wb") as err:
        process = subprocess.Popen(
            [*patient.python, str(CASES / cases()[case]), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=patient.place,
            env={**inherited, **patient.environment, "HOSTILE_RUN": "" if recorded else "plain-"},
            start_new_session=True,
        )
        status = ended(process, patience(seconds))
    for path in patient.place.glob("trace.gilscope*"):
        path.unlink()
    out_text, err_text = (path.read_text(encoding="utf-8", errors="replace") for path in texts)
    return Outcome(status, out_text, re.sub(r"0x[0-9a-fA-F]+|\d+", "#", err_text))


def compare(patient: Patient, case: str, seed: int, seconds: float) -> str | None:
    """Run a case both ways; None if they are the same, else what differed."""
    endings = patient.endings[case]
    endings.add(run_case(patient, case, seed, seconds, recorded=False))
    recorded = run_case(patient, case, seed, seconds, recorded=True)
    for _ in range(PLAIN_RUNS):
        if recorded in endings:
            return None
        endings.add(run_case(patient, case, seed, seconds, recorded=False))
    if recorded in endings:
        return None
    plain = "\n    or ".join(str(ending) for ending in endings)
    return f"    without the probe: {plain}\n    with the probe: {recorded}"


@dataclass
class Tally:
    """How much was run, and what was found."""

    rounds: int = 0
    cases: int = 0
    found: int = 0

    def line(self) -> str:
        """The closing line."""
        verdict = f"{self.found} differed" if self.found else "nothing found"
        return f"{self.rounds} rounds, {self.cases} cases, {verdict}"


def one_round(
    patients: list[Patient], names: list[str], seed: int, seconds: float, tally: Tally
) -> None:
    """Run each case once under each interpreter."""
    for patient in patients:
        for case in names:
            begin = time.monotonic()
            found = compare(patient, case, seed, seconds)
            tally.cases += 1
            if found is not None:
                tally.found += 1
                print(f"DIFFERENT: {patient.build} {case}, after {time.monotonic() - begin:.0f} s")
                print(found)
                print(
                    f"    again: tools/hostile.py --build {patient.build} --seed {seed}"
                    f" --seconds {seconds} --rounds 20 {case}",
                    flush=True,
                )
    tally.rounds += 1


def run_rounds(patients: list[Patient], chosen: argparse.Namespace, names: list[str]) -> Tally:
    """Run rounds until their number or their time is over."""
    tally = Tally()
    ends = time.monotonic() + (chosen.minutes or 0) * 60
    told = time.monotonic()
    while tally.rounds < chosen.rounds if chosen.minutes is None else time.monotonic() < ends:
        one_round(patients, names, chosen.seed + tally.rounds, chosen.seconds, tally)
        if time.monotonic() - told > 60:  # noqa: PLR2004 (a line a minute)
            told = time.monotonic()
            print(f"{tally.line()} so far", flush=True)
    return tally


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--build", action="append", choices=VARIABLES, help="this build only")
    parser.add_argument("--minutes", type=float, help="go on for so long")
    parser.add_argument("--rounds", type=int, default=1, help="how often, without --minutes")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311
    parser.add_argument("--seconds", type=float, default=0.5, help="of each run of a case")
    parser.add_argument("--sessions", type=int, default=100, help="of the case many_sessions")
    parser.add_argument("--without", action="append", default=[], metavar="CASE", help="not this")
    parser.add_argument("case", nargs="*", help=", ".join(cases()))
    chosen = parser.parse_args()
    unknown = {*chosen.case, *chosen.without} - cases().keys()
    if unknown:
        parser.error(f"no case {', '.join(sorted(unknown))}")
    chosen.case = [name for name in chosen.case or cases() if name not in chosen.without]
    return chosen


def main() -> int:
    """Run from the command line."""
    chosen = parse()
    os.environ[SESSIONS] = str(chosen.sessions)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print(f"seed {chosen.seed}", flush=True)
    with contextlib.ExitStack() as stack:
        patients = []
        for build in chosen.build or VARIABLES:
            python = os.environ.get(VARIABLES[build])
            if python:
                patients.append(stack.enter_context(prepared(build, [python])))
            else:
                print(f"hostile: {VARIABLES[build]} names no interpreter", file=sys.stderr)
        if not patients:
            return EXIT_NOTHING
        tally = run_rounds(patients, chosen, chosen.case)
    print(tally.line())
    return 1 if tally.found else 0


if __name__ == "__main__":
    sys.exit(main())
