"""Holds a command of gilscope against programs whose faults are known: precision and recall.

The first line of each program says what the command has to report: `# expect: WORDS`, or
`# expect: nothing`. The tool of the command (tools/races.py, tools/lock_order.py) gives the words
their meaning.
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
from typing import Any, Callable

ROOT = Path(__file__).resolve().parent.parent
VARIABLES = {"gil": "GILSCOPE_PYTHON", "ft": "GILSCOPE_FT_PYTHON"}
COMPILERS = {".c": ("CC", "gcc"), ".cpp": ("CXX", "g++ -std=c++17")}
SECONDS = 120  # for one program
EXIT_NOTHING = 2

Row = dict[str, Any]


@dataclass(frozen=True)
class Program:
    """A program and what is known of it.

    Attributes:
        path: The script.
        expected: The words after `# expect:`; empty: it has no fault.
    """

    path: Path
    expected: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> Program:
        """Read a program's first line."""
        line = path.read_text(encoding="utf-8").partition("\n")[0]
        mark, _, words = line.partition("# expect: ")
        if mark or not words:
            raise SystemExit(f"{path}: the first line must be `# expect: WORDS`")
        return cls(path, () if words == "nothing" else tuple(words.split()))


@dataclass(frozen=True)
class Trial:
    """A command, and the programs that it is held against.

    Attributes:
        command: Of gilscope.
        reports: Key of the command's JSON object: the list of what it found.
        programs: Folder of the programs.
        extension: Source of the extension module that they import, in that folder.
        fault: Key of a row: whether the program has a fault.
        faulty: The summary's words for programs with one.
        judge: Makes a row of a program, a build and the reports; the rest of the row is added.
        accusation: The summary's words for what a clean program was accused of.
        ends_well: Whether a program that does not exit with 0 counts as failed.
    """

    command: str
    reports: str
    programs: Path
    extension: str
    fault: str
    faulty: str
    judge: Callable[[Program, str, list[Row]], Row]
    accusation: Callable[[Row], str]
    ends_well: bool

    def build_extension(self, python: str, folder: Path) -> None:
        """Compile the programs' extension for one interpreter into ``folder``."""
        question = (
            "import sysconfig; print(sysconfig.get_path('include')); "
            "print(sysconfig.get_config_var('EXT_SUFFIX'))"
        )
        answer = subprocess.run(
            [python, "-c", question], capture_output=True, text=True, check=True
        )
        include, suffix = answer.stdout.split()
        source = self.programs / self.extension
        variable, default = COMPILERS[source.suffix]
        compiler = shlex.split(os.environ.get(variable, "")) or shlex.split(default)
        flags = ("-O1", "-g", "-shared", "-fPIC", "-pthread", f"-I{include}")
        target = folder / f"{source.stem}{suffix}"
        subprocess.run([*compiler, *flags, str(source), "-o", str(target)], check=True)

    def find(self, python: str, program: Program, modules: str) -> tuple[list[Row], str]:
        """Run one program; return the reports, and what went wrong, if anything did."""
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "found.json"
            words = [python, "-m", "gilscope", self.command, "--json", "-o", str(out)]
            try:
                done = subprocess.run(
                    [*words, str(program.path)],
                    capture_output=True,
                    text=True,
                    timeout=SECONDS,
                    check=False,
                    cwd=folder,
                    env={**os.environ, "PYTHONPATH": modules},
                )
            except subprocess.TimeoutExpired:
                return [], f"did not end within {SECONDS} s"
            ended = f"exit status {done.returncode}: {done.stderr.strip()[-300:]}"
            try:
                found = json.loads(out.read_text(encoding="utf-8"))[self.reports]
            except (OSError, ValueError, KeyError):
                return [], ended
            return found, ended if self.ends_well and done.returncode else ""

    def examine(self, build: str, python: str, programs: list[Program]) -> list[Row]:
        """Run all programs under one build and return their rows."""
        rows = []
        with tempfile.TemporaryDirectory() as folder:
            self.build_extension(python, Path(folder))
            for program in programs:
                print(f"\r{build} {program.path.stem:40}", end="", file=sys.stderr, flush=True)
                reports, failure = self.find(python, program, folder)
                rows.append(
                    {
                        "program": program.path.stem,
                        "build": build,
                        self.fault: bool(program.expected),
                        **self.judge(program, build, reports),
                        "failure": failure,
                    }
                )
        print(file=sys.stderr)
        return rows

    def summary(self, rows: list[Row], build: str) -> str:
        """Return precision and recall of one build, and what was wrong."""
        mine = [row for row in rows if row["build"] == build]
        faulty = [row for row in mine if row[self.fault]]
        found = [row for row in faulty if row["found"]]
        accused = [row for row in mine if not row[self.fault] and row["found"]]
        said = len(found) + len(accused)
        precision = len(found) / said if said else 1.0
        recall = len(found) / len(faulty) if faulty else 1.0
        counts = f"{len(faulty)} {self.faulty}, {len(mine) - len(faulty)} clean"
        lines = [f"{build}: {counts}: precision {precision:.3f}, recall {recall:.3f}"]
        lines += [f"  missed: {row['program']}" for row in faulty if not row["found"]]
        lines += [f"  accused: {row['program']}: {self.accusation(row)}" for row in accused]
        lines += [f"  failed: {row['program']}: {row['failure']}" for row in mine if row["failure"]]
        return "\n".join(lines)

    def main(self, description: str) -> int:
        """Run from the command line; ``description`` is the tool's docstring."""
        parser = argparse.ArgumentParser(description=description.splitlines()[0])
        parser.add_argument("--build", choices=sorted(VARIABLES), action="append")
        parser.add_argument("names", nargs="*", metavar="NAME", help="part of a program's name")
        options = parser.parse_args()
        builds = options.build or list(VARIABLES)
        pythons = {build: os.environ.get(VARIABLES[build]) for build in builds}
        programs = [
            Program.read(path)
            for path in sorted(self.programs.glob("*.py"))
            if not options.names or any(name in path.stem for name in options.names)
        ]
        absent = [VARIABLES[build] for build, python in pythons.items() if not python]
        if absent or not programs:
            reason = f"set {', '.join(absent)}" if absent else "no such program"
            print(f"{self.command}: {reason}")
            return EXIT_NOTHING
        rows = []
        for build in builds:
            rows += self.examine(build, str(pythons[build]), programs)
            print(self.summary(rows, build), flush=True)
        out = ROOT / "out" / f"{self.command}.json"
        out.parent.mkdir(exist_ok=True)
        out.write_text(json.dumps(rows, indent=1), encoding="utf-8")
        wrong = [row for row in rows if row[self.fault] != row["found"] or row["failure"]]
        return 1 if wrong else 0
