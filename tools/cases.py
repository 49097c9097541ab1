"""Compares gilscope's reports on programs from public bug reports with the known faults.

    .venv/bin/python tools/cases.py [--build gil|ft] [--program bad|good] [part of a name ...]

The programs are tests/cases/reports/*/case.py; reports.toml there says what the first line must be.
Takes the interpreters that GILSCOPE_PYTHON and GILSCOPE_FT_PYTHON name. Prints a line a run. When
all of them ran, writes out/cases.json, a list of rows with `case`, `build`, `program`, `command`,
`said`, `grade`, `report` and `failure`. Exit status: 0, 1 if a case that is not marked "not yet" is
not right or anything is said of a repaired program, 2 if nothing could be run.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CASES = ROOT / "tests" / "cases" / "reports"
BUILD = ROOT / "build" / "cases"
OUT = ROOT / "out" / "cases.json"
VARIABLES = {"gil": "GILSCOPE_PYTHON", "ft": "GILSCOPE_FT_PYTHON"}
PROGRAMS = ("bad", "good")
RUN_SECONDS = 20  # some of the programs hang for ever: that is their fault
RACES_SECONDS = 120
FINDINGS_SECONDS = 120
EXIT_NOTHING = 2
SAID_WIDTH = 110
RIGHT, WRONG, NOT_YET, EARLY = "right", "wrong", "not yet", "right, marked not yet"


@dataclass(frozen=True)
class Case:
    """A report, and what must be said of it; the fields are those of reports.toml."""

    name: str
    report: str
    command: str
    gil: str
    ft: str
    not_yet: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    good_gil: str = ""

    def expected(self, build: str, program: str) -> str:
        """Return what the first line must match, of a good one may; empty: nothing may be said."""
        if program == "good":
            return self.good_gil if build == "gil" else ""
        return str(getattr(self, build))


@dataclass(frozen=True)
class Row:
    """What was said of one program under one build, and the judgement of it."""

    case: str
    build: str
    program: str
    command: str
    said: str
    grade: str
    report: str
    failure: str


def read_cases(names: list[str]) -> list[Case]:
    """Read the table; of the cases those whose names contain one of ``names``, if there are any."""
    table = tomllib.loads((CASES / "reports.toml").read_text(encoding="utf-8"))
    cases = [Case(name, **entry) for name, entry in table.items()]
    return [one for one in cases if not names or any(name in one.name for name in names)]


def prepare(case: Case, build: str, python: str) -> Path:
    """Return a folder with the case's program and its extensions, compiled for the interpreter."""
    question = (
        "import sysconfig; print(sysconfig.get_path('include')); "
        "print(sysconfig.get_config_var('EXT_SUFFIX'))"
    )
    answer = subprocess.run([python, "-c", question], capture_output=True, text=True, check=True)
    include, suffix = answer.stdout.split()
    folder = BUILD / build / case.name
    folder.mkdir(parents=True, exist_ok=True)
    for source in sorted((CASES / case.name).iterdir()):
        if not source.is_file():
            continue
        target = folder / source.name
        if not target.exists() or target.read_bytes() != source.read_bytes():
            shutil.copy(source, target)
        module = folder / f"{source.stem}{suffix}"
        # How it is compiled stands in this file.
        latest = max(path.stat().st_mtime for path in (target, Path(__file__)))
        is_old = not module.exists() or module.stat().st_mtime < latest
        if source.suffix in {".c", ".cpp"} and is_old:
            compile_extension(target, module, include)
    return folder


def compile_extension(source: Path, module: Path, include: str) -> None:
    """Compile one extension as its author would, with debug information."""
    flags = ["-O1", "-g", "-shared", "-fPIC", "-pthread", "-fvisibility=hidden", "-DNDEBUG"]
    flags.append(f"-I{include}")
    compiler = shlex.split(os.environ.get("CC", "gcc"))
    if source.suffix == ".cpp":
        compiler = [*shlex.split(os.environ.get("CXX", "g++")), "-std=c++17"]
        question = [sys.executable, "-c", "import pybind11; print(pybind11.get_include())"]
        answer = subprocess.run(question, capture_output=True, text=True, check=True)
        flags.append(f"-I{answer.stdout.strip()}")
    # What else a source needs stands in its first line: // cflags: -fopenmp
    first = source.read_text(encoding="utf-8").partition("\n")[0]
    flags += first.removeprefix("// cflags:").split() if first.startswith("// cflags:") else []
    subprocess.run([*compiler, *flags, str(source), "-o", str(module)], check=True)


@dataclass
class Answer:
    """What a command printed, and whether it ended by itself."""

    out: str
    err: str
    status: int | None


def run(command: list[str], folder: Path, seconds: int) -> Answer:
    """Run a command; after its time it is killed, with all that it has started."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        return Answer(out, err, None)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return Answer(out, err, process.returncode)


def first_line(case: Case, python: str, folder: Path, program: str) -> tuple[str, str]:
    """Return the first line of the report on a program, and what went wrong, if anything did."""
    with tempfile.TemporaryDirectory() as scratch:
        if case.command == "races":
            report = Path(scratch) / "races.txt"
            gilscope = [python, "-m", "gilscope", "races", *case.options, "-o", str(report)]
            answer = run([*gilscope, "case.py", program], folder, RACES_SECONDS)
            text = report.read_text(encoding="utf-8") if report.exists() else answer.err
            return first_race(text), failure(answer, RACES_SECONDS)
        trace = Path(scratch) / "case.gilscope"
        gilscope = [python, "-m", "gilscope", "run", *case.options, "-o", str(trace)]
        answer = run([*gilscope, "case.py", program], folder, RUN_SECONDS)
        said = first_deadlock(answer.err)
        if said:
            return said, failure(answer, RUN_SECONDS)
        traces = sorted(Path(scratch).glob("*.gilscope"))
        command = [sys.executable, "-m", "gilscope", "findings", "--json", *map(str, traces)]
        found = run(command, folder, FINDINGS_SECONDS)
        if found.status != 0:
            return "", f"no findings: {found.err.strip()[-300:]}"
        return first_finding(json.loads(found.out)), failure(answer, RUN_SECONDS)


def first_race(text: str) -> str:
    """Return the first race of a report, without its number of times."""
    return next((line.strip() for line in text.splitlines() if line.startswith("race: ")), "")


def first_deadlock(text: str) -> str:
    """Return the line in which `gilscope run` itself reports a deadlock or a hang."""
    lines = (line.removeprefix("gilscope: ").strip() for line in text.splitlines())
    return next((line for line in lines if line.startswith(("deadlock:", "hang:"))), "")


def first_finding(traces: list[dict[str, Any]]) -> str:
    """Return the title of the first finding in any of the traces."""
    found = [one for trace in traces for one in trace["findings"]]
    if not found:
        return ""
    return str(found[0]["title"]) + (" (suspected)" if found[0]["suspected"] else "")


def failure(answer: Answer, seconds: int) -> str:
    """Return how the program ended, if that was not well."""
    if answer.status is None:
        return f"did not end within {seconds} s"
    return f"exit status {answer.status}" if answer.status else ""


def judge(case: Case, build: str, program: str, said: str) -> str:
    """Return the grade of what was said."""
    expected = case.expected(build, program)
    right = bool(re.search(expected, said)) if expected else not said
    if program == "good":
        right = right or not said
    if program == "bad" and build in case.not_yet:
        return EARLY if right else NOT_YET
    return RIGHT if right else WRONG


def examine(case: Case, build: str, python: str, program: str) -> Row:
    """Run one program under one build, print what was said, and return its row."""
    folder = prepare(case, build, python)
    said, failed = first_line(case, python, folder, program)
    grade = judge(case, build, program, said)
    shown = said[:SAID_WIDTH] if said else "-"
    print(f"{grade:<8} {case.name:<32} {build:<4} {program:<5} {shown}", flush=True)
    return Row(case.name, build, program, case.command, said, grade, case.report, failed)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", choices=sorted(VARIABLES), action="append")
    parser.add_argument("--program", choices=PROGRAMS, action="append")
    parser.add_argument("names", nargs="*", metavar="NAME", help="part of a case's name")
    options = parser.parse_args()
    pythons = {build: os.environ.get(VARIABLES[build]) for build in options.build or VARIABLES}
    cases = read_cases(options.names)
    absent = [VARIABLES[build] for build, python in pythons.items() if not python]
    if absent or not cases:
        print(f"cases: set {', '.join(absent)}" if absent else "cases: no such case")
        return EXIT_NOTHING
    rows = [
        examine(case, build, str(python), program)
        for case in cases
        for build, python in pythons.items()
        for program in options.program or PROGRAMS
    ]
    if not options.names:
        OUT.parent.mkdir(exist_ok=True)
        OUT.write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")
    grades = [row.grade for row in rows]
    counts = ", ".join(
        f"{grades.count(g)} {g}" for g in (RIGHT, WRONG, NOT_YET, EARLY) if g in grades
    )
    print(f"{len(rows)} runs: {counts}")
    return 1 if WRONG in grades else 0


if __name__ == "__main__":
    sys.exit(main())
