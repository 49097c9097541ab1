"""Runs the tests of other projects twice, without the probe and with it, and compares.

    .venv/bin/python tools/peers.py [--build gil|ft] [--only test_gil_scoped] [pybind11 ...]

The sources are the developer's own checkouts: GILSCOPE_PYBIND11, GILSCOPE_NANOBIND and
GILSCOPE_GREENLET name their folders; without its variable, a project is left out. Each test must
end as it ends without the probe, whatever that is. What the tests print, and the traces, are kept
in out/peers/. Exit status: 0, 1 if a test ended otherwise, 2 if nothing could be run.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import cpython_tests
from cpython_tests import Outcome

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "out" / "peers"
BUILD = ROOT / "build" / "peers"
PROGRAM = ROOT / "tests" / "targets" / "peer_tests.py"
VARIABLES = {"gil": "GILSCOPE_PYTHON", "ft": "GILSCOPE_FT_PYTHON"}
BUILD_SECONDS = 3600
RUN_SECONDS = 1800
PLAIN_RUNS = 3  # how often the tests may run without the probe to show that one can end so, too
EXIT_NOTHING = 2
# The interpreter's own, not what the project's authors measured with.
CMAKE_FLAGS = ["-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS_RELEASE=-O1"]


class PeerError(Exception):
    """One line that says why a project's tests cannot be run."""


@dataclass(frozen=True)
class Suite:
    """A project's tests, built for one interpreter.

    Attributes:
        folders: What is put on the interpreter's path.
        tests: Where its test files are.
        left_out: Tests that cannot be compared, each with its reason.
    """

    folders: list[Path]
    tests: Path
    left_out: dict[str, str] = field(default_factory=dict)


def say(text: str) -> None:
    """Show progress."""
    print(f"peers: {text}", flush=True)


def call(step: str, command: list[str], **environment: str) -> None:
    """Run a command of a build; when it fails, show what it printed."""
    say(step)
    try:
        done = subprocess.run(
            command, env={**os.environ, **environment}, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=BUILD_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerError(f"{step}: {error}") from error
    if done.returncode != 0:
        print(done.stdout[-6000:], file=sys.stderr)
        raise PeerError(f"{step}: failed (the output above says why)")


def by_cmake(name: str, source: Path, python: str, place: Path, *options: str) -> None:
    """Configure and build a project's tests."""
    tools = ROOT / ".venv" / "bin"
    configure = [
        str(tools / "cmake"), "-S", str(source), "-B", str(place), "-G", "Ninja",
        f"-DCMAKE_MAKE_PROGRAM={tools / 'ninja'}", f"-DPython_EXECUTABLE={python}",
        *CMAKE_FLAGS, *options,
    ]  # fmt: skip
    call(f"{name}: configure", configure)
    call(f"{name}: build", [str(tools / "cmake"), "--build", str(place), "-j", "2"])


def pybind11(source: Path, python: str, place: Path, only: list[str]) -> Suite:
    """Build pybind11's tests, or those that are asked for."""
    options = ["-DPYBIND11_TEST=ON", "-DPYBIND11_FINDPYTHON=ON"]
    options.append(f"-DPYBIND11_TEST_OVERRIDE={';'.join(f'{name}.cpp' for name in only)}")
    by_cmake(place.name, source, python, place, *options)
    return Suite([place / "tests"], source / "tests")


def nanobind(source: Path, python: str, place: Path, _only: list[str]) -> Suite:
    """Build nanobind's tests, which are run where they are built."""
    by_cmake(place.name, source, python, place, "-DNB_TEST=ON")
    return Suite([place / "tests"], place / "tests")


def greenlet(source: Path, python: str, place: Path, _only: list[str]) -> Suite:
    """Install greenlet, whose tests are in the package."""
    shutil.rmtree(place, ignore_errors=True)
    command = [python, "-m", "pip", "--disable-pip-version-check", "-q", "install", "--target"]
    command += [str(place), "--no-deps", str(source), "objgraph", "psutil"]
    call(f"{place.name}: build", command)
    left_out = {"test_leaks": "counts what the whole process has allocated"}
    return Suite([place], place / "greenlet" / "tests", left_out)


PEERS: dict[str, tuple[str, Callable[[Path, str, Path, list[str]], Suite]]] = {
    "pybind11": ("GILSCOPE_PYBIND11", pybind11),
    "nanobind": ("GILSCOPE_NANOBIND", nanobind),
    "greenlet": ("GILSCOPE_GREENLET", greenlet),
}


def run_suite(
    suite: Suite, python: str, place: Path, trace: Path | None, only: list[str]
) -> Outcome:
    """Run all tests in one process, and end what it leaves behind."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    report = place / "report.xml"
    files = [str(suite.tests / f"{name}.py") for name in only] or [str(suite.tests)]
    left_out = [f"--ignore={suite.tests / name}.py" for name in suite.left_out]
    arguments = ["-p", "no:cacheprovider", "-p", "no:randomly", f"--junit-xml={report}", *left_out]
    path = os.pathsep.join(map(str, suite.folders))
    environment = {k: v for k, v in os.environ.items() if k != "PYTHON_GIL"}
    begin = time.monotonic()
    with (place / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            [python, str(PROGRAM), str(trace or "-"), *arguments, *files],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**environment, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            cwd=suite.folders[0],
            start_new_session=True,
        )
        try:
            status = process.wait(timeout=RUN_SECONDS)
        except subprocess.TimeoutExpired:
            status = -signal.SIGKILL
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return Outcome(status, cpython_tests.read_report(report), time.monotonic() - begin)


def compare(name: str, suite: Suite, python: str, only: list[str]) -> bool:
    """Run a suite both ways, and without the probe again where they differ; whether all is same."""
    place = OUT / name
    plains = [run_suite(suite, python, place / "plain", None, only)]
    trace = place / "trace.gilscope"
    recorded = run_suite(suite, python, place / "recorded", trace, only)
    while cpython_tests.differences(plains, recorded) and len(plains) < PLAIN_RUNS:
        plains.append(run_suite(suite, python, place / f"plain-{len(plains)}", None, only))
    found = cpython_tests.differences(plains, recorded)
    text, whole = cpython_tests.recorded_events(trace)
    plain = plains[0]
    count = Counter(ending for endings in plain.tests.values() for ending in endings)
    ways = ", ".join(f"{n} {ending}" for ending, n in sorted(count.items())) or "none"
    same = bool(plain.tests) and whole and not found
    seconds = f"{plain.seconds:.0f} s / {recorded.seconds:.0f} s"
    say(f"{name}: {'same' if same else 'DIFFERENT'}: {ways}; {seconds}; {text}")
    for line in found:
        print(f"    {line}", flush=True)
    return same


def one(peer: str, build: str, only: list[str]) -> bool | None:
    """Build and compare one project under one build; None if it was left out."""
    variable, make = PEERS[peer]
    source, python = os.environ.get(variable), os.environ.get(VARIABLES[build])
    if not source or not python:
        say(f"{peer}-{build}: left out: {variable if python else VARIABLES[build]} is not set")
        return None
    place = BUILD / f"{peer}-{build}"
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        return compare(place.name, make(Path(source), python, place, only), python, only)
    except PeerError as error:
        say(f"{peer}-{build}: left out: {error}")
        return None


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--build", action="append", choices=VARIABLES, help="this build only")
    parser.add_argument(
        "--only", action="append", default=[], help="only this file of tests: test_gil_scoped"
    )
    parser.add_argument("peer", nargs="*", help=", ".join(PEERS))
    chosen = parser.parse_args()
    unknown = set(chosen.peer) - set(PEERS)
    if unknown:
        parser.error(f"no peer {', '.join(sorted(unknown))}")
    # Whoever ends this program ends the tests that it has started, too.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))
    verdicts = [
        one(peer, build, chosen.only)
        for peer in chosen.peer or PEERS
        for build in chosen.build or VARIABLES
    ]
    ran = [verdict for verdict in verdicts if verdict is not None]
    if not ran:
        return EXIT_NOTHING
    say(f"{sum(ran)} of {len(ran)} the same with the probe as without it")
    return 0 if all(ran) else 1


if __name__ == "__main__":
    sys.exit(main())
