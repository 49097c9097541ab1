"""Holds `gilscope lock-order` against programs whose hazards are known.

    .venv/bin/python tools/lock_order.py [--build gil|ft] [part of a program's name ...]

The programs are tests/cases/lock_order/*.py; in none of them does a deadlock strike. The first line
of each says what is to be found: `# expect: PART OF A LOCK'S NAME ...`, all of them in one cycle,
or `# expect: nothing`. Takes the interpreters that GILSCOPE_PYTHON and GILSCOPE_FT_PYTHON name.
Writes out/lock-order.json, a list of rows with `program`, `build`, `hazard`, `found`, `locks`,
`others` and `failure`; prints precision and recall of each build. Exit status: 0, 1 if a hazard was
missed or a clean program accused, 2 if nothing could be run.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "tests" / "cases" / "lock_order"
OUT = ROOT / "out" / "lock-order.json"
VARIABLES = {"gil": "GILSCOPE_PYTHON", "ft": "GILSCOPE_FT_PYTHON"}
SECONDS = 120  # for one program
EXIT_NOTHING = 2


@dataclass(frozen=True)
class Program:
    """A program and what is known of it.

    Attributes:
        path: The script.
        expected: Parts of the names of the locks in its cycle; empty: it has none.
    """

    path: Path
    expected: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> Program:
        """Read a program's first line."""
        line = path.read_text(encoding="utf-8").partition("\n")[0]
        mark, _, words = line.partition("# expect: ")
        if mark or not words:
            raise SystemExit(f"{path}: the first line must be `# expect: LOCK ...`")
        return cls(path, () if words == "nothing" else tuple(words.split()))


def build_extension(python: str, folder: Path) -> None:
    """Compile the programs' extension for one interpreter into ``folder``."""
    question = (
        "import sysconfig; print(sysconfig.get_path('include')); "
        "print(sysconfig.get_config_var('EXT_SUFFIX'))"
    )
    answer = subprocess.run([python, "-c", question], capture_output=True, text=True, check=True)
    include, suffix = answer.stdout.split()
    compiler = shlex.split(os.environ.get("CXX", "g++"))
    flags = ("-std=c++17", "-O1", "-g", "-shared", "-fPIC", "-pthread", f"-I{include}")
    source = PROGRAMS / "native" / "orderpool.cpp"
    command = [*compiler, *flags, str(source), "-o", str(folder / f"orderpool{suffix}")]
    subprocess.run(command, check=True)


def find(python: str, program: Program, modules: str) -> tuple[list[dict[str, Any]], str]:
    """Run one program; return its cycles, and what went wrong, if anything did."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "cycles.json"
        environment = {**os.environ, "PYTHONPATH": modules}
        command = [python, "-m", "gilscope", "lock-order", "--json", "-o", str(out)]
        try:
            done = subprocess.run(
                [*command, str(program.path)],
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
                cwd=folder,
                env=environment,
            )
        except subprocess.TimeoutExpired:
            return [], f"did not end within {SECONDS} s"
        failure = "" if done.returncode == 0 else f"status {done.returncode}: {done.stderr[-300:]}"
        try:
            return json.loads(out.read_text(encoding="utf-8"))["cycles"], failure
        except (OSError, ValueError, KeyError):
            return [], f"exit status {done.returncode}: {done.stderr.strip()[-300:]}"


def judge(
    program: Program, build: str, cycles: list[dict[str, Any]], failure: str
) -> dict[str, Any]:
    """Make the row of one program under one build."""
    # Where there is no GIL, a pause of all threads takes its place.
    words = {"GIL": "pause"} if build == "ft" else {}
    parts = [words.get(part, part) for part in program.expected if part != "the"]
    hits = [
        cycle
        for cycle in cycles
        if all(any(part in lock for lock in cycle["locks"]) for part in parts)
    ]
    shown = hits[0] if hits else cycles[0] if cycles else {}
    return {
        "program": program.path.stem,
        "build": build,
        "hazard": bool(program.expected),
        "found": bool(hits) if program.expected else bool(cycles),
        "locks": shown.get("locks", []),
        "others": [cycle["locks"] for cycle in cycles if cycle is not shown],
        "failure": failure,
    }


def summary(rows: list[dict[str, Any]], build: str) -> str:
    """Return precision and recall of one build, and what was wrong."""
    mine = [row for row in rows if row["build"] == build]
    hazards = [row for row in mine if row["hazard"]]
    found = [row for row in hazards if row["found"]]
    accused = [row for row in mine if not row["hazard"] and row["found"]]
    said = len(found) + len(accused)
    precision = len(found) / said if said else 1.0
    recall = len(found) / len(hazards) if hazards else 1.0
    programs = f"{len(hazards)} with a hazard, {len(mine) - len(hazards)} clean"
    lines = [f"{build}: {programs}: precision {precision:.3f}, recall {recall:.3f}"]
    lines += [f"  missed: {row['program']}" for row in hazards if not row["found"]]
    lines += [f"  accused: {row['program']}: {row['locks']}" for row in accused]
    lines += [f"  failed: {row['program']}: {row['failure']}" for row in mine if row["failure"]]
    return "\n".join(lines)


def examine(build: str, python: str, programs: list[Program]) -> list[dict[str, Any]]:
    """Run all programs under one build and return their rows."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        build_extension(python, Path(folder))
        for program in programs:
            print(f"\r{build} {program.path.stem:40}", end="", file=sys.stderr, flush=True)
            cycles, failure = find(python, program, folder)
            rows.append(judge(program, build, cycles, failure))
    print(file=sys.stderr)
    return rows


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", choices=sorted(VARIABLES), action="append")
    parser.add_argument("names", nargs="*", metavar="NAME", help="part of a program's name")
    options = parser.parse_args()
    builds = options.build or list(VARIABLES)
    pythons = {build: os.environ.get(VARIABLES[build]) for build in builds}
    programs = [
        Program.read(path)
        for path in sorted(PROGRAMS.glob("*.py"))
        if not options.names or any(name in path.stem for name in options.names)
    ]
    absent = [VARIABLES[build] for build, python in pythons.items() if not python]
    if absent or not programs:
        print(f"lock-order: set {', '.join(absent)}" if absent else "lock-order: no such program")
        return EXIT_NOTHING
    rows = []
    for build in builds:
        rows += examine(build, str(pythons[build]), programs)
        print(summary(rows, build), flush=True)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    wrong = [row for row in rows if row["hazard"] != row["found"] or row["failure"]]
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
