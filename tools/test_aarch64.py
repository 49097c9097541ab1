"""Runs tests of the probe from the aarch64 wheel, on Debian's arm64 Python in an emulator.

    .venv/bin/python tools/test_aarch64.py [argument of pytest ...]

pytest and the reader run on this machine; the programs under test run in qemu-user. An emulator of
user programs cannot show everything: `NOT_SHOWN` names it, and the tests of that are left out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import arm64
import wheels
from interpreters import InterpreterError

ROOT = Path(__file__).resolve().parent.parent
TESTS = ("test_probe_threads.py", "test_probe_gil.py")
# The examples are built for this machine only. The others fail on aarch64, emulated or not: places
# in the interpreter's code, by which the probe tells things apart, are known for x86-64 only.
WITHOUT = (
    "examples",
    "test_release_by_the_evaluation_loop_is_forced",
    "test_thread_that_was_forced_waits_for_whom_it_was_forced_by",
    "test_stop_while_threads_wait",
    "test_threads_of_pools_are_known_however_short_the_run",
)
NOT_RECORDED = (
    "waits for locks of the interpreter; which releases are forced; native stacks; "
    "threads of OpenMP and BLAS pools"
)
NOT_SHOWN = {
    "the self-test in a process of its own": "the emulator refuses a clone() that sends no signal; "
    "this tool runs the same test and keeps its report where the probe looks",
    "times and their order of magnitude": "emulated code is many times slower, and so is its cost",
    "order of memory": "x86-64 orders loads and stores that aarch64 may reorder",
    "signals in the middle of a hook": "the emulator delivers them between blocks of code",
    "the counter CNTVCT of real hardware": "the emulator derives it from the machine's clock",
}
PREPARE = """
import os, sys
from gilscope import _probe
from gilscope.target.recording import self_test
key = _probe.self_test_state()[0]
print(key, _probe.__file__, self_test.CODE, sep="\\0", end="")
"""


def install(root: arm64.Root, wheel: Path) -> None:
    """Unpack the wheel where the arm64 Python finds it."""
    shutil.rmtree(root.site, ignore_errors=True)
    root.site.mkdir(parents=True)
    with zipfile.ZipFile(wheel) as file:
        file.extractall(root.site)


def keep_self_test(root: arm64.Root, cache: Path) -> str:
    """Run the self-test in the emulator and keep its report; return the report.

    Raises:
        InterpreterError: It failed.
    """
    key, native, code = root.run("-c", PREPARE).split("\0")
    reading, writing = os.pipe()
    # The test writes to descriptor 3.
    command = f'exec 3>&{writing}; exec "$0" "$@"'
    words = ["/bin/sh", "-c", command, str(root.python), "-I", "-S", "-B", "-c", code, native]
    done = subprocess.run(
        words, pass_fds=(writing,), capture_output=True, text=True, timeout=300, check=False
    )
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        report = pipe.read()
    if done.returncode != 0 or not report:
        raise InterpreterError(f"the self-test failed ({done.returncode}): {done.stderr[-500:]}")
    folder = cache / "gilscope" / "self-test"
    folder.mkdir(parents=True)
    folder.chmod(0o700)
    path = folder / key
    path.touch(0o600)
    path.write_text(report, encoding="utf-8")
    return report


def write_compilers(place: Path, root: arm64.Root) -> None:
    """Write commands named gcc and g++ that compile for the arm64 Python."""
    place.mkdir()
    named = wheels.compilers(wheels.cross(root))
    libraries = named["CMAKE_CXX_STANDARD_LIBRARIES"]
    for name, setting, last in (
        ("gcc", "CMAKE_C_COMPILER", ""),
        ("cc", "CMAKE_C_COMPILER", ""),
        ("g++", "CMAKE_CXX_COMPILER", libraries),
        ("c++", "CMAKE_CXX_COMPILER", libraries),
    ):
        script = place / name
        more = f'-idirafter "{root.path}/usr/include" "$@" {last}'
        script.write_text(f'#!/bin/sh\nexec "{named[setting]}" {more}\n', encoding="utf-8")
        script.chmod(0o755)


def run_tests(root: arm64.Root, place: Path, options: list[str]) -> int:
    """Run pytest with the arm64 Python under test; return its exit status."""
    write_compilers(place / "bin", root)
    unwanted = ("GILSCOPE_PYTHON", "GILSCOPE_FT_PYTHON", "PYTHONPATH")
    env = {name: value for name, value in os.environ.items() if name not in unwanted}
    env["GILSCOPE_PYTHON"] = str(root.python)
    env["PATH"] = f"{place / 'bin'}:{env.get('PATH', '')}"
    env["XDG_CACHE_HOME"] = str(place / "cache")
    folder = ROOT / "tests" / "integration"
    tests = [] if any("tests/" in word for word in options) else [folder / name for name in TESTS]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=900"]
    if tests:
        command += ["-k", " and ".join(f"not {word}" for word in WITHOUT)]
    command += [*map(str, tests), *options]
    return subprocess.run(command, cwd=ROOT, env=env, check=False).returncode


def main() -> int:
    """Run from the command line; every argument is pytest's."""
    try:
        root = arm64.provide()
        wheel = wheels.build(wheels.cross(root))
        install(root, wheel)
        with tempfile.TemporaryDirectory(prefix="gilscope-aarch64-") as directory:
            place = Path(directory).resolve()
            report = keep_self_test(root, place / "cache")
            print(report, flush=True)
            status = run_tests(root, place, sys.argv[1:])
    except (InterpreterError, wheels.WheelError) as error:
        print(f"aarch64: {error}", file=sys.stderr)
        return 1
    print(f"aarch64: not recorded there yet: {NOT_RECORDED}")
    for what, why in NOT_SHOWN.items():
        print(f"aarch64: not shown by emulation: {what}: {why}")
    return status


if __name__ == "__main__":
    sys.exit(main())
