#!/usr/bin/env python3
"""Runs the tests of pytest: unit tests beside browser tests, then the others alone.

    .venv/bin/python tools/run_tests.py

The unit tests keep a processor busy; the tests in the browser mostly wait. Those that start
programs under test run alone, as they depend on when threads get a processor. The output of the
unit tests is shown when they have ended.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FREE_THREADED = ROOT / ".venv-ft" / "bin" / "python"
DURATIONS = "--durations=15"


def command(*tests: str, python: str | Path = sys.executable) -> list[str]:
    """Return the command that runs tests."""
    return [str(python), "-m", "pytest", DURATIONS, *tests]


def beside_each_other() -> bool:
    """Run unit tests and browser tests; whether all passed."""
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
            passed = alone(command("tests/browser"))
            passed = unit.wait() == 0 and passed
        finally:
            unit.kill()  # does nothing if it has ended
        output.seek(0)
        print(output.read(), flush=True)
    return passed


def alone(words: list[str]) -> bool:
    """Run tests; whether they passed."""
    return subprocess.run(words, cwd=ROOT, check=False).returncode == 0


def main() -> int:
    """Run all of them, whatever fails; the exit status is that of all."""
    passed = [
        beside_each_other(),
        alone(command("tests/integration")),
        alone(command("tests/integration/test_examples.py", python=FREE_THREADED)),
    ]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
