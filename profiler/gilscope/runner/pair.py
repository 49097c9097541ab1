"""Makes the environment of the other build, beside the one that this interpreter runs in.

`gilscope.runner.interpreters` looks there first, so that what is made here is found by every
command. Standard library only.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING

from gilscope.config import BUILDS, PYTHON_VARIABLES
from gilscope.errors import InterpreterError, UsageError
from gilscope.runner.interpreters import (
    SOURCES,
    Interpreter,
    candidates,
    environment,
    examine,
    own_build,
    own_series,
)
from gilscope.runner.provisioning import local_source, own_source
from gilscope.runner.tsan_setup import check_project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

INSTALL_SECONDS = 1800
FOUND_BESIDE = next(iter(SOURCES))
# A package that has no wheel for a build would be compiled for an hour, and then fail.
WHEELS_ONLY = "--only-binary=:all:"


@dataclass(frozen=True)
class Step:
    """One command, and what it is for.

    Attributes:
        purpose: What is said before it runs, without a stop.
        command: The command.
    """

    purpose: str
    command: list[str]

    def __str__(self) -> str:
        """Return the command for a shell."""
        return shlex.join(self.command)


@dataclass(frozen=True)
class Pair:
    """The two environments.

    Attributes:
        build: The build of the other one: ``gil`` or ``ft``.
        own: This interpreter.
        other: That of the environment beside it, which may not be there yet.
        base: What that is made from; None if it is there.
    """

    build: str
    own: Path
    other: Path
    base: Path | None


def find_pair() -> Pair:
    """Return this environment and the one beside it.

    Raises:
        UsageError: This interpreter is in no virtual environment.
        InterpreterError: Something else stands beside it, or no interpreter of the other build and
            of this version is there.
    """
    if sys.prefix == sys.base_prefix:
        raise UsageError(
            f"{sys.executable} is in no virtual environment: make one with "
            f"`{sys.executable} -m venv .venv`, install gilscope in it, and run its "
            "`gilscope setup`"
        )
    build = "ft" if own_build() == "gil" else "gil"
    beside = [path for path, source in candidates(build) if source == FOUND_BESIDE]
    others = [path for path in beside if path.parent.parent != Path(sys.prefix)]
    other = next((path for path in others if path.parent.parent.exists()), others[-1])
    own = Path(sys.prefix) / "bin" / "python"
    if not other.parent.parent.exists():
        return Pair(build, own, other, find_base(build))
    if reason := _unfit(other, build):
        raise InterpreterError(f"{other.parent.parent} is there already and is no fit: {reason}")
    return Pair(build, own, other, None)


def _unfit(python: Path, build: str) -> str | None:
    """Return why ``python`` is none of ``build``, or None; gilscope may be missing there."""
    found = examine(python, build, "")
    if isinstance(found, Interpreter):
        return None
    return None if found.repairable else found.reason


def find_base(build: str) -> Path:
    """Return an interpreter of ``build`` and of this version from which to make an environment.

    Raises:
        InterpreterError: There is none.
    """
    wanted = "{}.{}".format(*own_series()) + ("t" if build == "ft" else "")
    found = [path for path, source in candidates(build) if source != FOUND_BESIDE]
    named = os.environ.get(PYTHON_VARIABLES[build])
    for path in [Path(named), *found] if named else found:
        if path.resolve().name == f"python{wanted}" and not _unfit(path, build):
            return path
    raise InterpreterError(
        f"no Python {wanted} ({BUILDS[build]}) is on PATH or known to uv: get one, for example "
        f"with `uv python install {wanted}`, and run `gilscope setup` again"
    )


def steps(pair: Pair, project: Path | None) -> Iterator[Step]:
    """Yield what is left to do, each when those before it were done.

    Args:
        pair: The two environments.
        project: A directory that pip can install; None for gilscope alone.

    Raises:
        UsageError: It is none.
        InterpreterError: There is no installer.
    """
    if project:
        check_project(project)
    place, label = pair.other.parent.parent, BUILDS[pair.build]
    if pair.base is not None:
        make = [str(pair.base), "-m", "venv", "--without-pip", str(place)]
        yield Step(f"making an environment of the {label}, {place}", make)
    if pair.base is not None or not isinstance(examine(pair.other, pair.build, ""), Interpreter):
        yield Step(
            "installing gilscope there (from a clone it is compiled: some minutes)",
            [*installer(pair.other), "--no-deps", own_source()],
        )
    if project is None:
        return
    for python in (pair.own, pair.other):
        if python == pair.own and is_installed(project):
            continue
        yield Step(
            f"installing {project} for {python}",
            [*installer(python), WHEELS_ONLY, str(project)],
        )


def is_installed(project: Path) -> bool:
    """Return whether ``project`` is installed in this environment, from this very directory."""
    sources = map(local_source, distributions())
    return any(source is not None and source.resolve() == project.resolve() for source in sources)


def installer(python: Path) -> list[str]:
    """Return the beginning of a command that installs packages for ``python``.

    Raises:
        InterpreterError: Neither pip nor uv is here.
    """
    if importlib.util.find_spec("pip"):
        pip = [sys.executable, "-m", "pip", "--python", str(python)]
        return [*pip, "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--quiet", "--python", str(python)]
    raise InterpreterError(
        f"neither pip nor uv is here: `{sys.executable} -m ensurepip` installs pip"
    )


def carry_out(step: Step, say: Callable[[str], None]) -> None:
    """Run one step; what it prints is printed.

    Raises:
        InterpreterError: It failed.
    """
    say(f"{step.purpose}:")
    say(f"  {step}")
    try:
        subprocess.run(
            step.command,
            env={**environment(), "PYTHONNOUSERSITE": "1"},
            stdin=subprocess.DEVNULL,
            timeout=INSTALL_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        hint = _hint(step)
        raise InterpreterError(f"{step.purpose} failed (status {error.returncode}){hint}") from None
    except (OSError, subprocess.SubprocessError) as error:
        raise InterpreterError(f"{step.purpose} failed: {error}") from None


def _hint(step: Step) -> str:
    """Return what to do about a failed step, to append."""
    if WHEELS_ONLY not in step.command:
        return ""
    rest = shlex.join(word for word in step.command if word != WHEELS_ONLY)
    return (
        "; if a package that it needs has no wheel for this build, take one that has, or compile "
        f"it: `{rest}`"
    )
