"""Builds a project for ThreadSanitizer into an environment of its own. Standard library only."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gilscope.errors import InterpreterError, UsageError
from gilscope.runner.tsan_interpreter import SILENT, environment_directory
from gilscope.runner.tsan_run import is_instrumented

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gilscope.runner.tsan_interpreter import Sanitized

BUILD_SECONDS = 1800
FLAGS = "-fsanitize=thread -g -O1 -fno-omit-frame-pointer"
COMPILERS = {"CFLAGS": FLAGS, "CXXFLAGS": FLAGS, "LDFLAGS": "-fsanitize=thread"}
VARIABLES = {
    # CMake takes the flags from these when it configures first.
    "scikit_build_core": {**COMPILERS, "SKBUILD_INSTALL_STRIP": "false"},
    "mesonpy": COMPILERS,
    "setuptools": COMPILERS,
    # rustc has this only with a nightly toolchain, and the standard library must have it too.
    "maturin": {
        **COMPILERS,
        "RUSTUP_TOOLCHAIN": "nightly",
        "RUSTFLAGS": "-Zsanitizer=thread",
        "CARGO_UNSTABLE_BUILD_STD": "std",
        "CARGO_BUILD_TARGET": "x86_64-unknown-linux-gnu",
    },
}


@dataclass(frozen=True)
class Plan:
    """How a project is built for ThreadSanitizer.

    Attributes:
        backend: A key of `VARIABLES`.
        variables: What the build finds in its environment.
        command: What builds and installs it.
    """

    backend: str
    variables: dict[str, str]
    command: list[str]

    def __str__(self) -> str:
        """Return it as a command for a shell."""
        words = [f"{name}={shlex.quote(value)}" for name, value in self.variables.items()]
        return " ".join([*words, shlex.join(self.command)])


def plan(project: Path, interpreter: Sanitized) -> Plan:
    """Return how the project is built into `environment_directory`.

    Raises:
        UsageError: It is no project, or one of a backend that is not known.
    """
    backend = _backend(project)
    python = environment_directory() / "bin" / "python"
    pip = [*interpreter.launcher, sys.executable, "-m", "pip", "--python", str(python)]
    options = ["--no-deps", "--force-reinstall", "--no-cache-dir", "--disable-pip-version-check"]
    variables = {**VARIABLES[backend], "TSAN_OPTIONS": SILENT}
    return Plan(backend, variables, [*pip, "install", *options, str(project)])


def check_project(project: Path) -> None:
    """See that pip can install a directory.

    Raises:
        UsageError: It is no project.
    """
    if not any((project / name).exists() for name in ("pyproject.toml", "setup.py")):
        raise UsageError(f"{project} has neither pyproject.toml nor setup.py")


def _backend(project: Path) -> str:
    check_project(project)
    file = project / "pyproject.toml"
    try:
        data: dict[str, Any] = tomllib.loads(file.read_text()) if file.exists() else {}
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from None
    name = data.get("build-system", {}).get("build-backend", "setuptools.build_meta")
    top = str(name).partition(".")[0]
    if top not in VARIABLES:
        known = "scikit-build-core, meson-python, setuptools and maturin"
        raise UsageError(
            f"{project} is built by {name}; known are {known}. Build it yourself with "
            f"{shlex.join(f'{key}={value}' for key, value in COMPILERS.items())}"
        )
    return top


def build(project: Path, interpreter: Sanitized, say: Callable[[str], None]) -> list[Path]:
    """Build and install the project; return its extension modules.

    Raises:
        UsageError: It is no project that can be built.
        InterpreterError: It could not be built, or is not instrumented.
    """
    wanted = plan(project, interpreter)
    _make_environment(interpreter)
    say(f"building {project} ({wanted.backend}) for ThreadSanitizer:")
    say(f"  {wanted}")
    before = _modules()
    try:
        subprocess.run(
            wanted.command,
            env={**os.environ, **wanted.variables},
            stdin=subprocess.DEVNULL,
            timeout=BUILD_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise InterpreterError(f"{project} could not be built: {error}") from None
    made = [path for path, stamp in _modules().items() if before.get(path) != stamp]
    bare = [path for path in made if not is_instrumented(path)]
    if bare or not made:
        what = ", ".join(path.name for path in bare) or "no extension module"
        raise InterpreterError(
            f"{project}: the build made {what} without ThreadSanitizer: it leaves CFLAGS, CXXFLAGS "
            "and LDFLAGS out"
        )
    return made


def _make_environment(interpreter: Sanitized) -> None:
    """Make the environment, unless it is there.

    Raises:
        InterpreterError: It cannot be made.
    """
    place = environment_directory()
    if (place / "bin" / "python").exists():
        return
    try:
        subprocess.run(
            interpreter.command("-m", "venv", "--without-pip", place),
            env={**os.environ, "TSAN_OPTIONS": SILENT},
            capture_output=True,
            timeout=BUILD_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise InterpreterError(f"{place} cannot be made: {error}") from None


def _modules() -> dict[Path, int]:
    """Return the shared objects of the environment and when each was made, in ns."""
    found = environment_directory().glob("lib/python*/site-packages/**/*.so")
    return {path: path.stat().st_mtime_ns for path in found}
