#!/usr/bin/env python3
"""Runs the tests of pytest: unit tests beside browser tests, then the others alone.

    .venv/bin/python tools/run_tests.py [--check]

The unit tests keep a processor busy; the tests in the browser mostly wait. Those that start
programs under test run alone, as they depend on when threads get a processor. The output of the
unit tests is shown when they have ended. With --check, the quick part of the lint takes the place
of the browser, and of each file of tests/integration runs only the first test.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / "tools"
FREE_THREADED = ROOT / ".venv-ft" / "bin" / "python"
DURATIONS = "--durations=15"
ONE_A_FAMILY = "--one-a-family"


def command(*tests: str, python: str | Path = sys.executable) -> list[str]:
    """Return the command that runs tests."""
    return [str(python), "-m", "pytest", DURATIONS, *tests]


def beside_unit_tests(*others: list[str]) -> bool:
    """Run the unit tests, and other commands one by one meanwhile; whether all passed."""
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output,
        subprocess.Popen(
            command("-p", "no:cacheprovider", "tests/unit"),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as unit,
    ):
        try:
            results = [alone(words) for words in others]
            results.append(unit.wait() == 0)
        finally:
            unit.kill()  # does nothing if it has ended
        output.seek(0)
        print(output.read(), flush=True)
    return all(results)


def alone(words: list[str]) -> bool:
    """Run a command; whether it passed."""
    return subprocess.run(words, cwd=ROOT, check=False).returncode == 0


def check() -> bool:
    """Run what `make check` has, and print how long it took; whether all passed."""
    begin = time.monotonic()
    lint = [sys.executable, str(TOOLS / "lint.py"), "--quick"]
    page = [sys.executable, str(TOOLS / "page.py"), "test"]
    passed = [
        beside_unit_tests(lint, page),
        alone(command(ONE_A_FAMILY, "tests/integration")),
    ]
    print(f"check: {time.monotonic() - begin:.0f} s", flush=True)
    return all(passed)


def everything() -> bool:
    """Run all tests, whatever fails; whether all passed."""
    passed = [
        beside_unit_tests(command("tests/browser")),
        alone(command("tests/integration")),
        alone(command("tests/integration/test_examples.py", python=FREE_THREADED)),
    ]
    return all(passed)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="what `make check` runs")
    passed = check() if parser.parse_args().check else everything()
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
