"""The comparison of CPython's own tests with the probe and without it."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

from cpython_tests import Outcome, differences, unsteady  # type: ignore[import-not-found]

PASSED = Outcome(0, {"one": ("passed",), "two": ("passed",)}, 1.0)
FAILED = Outcome(2, {"one": ("failure",), "two": ("passed",)}, 1.0)
CRASHED = Outcome(-11, PASSED.tests, 1.0)


def test_a_test_that_fails_with_the_probe_only() -> None:
    """It is a difference, and so is the exit status."""
    assert differences([PASSED, PASSED], FAILED) == [
        "one: passed without the probe, failure with it",
        "exit status: 0 without the probe, 2 with it",
    ]
    assert unsteady([PASSED, PASSED]) == []


def test_a_test_that_fails_now_and_then_by_itself() -> None:
    """It is no difference, and is named."""
    assert differences([PASSED, FAILED], FAILED) == differences([FAILED, PASSED], PASSED) == []
    assert unsteady([PASSED, FAILED]) == ["one: passed or failure without the probe"]


def test_a_crash_is_never_explained_by_an_unsteady_test() -> None:
    """The signal shows even where every test passed before it."""
    found = differences([PASSED, FAILED], CRASHED)
    assert found == ["exit status: 0 or 2 without the probe, -11 with it"]


def test_a_run_that_did_not_come_to_its_end() -> None:
    """There is nothing to compare, which is a difference."""
    [found] = differences([PASSED], Outcome(-9, {}, 1.0))
    assert "did not run to their end" in found
