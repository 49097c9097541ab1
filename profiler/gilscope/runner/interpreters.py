"""Finds the interpreters of the builds, and verifies each one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import gilscope
from gilscope.config import (
    BUILDS,
    MINIMUM_PYTHON,
    PYTHON_OPTIONS,
    PYTHON_VARIABLES,
    cache_directory,
)
from gilscope.errors import InterpreterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

CHECK_SECONDS = 60
SERIES = ((3, 15), (3, 14), (3, 13))

# Runs on any Python 3. What stands in the working directory is not to be imported.
CHECK = """
import sys
if sys.path and sys.path[0] == "":
    del sys.path[0]
sys.path += sys.argv[1:]
import json, sysconfig
found = {"version": list(sys.version_info[:3]), "executable": sys.executable, "gilscope": None,
         "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED"))}
try:
    import gilscope.target.recording.session
    found["gilscope"] = gilscope.__version__
except ModuleNotFoundError as error:
    found["missing" if error.name.startswith("gilscope") else "broken"] = error.name
except Exception as error:
    found["broken"] = str(error) or repr(error)
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Interpreter:
    """An interpreter that was run and found fit.

    Attributes:
        build: ``gil`` or ``ft``; of an arm the build that it stands for, a key of
            ``config.BUILDS``.
        path: How it is started: a virtual environment's own path, not what it links to.
        version: As ``3.13.5``.
        source: Where it was found.
        library: A directory that has gilscope for it; None if it has it itself.
    """

    build: str
    path: Path
    version: str
    source: str
    library: Path | None = None

    @property
    def series(self) -> tuple[int, ...]:
        """The version's first two numbers."""
        return tuple(map(int, self.version.split(".")[:2]))


@dataclass(frozen=True)
class Refusal:
    """An interpreter that cannot be used.

    Attributes:
        path: The interpreter.
        source: Where it was found.
        reason: One line that says why, and what to do about it.
        repairable: Whether installing gilscope there would make it fit.
        lacks_gilscope: Whether there is none, so that one of ours can serve.
    """

    path: Path
    source: str
    reason: str
    repairable: bool = False
    lacks_gilscope: bool = False


@dataclass(frozen=True)
class Discovery:
    """The result of the search for one build's interpreter."""

    build: str
    interpreter: Interpreter | None
    refusals: tuple[Refusal, ...] = ()

    @property
    def advice(self) -> str:
        """One line that says how to get an interpreter of this build."""
        option, variable = PYTHON_OPTIONS[self.build], PYTHON_VARIABLES[self.build]
        others = [one for one in self.refusals if one.path.parent.parent != Path(sys.prefix)]
        for refusal in others:
            if refusal.repairable:
                return f"no interpreter for the {BUILDS[self.build]}: {refusal.reason}"
        refused = f" ({others[0].reason})" if others else ""
        suffix = "t" if self.build == "ft" else ""
        wanted = "{}.{}".format(*own_series()) + suffix
        return (
            f"no interpreter for the {BUILDS[self.build]}{refused}: get one, for example with "
            f"`uv python install {wanted}`; then `gilscope setup` makes an environment beside this "
            f"one, or install gilscope there with `PYTHON -m pip install --no-deps gilscope` and "
            f"name it with {option} or {variable}"
        )


def own_build() -> str:
    """Return the build of this very interpreter."""
    return "ft" if sysconfig.get_config_var("Py_GIL_DISABLED") else "gil"


def own_series() -> tuple[int, int]:
    """Return the first two numbers of this interpreter's version."""
    return sys.version_info[0], sys.version_info[1]


type Provide = Callable[[Path], Path | None]
"""Returns a directory with gilscope for an interpreter that lacks it; None if there is none."""


def find(
    build: str,
    explicit: str | os.PathLike[str] | None = None,
    provide: Provide | None = None,
) -> Discovery:
    """Find an interpreter of ``build``.

    Args:
        build: ``gil`` or ``ft``.
        explicit: The one that the user wants; no other is then looked for.
        provide: Called where nothing but gilscope is missing.

    Raises:
        InterpreterError: The one that the user named, here or by the environment, cannot be used.
    """
    if explicit is not None:
        return _named(build, explicit, PYTHON_OPTIONS[build], provide)
    variable = PYTHON_VARIABLES[build]
    if value := os.environ.get(variable):
        return _named(build, value, variable, provide)
    refusals: list[Refusal] = []
    seen: set[Path] = set()
    for path, source in candidates(build):
        if path in seen or not os.access(path, os.X_OK):
            continue
        seen.add(path)
        found = examine(path, build, source)
        if isinstance(found, Interpreter):
            return Discovery(build, found, tuple(refusals))
        refusals.append(found)
    lacking = next((refusal for refusal in refusals if refusal.lacks_gilscope), None)
    provided = _provided(build, lacking, provide) if lacking else None
    return Discovery(
        build, provided, tuple(r for r in refusals if not provided or r is not lacking)
    )


def _provided(build: str, lacking: Refusal, provide: Provide | None) -> Interpreter | None:
    """Return the interpreter with a gilscope provided for it; None if it is still unfit."""
    library = provide(lacking.path) if provide is not None else None
    if library is None:
        return None
    found = examine(lacking.path, build, lacking.source, library)
    return found if isinstance(found, Interpreter) else None


def _named(
    build: str, value: str | os.PathLike[str], source: str, provide: Provide | None
) -> Discovery:
    path = shutil.which(value)
    if path is None:
        raise InterpreterError(f"{source}: cannot find the program {os.fspath(value)!r}")
    found = examine(Path(path).absolute(), build, source)
    if isinstance(found, Refusal):
        fit = _provided(build, found, provide) if found.lacks_gilscope else None
        if fit is None:
            raise InterpreterError(f"{source}: {found.reason}")
        found = fit
    return Discovery(build, found)


def examine(
    path: Path, build: str, source: str, library: Path | None = None
) -> Interpreter | Refusal:
    """Run the interpreter ``path`` once and see whether it is one of ``build`` with gilscope.

    That may be in the directory ``library`` as well.
    """
    try:
        done = subprocess.run(
            [path, "-c", CHECK, *([library] if library else [])],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env=environment(),
            timeout=CHECK_SECONDS,
            check=True,
        )
        facts = json.loads(done.stdout.splitlines()[-1])
        version = ".".join(map(str, facts["version"]))
    except (OSError, subprocess.SubprocessError, ValueError, LookupError, TypeError) as error:
        return Refusal(
            path, source, f"{path} does not work as a Python interpreter: {_cause(error)}"
        )
    if reason := _unfit(facts, build, path, version):
        return Refusal(path, source, reason)
    if "missing" in facts:
        reason = f"gilscope is not installed for {path}: {path} -m pip install --no-deps gilscope"
        return Refusal(path, source, reason, repairable=True, lacks_gilscope=True)
    if facts["gilscope"] != gilscope.__version__:
        reason = (
            f"gilscope {facts['gilscope']} is installed for {path}, and {gilscope.__version__} is "
            f"needed: {path} -m pip install --no-deps gilscope=={gilscope.__version__}"
        )
        return Refusal(path, source, reason, repairable=True)
    return Interpreter(build, path, version, source, library)


def _unfit(facts: dict[str, object], build: str, path: Path, version: str) -> str | None:
    """Return why an interpreter with these ``facts`` cannot be used for ``build``, or None."""
    if tuple(map(int, version.split(".")[:2])) < MINIMUM_PYTHON:
        return f"{path} is Python {version}; gilscope needs 3.13 or later"
    if bool(facts["free_threaded"]) != (build == "ft"):
        other = "is" if facts["free_threaded"] else "is not"
        return f"{path} {other} a free-threaded build"
    if "broken" in facts:
        return f"gilscope cannot be imported in {path}: {facts['broken']}"
    return None


def _cause(error: Exception) -> str:
    """Return the last line of a failed program's output, or else what is wrong with it."""
    said = getattr(error, "stderr", None) or b""
    if lines := said.decode(errors="replace").strip().splitlines():
        return lines[-1]
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, subprocess.TimeoutExpired):
        return f"it did not answer within {CHECK_SECONDS} s"
    if isinstance(error, subprocess.CalledProcessError):
        return f"it ended with status {error.returncode}"
    return "it does not answer as Python does"


def environment(build: str | None = None) -> dict[str, str]:
    """Return the environment for an interpreter whose GIL is as the build wants it.

    PYTHON_GIL would turn the GIL of a free-threaded build on, and a stock build refuses to start
    with PYTHON_GIL=0.

    Args:
        build: A key of ``config.BUILDS``; None for the interpreter's own setting.
    """
    own = {name: value for name, value in os.environ.items() if name != "PYTHON_GIL"}
    return {**own, "PYTHON_GIL": "1"} if build == "ft-gil" else own


def candidates(build: str) -> Iterator[tuple[Path, str]]:
    """Yield what may be an interpreter of ``build``, with its source, the likeliest first."""
    if build == own_build() and sys.executable:
        yield Path(sys.executable), "this interpreter"
    for source, places in SOURCES.items():
        for path in places(build):
            yield path, source


def _siblings(build: str) -> Iterator[Path]:
    """Yield the interpreters of the environments beside this one: .venv and .venv-ft."""
    prefix = sys.prefix
    for suffix in ("-ft", "-gil"):
        prefix = prefix.removesuffix(suffix)
    for suffix in (f"-{build}", ""):
        yield Path(prefix + suffix) / "bin" / "python"


def _names(build: str) -> Iterator[tuple[str, str]]:
    """Yield version and command of each series, this interpreter's own first."""
    suffix = "t" if build == "ft" else ""
    for series in sorted(SERIES, key=lambda series: series != own_series()):
        version = "{}.{}".format(*series)
        yield version, f"{version}{suffix}"


def _on_path(build: str) -> Iterator[Path]:
    for _, name in _names(build):
        if found := shutil.which(f"python{name}"):
            yield Path(found)


def _from_uv(build: str) -> Iterator[Path]:
    """Yield what uv has installed; nothing is downloaded."""
    if not shutil.which("uv"):
        return
    settings: Mapping[str, str] = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    for _, name in _names(build):
        command = ["uv", "python", "find", "--no-project", "--managed-python", name]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=20, check=True, env=settings
            )
        except (OSError, subprocess.SubprocessError):
            continue
        yield Path(done.stdout.strip())


def _from_cache(build: str) -> Iterator[Path]:
    """Yield the interpreters that `make` has built."""
    for version, name in _names(build):
        pattern = f"{version}.*/{build}/bin/python{name}"
        yield from sorted(cache_directory().glob(pattern), reverse=True)


SOURCES: dict[str, Callable[[str], Iterator[Path]]] = {
    "environment beside this one": _siblings,
    "PATH": _on_path,
    "uv": _from_uv,
    "cache": _from_cache,
}
"""Where interpreters are looked for, in this order, after this very one."""
