"""Runs CPython's own tests of threads twice, without the probe and with it, and compares.

    .venv/bin/python tools/cpython_tests.py [--build gil|ft] [test_threading ...]

Takes the interpreters that GILSCOPE_PYTHON and GILSCOPE_FT_PYTHON name, which must have gilscope
and the standard library's tests. Each test must end as it ends without the probe, whatever that is.
What the tests print, and the traces, are kept in out/cpython-tests/. Exit status: 0, 1 if a test
ended otherwise or the probe recorded nothing, 2 if nothing could be run.
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
from xml.etree import ElementTree as ET

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
)
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
        plain: The run without the probe.
        recorded: The run with it.
        trace: What the probe has to say of the second run.
        ok: Whether the two are equal and the second one was recorded.
    """

    build: str
    module: str
    plain: Outcome
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


def differences(plain: Outcome, recorded: Outcome) -> list[str]:
    """List the tests that ended otherwise with the probe, and how."""
    lines = []
    if plain.status != recorded.status:
        lines.append(f"exit status: {plain.status} without the probe, {recorded.status} with it")
    if plain.tests and not recorded.tests:
        return [*lines, "with the probe the tests did not run to their end"]
    for name in sorted(plain.tests.keys() | recorded.tests.keys()):
        without, with_it = plain.tests.get(name), recorded.tests.get(name)
        if without != with_it:
            texts = ["/".join(endings) if endings else "not run" for endings in (without, with_it)]
            lines.append(f"{name}: {texts[0]} without the probe, {texts[1]} with it")
    return lines


def compare(build: str, python: str, module: str) -> Row:
    """Run one module both ways."""
    place = OUT / build / module
    shutil.rmtree(place, ignore_errors=True)
    plain = run_module(python, module, place / "plain", None)
    trace = place / "trace.gilscope"
    recorded = run_module(python, module, place / "recorded", trace)
    text, whole = recorded_events(trace)
    found = differences(plain, recorded)
    # A module that is not for this build is skipped as a whole, which is a success without tests.
    ran = bool(plain.tests) or plain.status == 0
    row = Row(build, module, plain, recorded, text, ok=whole and ran and not found)
    print(line(row), flush=True)
    for difference in found:
        print(f"    {difference}", flush=True)
    return row


def line(row: Row) -> str:
    """One line of the table."""
    count = Counter(ending for endings in row.plain.tests.values() for ending in endings)
    ways = ", ".join(f"{n} {ending}" for ending, n in sorted(count.items())) or "none to run"
    seconds = f"{row.plain.seconds:.0f} s / {row.recorded.seconds:.0f} s"
    verdict = "same" if row.ok else "DIFFERENT"
    return f"{row.build:<3} {row.module:<24} {verdict:<9} {ways}; {seconds}; {row.trace}"


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
