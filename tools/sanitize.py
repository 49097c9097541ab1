"""Runs the probe's tests and the hostile cases under sanitizers, the interpreter included.

    .venv/bin/python tools/sanitize.py [--build gil-asan ...] [--rounds N] [--tests-only]

hooks/, cpython/ and bindings/ run inside an interpreter, so the interpreter is built with the same
sanitizer (tools/sanitized_interpreters.py, once, into the cache). Clean is what has no report;
tools/sanitizers/ lists the reports that are left out, each with its reason. Reports are kept in
out/sanitize/. Exit status: 0, 1 if there are reports or a hostile case differed, 2 if nothing ran.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

import interpreters
import sanitized_interpreters

import hostile

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "out" / "sanitize"
LISTS = ROOT / "tools" / "sanitizers"
TESTS = (
    "gil", "locks", "spins", "threads", "callbacks", "native_locks", "stacks", "life", "lifecycle",
    "harmless",
)  # fmt: skip
# Under ThreadSanitizer a test takes three times as long, and the others say less of threads: what
# they start is mostly processes, which the runtime follows badly, or they read the stacks of one
# thread. With these, each build takes a quarter of an hour.
TESTS_OF_THREADS = ("gil", "locks", "spins", "threads", "callbacks", "lifecycle")
CHOSEN = {"asan": TESTS, "tsan": TESTS_OF_THREADS}
# What -fsanitize is given for the probe. The interpreter's own undefined behaviour is its own.
COMPILED = {"asan": "address,undefined", "tsan": "thread"}
VARIABLES = {"gil": "GILSCOPE_PYTHON", "ft": "GILSCOPE_FT_PYTHON"}
SECONDS = 1800
EXIT_NOTHING = 2
REPORT = re.compile(
    r"^(?:==\d+==ERROR|WARNING: ThreadSanitizer|.*: runtime error:).*", re.MULTILINE
)
# What the sanitizers' own runtimes do not survive. A copy of a process with threads may copy their
# locks as they are held at that moment, and a child that allocates waits for ever. AddressSanitizer
# takes no notice of frames that pthread_cancel leaves. Native threads that outlive the interpreter
# read what it has freed, with the probe and without it: each run of `finalization` has that report.
# ThreadSanitizer holds a signal back as long as a thread waits in the C library: nobody jumps, and
# the case waits for ever without the probe, too. What the runtimes remember of memory that was
# freed is memory of the process: it grows with each session.
COPIES = ("children", "forks")
LEFT_OUT = {
    "tsan": (*COPIES, "jumps_out_of_waits", "many_sessions"),
    "asan": (*COPIES, "cancelled_waits", "finalization", "many_sessions"),
}
# Tests that say nothing there, by a part of their names. The examples and the watches for races are
# not built for this interpreter. The runtimes have mappings of their own.
EVERYWHERE = (
    "examples", "watch",
    "two_thousand_sessions",
    # It reads the symbols of extension modules, of which only the probe is built for it.
    "what_another_thread_was_making",
    # At -O1 more calls are between the release and the evaluation loop than are looked at.
    "test_release_by_the_evaluation_loop", "test_thread_that_was_forced",
)  # fmt: skip
TESTS_LEFT_OUT = {
    "asan": (
        # At -O1 the interpreter yields in a function that does nothing else, so it is not known
        # which lock it is for: spins are not measured, which is said, and their hook is left out.
        "test_spin", "test_locks_taken_one_after_another", "test_stop_restores_every_word",
        "test_pages_keep_their_protection", "test_no_page_is_writable_and_executable",
        "test_hooks_are_those_that_are_installed", "test_self_test_passes",
        "test_not_measured_is_said",
        # As the hostile case `finalization`. drop_gil() reads the thread's state once more after it
        # has released the GIL, when Py_FinalizeEx() may have freed it: without the probe, too.
        "test_native_threads_at_the_end", "test_daemon_threads_at_the_end",
        # It is about memory that is used again, which the runtime puts off.
        "test_lock_at_the_address_of_another_one",
        # It preloads functions of the loader, which the runtime itself needs before they are ready.
        "test_no_function_of_the_loader_is_called",
    ),
    "tsan": (
        # Configured with this sanitizer, the interpreter does without sem_clockwait().
        "test_hooks_of_the_interpreter_can_all_be_installed",
        # The runtime has a thread of its own, so os.fork() warns.
        "test_program_with_one_thread_forks",
        # Thousands of threads: minutes, and longer than the tests wait on a busy machine.
        "test_ten_thousand_threads", "one_after_another",
    ),
}  # fmt: skip


class SanitizeError(Exception):
    """One line that says what is wrong and what to do."""


@dataclass(frozen=True)
class Sanitized:
    """An interpreter with the probe, both built with one sanitizer.

    Attributes:
        name: "gil-asan" and so on.
        python: A program that runs the interpreter with all options set.
        reports: Where the sanitizer writes.
    """

    name: str
    python: Path
    reports: Path

    @property
    def build(self) -> str:
        """Which of the two builds it is: "gil" or "ft"."""
        return self.name.partition("-")[0]

    @property
    def sanitizer(self) -> str:
        """Which of the two sanitizers it has: "asan" or "tsan"."""
        return self.name.partition("-")[2]


def say(text: str) -> None:
    """Show progress."""
    print(f"sanitize: {text}", flush=True)


def call(step: str, command: list[str], env: dict[str, str]) -> None:
    """Run a command of the build; when it fails, show what it printed."""
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        print((done.stdout + done.stderr)[-6000:], file=sys.stderr)
        raise SanitizeError(f"{step}: failed (the output above says why)")


def build_probe(name: str, executable: str, launcher: list[str]) -> Path:
    """Build the probe for an interpreter; the folder to import gilscope from."""
    sanitizer = sanitized_interpreters.sanitizer_of(name)
    place = ROOT / "build" / f"sanitize-{name}"
    env = sanitized_interpreters.OPTIONS
    tools = ROOT / ".venv" / "bin"
    pybind11 = subprocess.run(
        [str(tools / "python"), "-m", "pybind11", "--cmakedir"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    if not (place / "build.ninja").exists():
        (place / "CMakeCache.txt").unlink(missing_ok=True)
    flags = "-O1 -g1 -fno-omit-frame-pointer"
    configure = [
        *launcher, str(tools / "cmake"), "-S", str(ROOT), "-B", str(place), "-G", "Ninja",
        f"-DCMAKE_MAKE_PROGRAM={tools / 'ninja'}", "-DSKBUILD=ON", "-DCMAKE_BUILD_TYPE=Debug",
        f"-DCMAKE_CXX_FLAGS_DEBUG={flags}", f"-DCMAKE_C_FLAGS_DEBUG={flags}",
        f"-DPython_EXECUTABLE={executable}", f"-Dpybind11_DIR={pybind11.stdout.strip()}",
        f"-DGILSCOPE_SANITIZER={COMPILED[sanitizer]}",
    ]  # fmt: skip
    call(f"{name}: configure the probe", configure, env)
    build = [*launcher, str(tools / "cmake"), "--build", str(place), "-j", "2"]
    build += ["--target", "_probe"]
    call(f"{name}: build the probe", build, env)
    site = place / "site"
    shutil.rmtree(site, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__", "*.so")
    shutil.copytree(ROOT / "profiler" / "gilscope", site / "gilscope", ignore=ignored)
    (module,) = place.glob("_probe*.so")
    shutil.copy(module, site / "gilscope")
    return site


def library(name: str) -> str:
    """Return where the compiler has a shared library."""
    command = [*interpreters.compiler(), f"-print-file-name={name}"]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return str(Path(found.strip()).resolve())


def options_of(sanitizer: str, executable: str, reports: Path) -> dict[str, str]:
    """Return the variables that tell the runtime what to report, and where."""
    # What a hostile case does without the probe is the interpreter's own business.
    log = f"log_path={reports}/${{HOSTILE_RUN}}report"
    if sanitizer == "asan":
        # What the interpreter has not freed at its end is no leak of ours. Some programs have
        # signal stacks of their own.
        asan = "detect_leaks=0:allocator_may_return_null=1:use_sigaltstack=0:exitcode=66"
        # The runtime must meet the library that throws exceptions before anybody throws one.
        preloaded = " ".join(library(name) for name in ("libasan.so", "libstdc++.so"))
        return {
            "ASAN_OPTIONS": f"{asan}:{log}",
            "UBSAN_OPTIONS": f"print_stacktrace=1:{log}",
            "LD_PRELOAD": preloaded + "${LD_PRELOAD:+ $LD_PRELOAD}",
        }
    own = (LISTS / "tsan.txt").read_text(encoding="utf-8")
    suppressions = reports / "suppressions.txt"
    suppressions.write_text(own + sanitized_interpreters.suppressions(executable), encoding="utf-8")
    # Names of functions in modules that were loaded after the first report only addr2line finds.
    common = "exitcode=0:die_after_fork=0:report_signal_unsafe=0:history_size=4:allow_addr2line=1"
    # Not for a second: each process that ends waits for so long, and tests start several.
    common += ":atexit_sleep_ms=100"
    return {"TSAN_OPTIONS": f"{common}:suppressions={suppressions}:{log}"}


def make_ready(name: str, executable: str) -> Sanitized:
    """Build the probe for an interpreter, and write the program that runs both."""
    sanitizer = sanitized_interpreters.sanitizer_of(name)
    launcher = sanitized_interpreters.launcher(sanitizer)
    site = build_probe(name, executable, launcher)
    reports = OUT / name
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)
    reports.chmod(0o777)  # a hostile case gives up being root
    lines = ["#!/bin/sh"]
    lines += [f'export {k}="{v}"' for k, v in options_of(sanitizer, executable, reports).items()]
    lines.append(f'export PYTHONPATH="${{PYTHONPATH:+$PYTHONPATH:}}{site}"')
    lines.append(f'exec {shlex.join([*launcher, executable])} "$@"')
    python = site.parent / "python"
    python.write_text("\n".join(lines) + "\n", encoding="utf-8")
    python.chmod(python.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return Sanitized(name, python, reports)


def run_tests(sanitized: Sanitized, names: Sequence[str]) -> str:
    """Run the tests of integration of one build under it; their closing line.

    Some of them fail for the sanitizer's slowness alone: what counts is what it reports.
    """
    files = [f"tests/integration/test_probe_{name}.py" for name in names]
    env = {k: v for k, v in os.environ.items() if k not in VARIABLES.values()}
    env[VARIABLES[sanitized.build]] = str(sanitized.python)
    command = [str(ROOT / ".venv/bin/python"), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command.append("--durations=40")
    left_out = (*EVERYWHERE, *TESTS_LEFT_OUT[sanitized.sanitizer])
    command += ["-k", " and ".join(f"not {name}" for name in left_out)]
    log = sanitized.reports / "tests.txt"
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [*command, *files], cwd=ROOT, env=env, stdout=output, stderr=output,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        if hostile.ended(process, SECONDS) == hostile.HANG:
            return f"the tests were not done after {SECONDS} s"
    return log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1].strip("= ")


def run_hostile(sanitized: Sanitized, rounds: int, seed: int) -> hostile.Tally:
    """Run the hostile cases under it."""
    tally = hostile.Tally()
    names = [name for name in hostile.cases() if name not in LEFT_OUT[sanitized.sanitizer]]
    with hostile.prepared(sanitized.name, [str(sanitized.python)]) as patient:
        for number in range(rounds):
            hostile.one_round([patient], names, seed + number, 1.0, tally)
    return tally


def reports_of(sanitized: Sanitized) -> list[str]:
    """Return the first line of each report, and the innermost frame that is ours, if any."""
    found = []
    for path in sorted(sanitized.reports.glob("report*")):
        text = path.read_text(encoding="utf-8", errors="replace")
        heads = list(REPORT.finditer(text))
        for head, following in zip(heads, [*heads[1:], None]):  # noqa: B905 (any Python from 3.9)
            body = text[head.start() : following.start() if following else None]
            ours = re.search(r"#\d+ .*native_probe\S*", body)
            found.append(f"{path.name}: {head[0]}{'; ' + ours[0] if ours else ''}")
    return found


def check(sanitized: Sanitized, chosen: argparse.Namespace) -> bool:
    """Run everything under one interpreter; whether it is clean."""
    begin = time.monotonic()
    tests = run_tests(sanitized, chosen.test or CHOSEN[sanitized.sanitizer])
    tally = hostile.Tally()
    if not chosen.tests_only:
        tally = run_hostile(sanitized, chosen.rounds, chosen.seed)
    found = reports_of(sanitized)
    for text in found[:40]:
        print(f"    {text}")
    verdict = f"{len(found)} reports" if found else "clean"
    seconds = time.monotonic() - begin
    say(f"{sanitized.name}: {verdict}; tests: {tests}; hostile: {tally.line()}; {seconds:.0f} s")
    return not found and not tally.found


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = sanitized_interpreters.BUILDS
    parser.add_argument("--build", action="append", choices=names, help="this one only")
    parser.add_argument("--rounds", type=int, default=1, help="of the hostile cases")
    parser.add_argument("--seed", type=int, default=1, help="of the first round")
    parser.add_argument("--test", action="append", choices=TESTS, help="these tests only")
    parser.add_argument("--tests-only", action="store_true", help="no hostile cases")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))
    clean = True
    try:
        found = sanitized_interpreters.provide(chosen.build or list(names))
        for name, executable in found.items():
            clean &= check(make_ready(name, executable), chosen)
    except (SanitizeError, interpreters.InterpreterError) as error:
        say(str(error))
        return EXIT_NOTHING
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
