"""Builds and runs the tests of the probe's core, once for each sanitizer.

    python3 tools/core_tests.py [part of a test's sentence]

Needs a C++ compiler, and CMake and Ninja on PATH or in .venv. Standard library only, any Python
from 3.9 on.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Name of the build to the compiler's name for what it looks for.
SANITIZERS = {"asan": "address,undefined", "tsan": "thread"}
BUILD_SECONDS = 900
RUN_SECONDS = 600
TOTALS = re.compile(r"^(\d+) passed, (\d+) failed$", re.MULTILINE)
# Enough for a readable report, and half the time to build of what -O2 -g takes.
FLAGS = "-O1 -g1"


class BuildError(Exception):
    """One line that says what is wrong and what to do."""


def say(text: str) -> None:
    """Show progress."""
    print(f"core tests: {text}", flush=True)


def tool(name: str) -> str:
    """Find a build tool: on PATH, else in the development environment."""
    found = shutil.which(name) or shutil.which(name, path=str(ROOT / ".venv" / "bin"))
    if found is None:
        raise BuildError(f"no {name}: run `python3 tools/environment.py test` first")
    return found


def run(command: list[str], seconds: int) -> subprocess.CompletedProcess[str]:
    """Run a command with a time limit; its output, errors included, is in ``stdout``."""
    try:
        return subprocess.run(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise BuildError(f"{Path(command[0]).name}: not done after {seconds} s") from late


def links(sanitizer: str) -> bool:
    """Whether the C++ compiler can make a program with this sanitizer."""
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        raise BuildError("no C++ compiler: install one (Debian: g++)")
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory, "empty.cpp")
        source.write_text("int main() { return 0; }\n", encoding="utf-8")
        program = str(source.with_suffix(""))
        command = [*compiler.split(), f"-fsanitize={sanitizer}", str(source), "-o", program]
        return run(command, 60).returncode == 0


def build(name: str, sanitizer: str) -> Path:
    """Bring one build up to date and return its test program."""
    directory = ROOT / "build" / f"core-{name}"
    configure = [
        tool("cmake"), "-S", str(ROOT), "-B", str(directory), "-G", "Ninja",
        f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}", "-DCMAKE_BUILD_TYPE=Debug",
        f"-DCMAKE_CXX_FLAGS_DEBUG={FLAGS}", f"-DCMAKE_C_FLAGS_DEBUG={FLAGS}",
        "-DGILSCOPE_CORE_TESTS=ON", "-DGILSCOPE_WARNINGS_AS_ERRORS=ON",
        f"-DGILSCOPE_SANITIZER={sanitizer}",
    ]  # fmt: skip
    cache = directory / "CMakeCache.txt"
    if not (directory / "build.ninja").exists():
        # What an interrupted configuration leaves, or one of a CMake that is gone.
        cache.unlink(missing_ok=True)
    for command in (configure, [tool("cmake"), "--build", str(directory), "-j", "2"]):
        done = run(command, BUILD_SECONDS)
        if done.returncode != 0:
            print(done.stdout[-8000:], file=sys.stderr)
            raise BuildError(f"core-{name}: the build failed (the output above says why)")
    return directory / "native_probe" / "tests" / "core_tests"


def starts(command: list[str]) -> bool:
    """Whether the program runs at all; it has no test of this name."""
    return TOTALS.search(run([*command, "no such test"], 60).stdout) is not None


def without_randomization(program: Path) -> list[str]:
    """Command that runs the program; where it must be so, with addresses that are not random.

    Some kernels put memory where the thread sanitizer expects none.
    """
    setarch = shutil.which("setarch")
    plain = [str(program)]
    fixed = [setarch or "setarch", platform.machine(), "-R", str(program)]
    if not starts(plain) and setarch is not None and starts(fixed):
        return fixed
    return plain


def run_tests(name: str, program: Path, sentence: list[str]) -> tuple[int, int]:
    """Run one build's tests; the numbers of those that passed and failed."""
    begin = time.monotonic()
    done = run([*without_randomization(program), *sentence], RUN_SECONDS)
    totals = TOTALS.search(done.stdout)
    if totals is None:
        print(done.stdout[-8000:], file=sys.stderr)
        raise BuildError(f"core-{name}: the tests did not run to their end")
    passed, failed = int(totals[1]), int(totals[2])
    if failed:
        lines = (line for line in done.stdout.splitlines() if not line.startswith("ok "))
        print("\n".join(lines), file=sys.stderr)
    seconds = time.monotonic() - begin
    say(f"{name}: {passed} passed, {failed} failed in {seconds:.0f} s")
    return passed, failed


def run_all(sentence: list[str]) -> int:
    """Build and run everything that this compiler can; the number of tests that failed."""
    total_passed = total_failed = 0
    for name, sanitizer in SANITIZERS.items():
        if not links(sanitizer):
            say(f"{name}: skipped, the compiler cannot link -fsanitize={sanitizer}")
            continue
        passed, failed = run_tests(name, build(name, sanitizer), sentence)
        total_passed += passed
        total_failed += failed
    print(f"{total_passed} passed, {total_failed} failed", flush=True)
    return total_failed if total_passed or total_failed else 1


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sentence", nargs="?", help="only tests with this in their sentence")
    chosen = parser.parse_args().sentence
    try:
        return 1 if run_all([chosen] if chosen else []) else 0
    except BuildError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
