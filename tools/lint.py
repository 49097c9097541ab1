"""Runs all checks that need no run of the program, or formats the sources.

    .venv/bin/python tools/lint.py [--fix | --quick]

The tools are those of the dependency group "lint", in the environment of the Python that runs this.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable

import page

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
BUILD = ROOT / "build" / "lint"
PYTHON_SOURCES = ("profiler", "tests", "tools", "examples", "docs/conf.py")
CXX_SUFFIXES = {".c", ".cpp", ".h", ".hpp"}
JOBS = 2
SECONDS = 900  # for one command


def run(*command: str | Path) -> str | None:
    """Run a command; its output when it fails, None when it succeeds."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=ROOT,
            # The sources as they are here, not as they were when they were last installed.
            env={**os.environ, "PYTHONPATH": str(ROOT / "profiler")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except FileNotFoundError:
        return f"{words[0]} is not there: run `python3 tools/environment.py lint`"
    except subprocess.TimeoutExpired:
        return f"{words[0]}: not done after {SECONDS} s"
    return None if done.returncode == 0 else done.stdout or f"{words[0]} failed without a word"


def cxx_files(*folders: str) -> list[Path]:
    """All C and C++ sources in these folders, in the order of their names."""
    files = (path for folder in folders for path in (ROOT / folder).rglob("*"))
    return sorted(path for path in files if path.suffix in CXX_SUFFIXES and path.is_file())


def ruff_check() -> str | None:
    """Check the Python sources, without a cache.

    It knows a file by its content, not by what else is there to import, and so passed files
    that a fresh clone fails.
    """
    return run(BIN / "ruff", "check", "--no-cache", *PYTHON_SOURCES)


def ruff_format() -> str | None:
    """Check the format of the Python sources."""
    return run(BIN / "ruff", "format", "--check", *PYTHON_SOURCES)


def mypy() -> str | None:
    """Check the types of the package."""
    return run(BIN / "mypy")


def import_layers() -> str | None:
    """Check that imports go in one direction."""
    return run(BIN / "lint-imports")


def clang_format() -> str | None:
    """Check the format of the C and C++ sources."""
    files = cxx_files("native_probe", "examples")
    found = run(BIN / "clang-format", "--dry-run", "-Werror", *files)
    if found is None:
        return None
    # One line a file, not one a line of it.
    unformatted = sorted(set(re.findall(r"^(/[^:\n]+):\d+:\d+: error", found, re.MULTILINE)))
    return "\n".join(f"not formatted: {Path(p).relative_to(ROOT)}" for p in unformatted) or found


def configure() -> str | None:
    """Make the compilation database, with the parts that need Python's headers."""
    pybind11 = subprocess.run(
        [sys.executable, "-m", "pybind11", "--cmakedir"],
        capture_output=True,
        text=True,
        check=False,
    )
    if pybind11.returncode != 0:
        return "pybind11 is not there: run `python3 tools/environment.py lint`"
    cache = BUILD / "CMakeCache.txt"
    if not (BUILD / "build.ninja").exists():
        cache.unlink(missing_ok=True)
    return run(
        BIN / "cmake", "-S", ROOT, "-B", BUILD, "-G", "Ninja",
        f"-DCMAKE_MAKE_PROGRAM={BIN / 'ninja'}", f"-DPython_EXECUTABLE={sys.executable}",
        f"-Dpybind11_DIR={pybind11.stdout.strip()}", "-DSKBUILD=ON", "-DGILSCOPE_CORE_TESTS=ON",
        "-DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON",
    )  # fmt: skip


def digest(*files: Path) -> str:
    """Hash the contents of files."""
    total = hashlib.sha256()
    for file in files:
        total.update(file.read_bytes())
    return total.hexdigest()


class Tidy:
    """Runs clang-tidy on what has changed since it last found nothing."""

    def __init__(self) -> None:
        """Read what is to be checked, and what was found clean before."""
        self.stamp = BUILD / "tidy.json"
        commands = json.loads((BUILD / "compile_commands.json").read_text(encoding="utf-8"))
        self.files = {}
        common = self.common()
        for entry in commands:
            path = Path(entry["file"])
            self.files[str(path)] = common + digest(path) + entry["command"]
        try:
            self.clean = json.loads(self.stamp.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self.clean = {}

    @staticmethod
    def common() -> str:
        """Hash what every file's result depends on: settings, all headers and the tool."""
        headers = [path for path in cxx_files("native_probe") if path.suffix in {".h", ".hpp"}]
        settings = [ROOT / ".clang-tidy", ROOT / "native_probe" / "tests" / ".clang-tidy"]
        version = run(BIN / "clang-tidy", "--version") or ""
        tool = BIN / "clang-tidy"
        return version + digest(*settings, *headers) + str(tool.stat().st_mtime_ns)

    def check(self, name: str) -> str | None:
        """Check one file unless nothing has changed."""
        if self.clean.get(name) == self.files[name]:
            return None
        # Compilers' warnings are compilers' business; gcc's options are not all known here.
        found = run(
            BIN / "clang-tidy", "-p", BUILD, "--quiet", "--extra-arg=-Wno-everything",
            "--extra-arg=-Qunused-arguments", name,
        )  # fmt: skip
        if found is None:
            self.clean[name] = self.files[name]
        return found

    def check_all(self) -> str | None:
        """Check all files, some at a time."""
        with ThreadPoolExecutor(JOBS) as pool:
            found = [text for text in pool.map(self.check, sorted(self.files)) if text]
        self.stamp.write_text(json.dumps(self.clean, indent=1), encoding="utf-8")
        return "\n".join(found) or None


def clang_tidy() -> str | None:
    """Check the C and C++ sources of the probe."""
    return configure() or Tidy().check_all()


CHECKS: dict[str, Callable[[], str | None]] = {
    "ruff check": ruff_check,
    "ruff format": ruff_format,
    "mypy": mypy,
    "import-linter": import_layers,
    **page.CHECKS,
    "clang-format": clang_format,
    "clang-tidy": clang_tidy,
}
SLOW = ("clang-tidy",)  # minutes


def check_all(*, quick: bool) -> int:
    """Run every check, or those that are quick, also after one has failed; how many failed."""
    failed = 0
    for name, check in CHECKS.items():
        if quick and name in SLOW:
            continue
        begin = time.monotonic()
        found = check()
        if found is not None:
            failed += 1
            print(found.rstrip())
        word = "ok" if found is None else "FAILED"
        print(f"lint: {name:<14} {word:<6} {time.monotonic() - begin:6.1f} s", flush=True)
    return failed


def fix() -> int:
    """Format all sources and correct what can be corrected; the number of steps that failed."""
    steps = (
        [BIN / "ruff", "format", *PYTHON_SOURCES],
        [BIN / "ruff", "check", "--no-cache", "--fix", *PYTHON_SOURCES],
        [BIN / "ruff", "format", *PYTHON_SOURCES],
        [BIN / "clang-format", "-i", *cxx_files("native_probe", "examples")],
    )
    failed = 0
    for step in steps:
        found = run(*step)
        if found is not None:
            failed += 1
            print(found.rstrip())
    return failed


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fix", action="store_true", help="format, and correct what can be")
    parser.add_argument("--quick", action="store_true", help="without clang-tidy")
    chosen = parser.parse_args()
    return 1 if (fix() if chosen.fix else check_all(quick=chosen.quick)) else 0


if __name__ == "__main__":
    sys.exit(main())
