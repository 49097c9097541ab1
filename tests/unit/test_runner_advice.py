"""What is said where the interpreters of a comparison do not fit."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gilscope.runner.advice import different_versions, missing_module

BARE = Path("/usr/bin/python3")


def test_a_missing_module_is_installed_by_the_name_of_its_package() -> None:
    """Which this environment knows: it is not always that of the module."""
    said = missing_module("ModuleNotFoundError: No module named 'elftools.elf'", BARE)
    assert said is not None
    assert said.startswith(f"elftools.elf is not installed for {BARE}: `")
    assert said.endswith(" --only-binary=:all: pyelftools`")


def test_the_package_of_an_unknown_module_is_not_guessed() -> None:
    """A package of that name may be something else."""
    said = missing_module(
        "ModuleNotFoundError: x of the notebook needs nowhere, which /python cannot import: "
        "No module named 'nowhere'",
        BARE,
    )
    assert said is not None
    assert said.endswith(" PACKAGE`")


def test_an_environment_is_named() -> None:
    """By its directory, beside its interpreter."""
    python = Path(sys.prefix) / "bin" / "python"
    said = missing_module("ModuleNotFoundError: No module named 'nowhere'", python)
    assert said is not None
    assert f"in the environment {sys.prefix} ({python}): " in said


@pytest.mark.parametrize("error", ["ValueError: No module named 'x'", "ended by SIGSEGV", ""])
def test_other_failures_have_no_such_advice(error: str) -> None:
    """Only an import that finds nothing."""
    assert missing_module(error, BARE) is None


def test_versions_that_differ_are_said() -> None:
    """Those of one series do not."""
    assert different_versions({"gil": "3.13.5", "ft": "3.13.9"}) is None
    assert different_versions({"gil": "3.13.5", "ft": "3.14.1"}) == (
        "the builds have different Python versions: 3.13.5 (gil), 3.14.1 (ft)"
    )
