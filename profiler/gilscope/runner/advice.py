"""What to do where the interpreters of a comparison do not fit. Standard library only."""

from __future__ import annotations

import re
import shlex
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from typing import TYPE_CHECKING

from gilscope.errors import InterpreterError
from gilscope.runner.pair import WHEELS_ONLY, installer
from gilscope.runner.provisioning import local_source

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NOT_FOUND = re.compile(r"ModuleNotFoundError: .*No module named '([\w.]+)'")


def missing_module(error: str, python: Path) -> str | None:
    """Return what to do about a program that failed because a module is not there, in a line.

    Args:
        error: The last line of its traceback.
        python: The interpreter that it ran in.

    Returns:
        None if it failed of something else.
    """
    found = NOT_FOUND.match(error)
    if found is None:
        return None
    where = f"{found[1]} is not installed for {python}"
    if (python.parent.parent / "pyvenv.cfg").is_file():
        where = f"{found[1]} is not installed in the environment {python.parent.parent} ({python})"
    known = _known(found[1].partition(".")[0])
    try:
        command = shlex.join([*installer(python), *known])
    except InterpreterError as error_:
        return f"{where}: {error_}"
    return f"{where}: `{command}`" if known else f"{where}: `{command} PACKAGE`"


def _known(module: str) -> list[str]:
    """Return how pip is to install what has a module, as far as this environment knows it."""
    packages = packages_distributions().get(module, [])
    if len(set(packages)) != 1:
        return []  # nothing is guessed: a package may be called otherwise than its module
    try:
        source = local_source(distribution(packages[0]))
    except PackageNotFoundError:
        return []
    return [str(source)] if source is not None else [WHEELS_ONLY, packages[0]]


def different_versions(versions: Mapping[str, str]) -> str | None:
    """Return a line if builds have interpreters of different versions, such as 3.13 and 3.14.

    Args:
        versions: As ``3.13.5``, by build.
    """
    if len({version.rpartition(".")[0] for version in versions.values()}) <= 1:
        return None
    names = ", ".join(f"{version} ({build})" for build, version in versions.items())
    return f"the builds have different Python versions: {names}"
