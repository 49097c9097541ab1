"""Runs CPython's own tests of threads, locks and processes without the probe and with it.

    .venv/bin/python tools/cpython_tests.py [--build gil|ft] [test_threading ...]

Takes the interpreters that GILSCOPE_PYTHON and GILSCOPE_FT_PYTHON name, which must have gilscope
and the standard library's tests. Each test must end as it ends without the probe, whatever that is.
Where it does not, the module runs again without the probe: a test that ends now so, now so there is
unsteady by itself, and is named as such. What the tests print, and the traces, are kept in
out/cpython-tests/. Exit status: 0, 1 if a test ended otherwise or the probe recorded nothing, 2 if
nothing could be run.
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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "out" / "cpython-tests"
PROGRAM = ROOT / "tests" / "targets" / "cpython_tests.py"
VARIABLES = {"gil": "GILSCOPE_PYTHON", "ft": "GILSCOPE_FT_PYTHON"}
MODULES = (
    "test_threading",
    "test_thread",
    "test_queue",
    "test_concurrent_futures",
    "test_threadsignals",
    "test_fork1",
    "test_free_threading",
    "test_asyncio",
    "test_multiprocessing_fork",
    "test_multiprocessing_forkserver",
    "test_multiprocessing_spawn",
    "test_subprocess",
    "test_signal",
    "test_socket",
    "test_ssl",
    "test_sqlite3",
    "test_ctypes",
    "test_capi",
    "test_interpreters",
    "test_gc",
    "test_weakref",
)
MOST_PLAIN_RUNS = 3
"""Of one module without the probe; more than one only to explain a difference."""
SECONDS = 1800  # for one module
EXIT_NOTHING = 2


@dataclass(frozen=True)
class Outcome:
    """One run of one module.

    Attributes:
        status: Exit status of the interpreter; negative: the signal that ended it.
        tests: How each test ended, by its name; more than once if it ran more than once.
        seconds: How long it took.
    """

    status: int
    tests: dict[str, tuple[str, ...]]
    seconds: float


@dataclass(frozen=True)
class Row:
    """What became of one module under one build.

    Attributes:
        build: "gil" or "ft".
        module: The test module.
        plains: The runs without the probe: one, or more to explain a difference.
        recorded: The run with it.
        trace: What the probe has to say of that run.
        ok: Whether it ended as one without the probe, and was recorded.
    """

    build: str
    module: str
    plains: tuple[Outcome, ...]
    recorded: Outcome
    trace: str
    ok: bool


def ended(case: ET.Element) -> str:
    """Tell how a test ended."""
    for name in ("error", "failure", "skipped"):
        if case.find(name) is not None:
            return name
    return "passed"


def read_report(path: Path) -> dict[str, tuple[str, ...]]:
    """Read how the tests ended; nothing, if the run did not live to write it."""
    found: dict[str, list[str]] = {}
    with contextlib.suppress(OSError, ET.ParseError):
        for case in ET.parse(path).iter("testcase"):  # noqa: S314 (our own interpreter's)
            found.setdefault(case.get("name", "?"), []).append(ended(case))
    return {name: tuple(sorted(endings)) for name, endings in found.items()}


def run_module(python: str, module: str, place: Path, trace: Path | None) -> Outcome:
    """Run one module in a process of its own, and all that it starts with it."""
    place.mkdir(parents=True)
    report = place / "report.xml"
    arguments = [str(trace or "-"), f"--junit-xml={report}", f"--tempdir={place}", "-v", module]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHON_GIL"}
    begin = time.monotonic()
    with (place / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            [python, str(PROGRAM), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        try:
            status = process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            status = -signal.SIGKILL
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return Outcome(status, read_report(report), time.monotonic() - begin)


def recorded_events(trace: Path) -> tuple[str, bool]:
    """Say what the probe recorded, and whether that is a whole trace with something in it."""
    import gilscope  # noqa: PLC0415 (what reads traces may be missing, which is then said)

    try:
        read = gilscope.open(trace)
    except gilscope.GilscopeError as error:
        return str(error), False
    n = len(read.intervals) + len(read.wakes)
    text = f"{n} events, {len(read.threads)} threads"
    text += f", {read.dropped_events} dropped" if read.dropped_events else ""
    whole = read.end_reason in {"exit", "stop", "max_bytes"}
    return text if whole else f"{text}, no end", whole and n > 0


def endings(outcomes: Sequence[Outcome], name: str) -> list[str]:
    """List the ways in which a test ended, each once; "not run" where it did not run."""
    found = ("/".join(one.tests[name]) if name in one.tests else "not run" for one in outcomes)
    return list(dict.fromkeys(found))


def differences(plains: Sequence[Outcome], recorded: Outcome) -> list[str]:
    """List the tests that ended with the probe as they never did without it, and how."""
    lines = []
    if any(one.tests for one in plains) and not recorded.tests:
        return ["with the probe the tests did not run to their end"]
    for name in all_tests(*plains, recorded):
        without, (with_it,) = endings(plains, name), endings([recorded], name)
        if with_it not in without:
            lines.append(f"{name}: {' or '.join(without)} without the probe, {with_it} with it")
    statuses = list(dict.fromkeys(one.status for one in plains))
    # Where a test is unsteady, no run without the probe need have had this very mixture; a signal
    # is no such mixture.
    explained = unsteady(plains) and not lines and recorded.status >= 0
    if recorded.status not in statuses and not explained:
        without = " or ".join(map(str, statuses))
        lines.append(f"exit status: {without} without the probe, {recorded.status} with it")
    return lines


def unsteady(plains: Sequence[Outcome]) -> list[str]:
    """List the tests that did not always end in the same way without the probe, and how."""
    ways = {name: endings(plains, name) for name in all_tests(*plains)}
    return [
        f"{name}: {' or '.join(ended)} without the probe"
        for name, ended in ways.items()
        if len(ended) > 1
    ]


def all_tests(*outcomes: Outcome) -> list[str]:
    """List the tests of these runs."""
    return sorted(set().union(*(one.tests for one in outcomes)))


def compare(build: str, python: str, module: str) -> Row:
    """Run one module both ways, without the probe more than once if there is a difference."""
    place = OUT / build / module
    shutil.rmtree(place, ignore_errors=True)
    plains = [run_module(python, module, place / "plain", None)]
    trace = place / "trace.gilscope"
    recorded = run_module(python, module, place / "recorded", trace)
    while differences(plains, recorded) and len(plains) < MOST_PLAIN_RUNS:
        again = place / f"plain-{len(plains) + 1}"
        plains.append(run_module(python, module, again, None))
    text, whole = recorded_events(trace)
    found = differences(plains, recorded)
    # A module that is not for this build is skipped as a whole, which is a success without tests.
    ran = bool(plains[0].tests) or plains[0].status == 0
    row = Row(build, module, tuple(plains), recorded, text, ok=whole and ran and not found)
    print(line(row), flush=True)
    for difference in found:
        print(f"    {difference}", flush=True)
    if len(plains) > 1:
        print(f"    ran {len(plains)} times without the probe", flush=True)
        for way in unsteady(plains):
            print(f"    unsteady: {way}", flush=True)
    return row


def line(row: Row) -> str:
    """One line of the table."""
    plain = row.plains[0]
    count = Counter(ending for ways in plain.tests.values() for ending in ways)
    ways = ", ".join(f"{n} {ending}" for ending, n in sorted(count.items())) or "none to run"
    seconds = f"{plain.seconds:.0f} s / {row.recorded.seconds:.0f} s"
    verdict = "same" if row.ok else "DIFFERENT"
    return f"{row.build:<3} {row.module:<31} {verdict:<9} {ways}; {seconds}; {row.trace}"


def can_run(build: str, python: str | None) -> bool:
    """Tell whether an interpreter has what is needed, and say what it lacks."""
    if not python:
        print(f"cpython tests: {VARIABLES[build]} names no interpreter", file=sys.stderr)
        return False
    command = [python, "-c", "import test.libregrtest.main, test.test_threading, gilscope._probe"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or ["it does not run"]
        print(f"cpython tests: {python}: {reason[0]}", file=sys.stderr)
    return done.returncode == 0


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", action="append", choices=VARIABLES, help="this build only")
    parser.add_argument("module", nargs="*", default=MODULES, help="test modules")
    chosen = parser.parse_args()
    # Whoever ends this program ends the tests that it has started, too.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))
    rows = []
    skipped = 0
    for build in chosen.build or VARIABLES:
        python = os.environ.get(VARIABLES[build])
        if can_run(build, python):
            rows += [compare(build, str(python), module) for module in chosen.module]
        else:
            skipped += 1
    if not rows:
        return EXIT_NOTHING
    same = sum(row.ok for row in rows)
    print(f"{same} of {len(rows)} the same with the probe as without it")
    return 0 if same == len(rows) and not skipped else 1


if __name__ == "__main__":
    sys.exit(main())
