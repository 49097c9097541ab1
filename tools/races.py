"""Holds `gilscope races` against programs whose races are known: what is missed, who is accused.

    .venv/bin/python tools/races.py [--build gil|ft] [part of a program's name ...]

The programs are tests/cases/races/*.py. The first line of each says what is to be found: `# expect:
CLASS VARIABLE`, or `# expect: nothing`. Takes the interpreters that GILSCOPE_PYTHON and
GILSCOPE_FT_PYTHON name. Writes out/races.json, a list of rows with `program`, `build`, `racy`,
`found`, `class` and `grade`; prints precision and recall of each build. Exit status: 0, 1 if a race
was missed or a clean program accused, 2 if nothing could be run.
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
PROGRAMS = ROOT / "tests" / "cases" / "races"
OUT = ROOT / "out" / "races.json"
VARIABLES = {"gil": "GILSCOPE_PYTHON", "ft": "GILSCOPE_FT_PYTHON"}
SECONDS = 120  # for one program
EXIT_NOTHING = 2


@dataclass(frozen=True)
class Program:
    """A program and what is known of it.

    Attributes:
        path: The script.
        expected: The class of its race; empty: it has none.
        variable: What the name of the race's variable contains.
    """

    path: Path
    expected: str
    variable: str

    @classmethod
    def read(cls, path: Path) -> Program:
        """Read a program's first line."""
        words = path.read_text(encoding="utf-8").splitlines()[0].split()
        if words[:2] != ["#", "expect:"] or len(words) < 3:  # noqa: PLR2004 - as it is written
            raise SystemExit(f"{path}: the first line must be `# expect: CLASS VARIABLE`")
        expected = "" if words[2] == "nothing" else words[2]
        return cls(path, expected, " ".join(words[3:]))


def build_extension(python: str, folder: Path) -> None:
    """Compile the programs' extension for one interpreter into ``folder``."""
    question = (
        "import sysconfig; print(sysconfig.get_path('include')); "
        "print(sysconfig.get_config_var('EXT_SUFFIX'))"
    )
    answer = subprocess.run([python, "-c", question], capture_output=True, text=True, check=True)
    include, suffix = answer.stdout.split()
    compiler = shlex.split(os.environ.get("CC", "gcc"))
    flags = ("-O1", "-g", "-shared", "-fPIC", "-pthread", f"-I{include}")
    source = PROGRAMS / "native" / "racepool.c"
    command = [*compiler, *flags, str(source), "-o", str(folder / f"racepool{suffix}")]
    subprocess.run(command, check=True)


def find(python: str, program: Program, modules: str) -> tuple[list[dict[str, Any]], str]:
    """Run one program; return its races, and what went wrong, if anything did."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "races.json"
        environment = {**os.environ, "PYTHONPATH": modules}
        command = [python, "-m", "gilscope", "races", "--json", "-o", str(out), str(program.path)]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
                cwd=folder,
                env=environment,
            )
        except subprocess.TimeoutExpired:
            return [], f"did not end within {SECONDS} s"
        try:
            return json.loads(out.read_text(encoding="utf-8"))["races"], ""
        except (OSError, ValueError, KeyError):
            return [], f"exit status {done.returncode}: {done.stderr.strip()[-300:]}"


def judge(
    program: Program, build: str, races: list[dict[str, Any]], failure: str
) -> dict[str, Any]:
    """Make the row of one program under one build."""
    hits = [
        race
        for race in races
        if race["class"] == program.expected and program.variable in race["variable"]
    ]
    shown = hits[0] if hits else races[0] if races else {}
    return {
        "program": program.path.stem,
        "build": build,
        "racy": bool(program.expected),
        "found": bool(hits) if program.expected else bool(races),
        "class": shown.get("class", ""),
        "grade": shown.get("grade", ""),
        "others": sorted(
            {f"{race['class']} {race['variable']}" for race in races if race not in hits}
        ),
        "failure": failure,
    }


def summary(rows: list[dict[str, Any]], build: str) -> str:
    """Return precision and recall of one build, and what was wrong."""
    mine = [row for row in rows if row["build"] == build]
    racy = [row for row in mine if row["racy"]]
    found = [row for row in racy if row["found"]]
    accused = [row for row in mine if not row["racy"] and row["found"]]
    missed = [row["program"] for row in racy if not row["found"]]
    said = len(found) + len(accused)
    precision = len(found) / said if said else 1.0
    recall = len(found) / len(racy) if racy else 1.0
    programs = f"{len(racy)} racy, {len(mine) - len(racy)} clean"
    lines = [f"{build}: {programs}: precision {precision:.3f}, recall {recall:.3f}"]
    lines += [f"  missed: {name}" for name in missed]
    lines += [f"  accused: {row['program']}: {'; '.join(row['others'])}" for row in accused]
    lines += [f"  failed: {row['program']}: {row['failure']}" for row in mine if row["failure"]]
    return "\n".join(lines)


def examine(build: str, python: str, programs: list[Program]) -> list[dict[str, Any]]:
    """Run all programs under one build and return their rows."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        build_extension(python, Path(folder))
        for program in programs:
            print(f"\r{build} {program.path.stem:40}", end="", file=sys.stderr, flush=True)
            races, failure = find(python, program, folder)
            rows.append(judge(program, build, races, failure))
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
        print(f"races: set {', '.join(absent)}" if absent else "races: no such program")
        return EXIT_NOTHING
    rows = []
    for build in builds:
        rows += examine(build, str(pythons[build]), programs)
        print(summary(rows, build), flush=True)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    wrong = [row for row in rows if row["racy"] != row["found"] or row["failure"]]
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
