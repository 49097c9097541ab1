"""Builds one native library bound to Python in several ways: programs under test of the tests.

    .venv/bin/python tools/bindings.py [BINDING ...]

Builds each for the interpreters that GILSCOPE_PYTHON and GILSCOPE_FT_PYTHON name, into
build/bindings, unless that is up to date. Prints a line of JSON: for each interpreter's path the
bindings, each with the directory that its modules are in, or with the reason why it cannot be had
here. The generators (pybind11, nanobind, Cython, cffi) are those of the Python that runs this.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Callable, Iterator

import boost
import interpreters

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "tests" / "targets" / "bindings"
LIBRARY = SOURCES / "library"
LOGGING = ROOT / "examples" / "native_logging"
BUILD = ROOT / "build" / "bindings"
STAMP = "complete.txt"
SUFFIXES = (".py", ".pyx", ".c", ".cpp", ".h", ".hpp")
VARIABLES = ("GILSCOPE_PYTHON", "GILSCOPE_FT_PYTHON")
SECONDS = 900  # for one command
# Names and lines of native code as in any build that is meant to be looked at.
CXX = ("g++", "-std=c++17", "-O1", "-g", "-fPIC", "-pthread", "-fvisibility=hidden", "-w")
CC = ("gcc", "-O1", "-g", "-fPIC", "-pthread", "-w")
# Two modules with this library inside may be in one process and must not share its tables.
BOOST = ("-fno-gnu-unique", "-DBOOST_ALL_NO_LIB", "-DBOOST_PYTHON_STATIC_LIB")
FACTS = """
import importlib.util, json, sys, sysconfig
print(json.dumps({
    "version": sys.version,
    "series": list(sys.version_info[:2]),
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "include": sysconfig.get_path("include"),
    "suffix": sysconfig.get_config_var("EXT_SUFFIX"),
    "cffi": importlib.util.find_spec("_cffi_backend") is not None,
}))
"""


class BuildError(Exception):
    """A command failed; the message is what it printed."""


class NotHereError(Exception):
    """A binding cannot be had for an interpreter; the message is the reason."""


@dataclass(frozen=True)
class Target:
    """The interpreter that modules are built for."""

    python: str
    version: str
    series: tuple[int, int]
    free_threaded: bool
    include: str
    suffix: str
    cffi: bool

    @classmethod
    def of(cls, python: str) -> Target:
        """Ask an interpreter."""
        facts = json.loads(run(python, "-c", FACTS))
        return cls(python, **{**facts, "series": tuple(facts["series"])})

    @property
    def place(self) -> Path:
        """Where its modules are."""
        kind = "ft" if self.free_threaded else "gil"
        tag = hashlib.sha256(f"{self.version}{self.include}".encode()).hexdigest()[:12]
        return BUILD / f"{kind}-{tag}"


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a command and return what it printed.

    Raises:
        BuildError: It failed.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"{shlex.join(words)}: {error}") from error
    if done.returncode != 0:
        raise BuildError(f"$ {shlex.join(words)}\n{done.stdout[-6000:]}")
    return done.stdout


def package(name: str) -> Path:
    """Return the directory of a package of the Python that runs this."""
    spec = util.find_spec(name)
    if spec is None or spec.origin is None:
        raise BuildError(f"no {name} in {sys.executable}: run `python3 tools/environment.py test`")
    return Path(spec.origin).parent


# ---------------------------------------------------------------- one recipe a binding


def build_library(_target: Target, place: Path) -> None:
    """Compile the native library, which all the bindings are of."""
    run(*CXX, "-c", LIBRARY / "relay.cpp", "-o", place / "relay.o")


def relay(target: Target) -> Path:
    """Return the native library, compiled."""
    return built("library", target) / "relay.o"


def build_pybind11(target: Target, place: Path) -> None:
    """Compile the module of pybind11."""
    sources = (SOURCES / "pybind11" / "relay_pybind11.cpp", relay(target))
    includes = (f"-I{package('pybind11') / 'include'}", f"-I{target.include}", f"-I{LIBRARY}")
    output = place / f"relay_pybind11{target.suffix}"
    run(*CXX, "-shared", *includes, *sources, "-o", output)


def build_nanobind(target: Target, place: Path) -> None:
    """Compile the module of nanobind, with nanobind itself inside."""
    nanobind = package("nanobind")
    sources = [SOURCES / "nanobind" / "relay_nanobind.cpp", relay(target)]
    sources += [nanobind / "src" / "nb_combined.cpp"]
    includes = [nanobind / "include", nanobind / "ext" / "robin_map" / "include"]
    flags = [*(f"-I{path}" for path in (*includes, target.include, LIBRARY))]
    flags += ["-fno-strict-aliasing", *(["-DNB_FREE_THREADED"] if target.free_threaded else [])]
    run(*CXX, "-shared", *flags, *sources, "-o", place / f"relay_nanobind{target.suffix}")


def build_boost_library(target: Target, place: Path) -> None:
    """Compile Boost.Python as a static library."""
    source = boost_source()
    # As one unit, since nearly all of the time goes into the headers that every file includes.
    files = sorted(path for path in (source / "src").rglob("*.cpp") if "numpy" not in path.parts)
    unit = place / "boost_python.cpp"
    unit.write_text("".join(f'#include "{path}"\n' for path in files), encoding="utf-8")
    flags = (*CXX, "-g0", *BOOST, "-DBOOST_PYTHON_SOURCE")
    includes = (f"-I{target.include}", f"-I{source / 'include'}")
    run(*flags, *includes, "-c", unit, "-o", place / "boost_python.o")
    run("ar", "rcs", place / "libboost_python.a", place / "boost_python.o")


def boost_source() -> Path:
    """Return the directory of Boost.Python's source."""
    try:
        return boost.provide()
    except interpreters.InterpreterError as error:
        raise NotHereError(str(error)) from error


def with_boost(target: Target, output: Path, *arguments: str | Path) -> None:
    """Compile a module of Boost.Python."""
    library = built("boost_library", target) / "libboost_python.a"
    includes = (f"-I{target.include}", f"-I{boost_source() / 'include'}")
    run(*CXX, *BOOST, "-shared", *includes, *arguments, library, "-o", output)


def build_boost(target: Target, place: Path) -> None:
    """Compile the module of Boost.Python."""
    sources = (SOURCES / "boost" / "relay_boost.cpp", relay(target))
    with_boost(target, place / f"relay_boost{target.suffix}", f"-I{LIBRARY}", *sources)


def build_boost_logging(target: Target, place: Path) -> None:
    """Compile the example native_logging as a module of Boost.Python."""
    sources = (LOGGING / "binding" / "boost.cpp", *sorted((LOGGING / "src").glob("*.cpp")))
    output = place / f"native_logging_boost{target.suffix}"
    with_boost(target, output, f"-I{LOGGING / 'include'}", *sources)


def build_cython(target: Target, place: Path) -> None:
    """Compile the module of Cython."""
    with_cython(target, place, "relay_cython")


def build_fastgil(target: Target, place: Path) -> None:
    """Compile the module of Cython with pointers to the functions of the GIL in its data."""
    if target.free_threaded:
        raise NotHereError("Cython has no FastGIL in free-threaded builds")
    with_cython(target, place, "relay_fastgil", "-DCYTHON_FAST_GIL=1")


def with_cython(target: Target, place: Path, name: str, *flags: str) -> None:
    """Translate the module under a name of its own, and compile it."""
    package("Cython")
    module = shutil.copy(SOURCES / "cython" / "relay_cython.pyx", place / f"{name}.pyx")
    directives = ("-X", f"fast_gil={bool(flags)}")
    run(sys.executable, "-m", "cython", "-3", *directives, module, "-o", place / f"{name}.c")
    with_c(target, place, name, *flags)


def build_cffi(target: Target, place: Path) -> None:
    """Compile the module of cffi, and put its Python part beside it."""
    if not target.cffi:
        if target.free_threaded and target.series == (3, 13):
            raise NotHereError("cffi has no free-threaded build for CPython 3.13")
        raise BuildError(f"no cffi in {target.python}: run `python3 tools/environment.py test`")
    run(sys.executable, SOURCES / "cffi" / "generate.py", place / "_relay_cffi.c")
    shutil.copy(SOURCES / "cffi" / "relay_cffi.py", place)
    with_c(target, place, "_relay_cffi")


def with_c(target: Target, place: Path, name: str, *flags: str) -> None:
    """Compile a generated module in C and link it with the library."""
    includes = (f"-I{target.include}", f"-I{LIBRARY}")
    run(*CC, *flags, *includes, "-c", place / f"{name}.c", "-o", place / f"{name}.o")
    objects = (place / f"{name}.o", relay(target))
    run(*CXX, "-shared", *objects, "-o", place / f"{name}{target.suffix}")


def build_ctypes(target: Target, place: Path) -> None:
    """Link the library as it is, and put the Python part beside it."""
    run(*CXX, "-shared", relay(target), "-o", place / "librelay.so")
    shutil.copy(SOURCES / "ctypes" / "relay_ctypes.py", place)


RECIPES: dict[str, Callable[[Target, Path], None]] = {
    "boost": build_boost,  # the longest first
    "boost_logging": build_boost_logging,
    "nanobind": build_nanobind,
    "pybind11": build_pybind11,
    "cython": build_cython,
    "fastgil": build_fastgil,
    "cffi": build_cffi,
    "ctypes": build_ctypes,
}
PARTS = {**RECIPES, "library": build_library, "boost_library": build_boost_library}


# ---------------------------------------------------------------- building what has changed


def sources_of(name: str) -> list[Path]:
    """Return the directories that a part is built from, but for what other packages bring."""
    if name == "boost_library":
        return []
    if name == "boost_logging":
        return [LOGGING / part for part in ("binding", "include", "src")]
    own = {"library": "library", "fastgil": "cython"}.get(name, name)
    return [SOURCES / own, LIBRARY]


def state_of(name: str, target: Target) -> str:
    """Hash all that decides how a part turns out."""
    total = hashlib.sha256(target.version.encode())
    for generator in ("pybind11", "nanobind", "cython", "cffi"):
        try:
            total.update(f"{generator} {metadata.version(generator)}".encode())
        except metadata.PackageNotFoundError:
            total.update(b"-")
    total.update(str(target.cffi).encode())
    total.update(run("g++", "--version").encode())
    files = [path for place in sources_of(name) for path in place.rglob("*.*") if path.is_file()]
    for file in (Path(__file__), *sorted(files)):
        if file.suffix in SUFFIXES:
            total.update(file.read_bytes())
    return total.hexdigest()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that is a file: two runs at once build nothing twice."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def built(name: str, target: Target) -> Path:
    """Return the directory of a binding's modules, after building them if they are not up to date.

    Raises:
        BuildError: A command failed.
        NotHereError: The binding cannot be had.
    """
    place = target.place / name
    state = state_of(name, target)
    stamp = place / STAMP
    with locked(place.with_suffix(".lock")):
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == state:
            return place
        begin = time.monotonic()
        shutil.rmtree(place, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=name) as draft:
            PARTS[name](target, Path(draft))
            # Only what is whole ever has the final name.
            shutil.copytree(draft, place)
        stamp.write_text(state, encoding="utf-8")
    seconds = time.monotonic() - begin
    print(f"bindings: {name} for {target.place.name}: {seconds:.0f} s", file=sys.stderr, flush=True)
    return place


def outcome(name: str, target: Target) -> dict[str, str]:
    """Build a binding and say what came of it."""
    try:
        return {"path": str(built(name, target))}
    except NotHereError as reason:
        return {"missing": str(reason)}
    except BuildError as error:
        return {"failed": str(error)}


def build_all(names: list[str], targets: list[Target]) -> dict[str, dict[str, dict[str, str]]]:
    """Build these bindings for these interpreters, several at a time."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        futures = {
            target.python: {name: pool.submit(outcome, name, target) for name in names}
            for target in targets
        }
        return {
            python: {name: future.result() for name, future in of_python.items()}
            for python, of_python in futures.items()
        }


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binding", nargs="*", help=", ".join(RECIPES))
    names = parser.parse_args().binding or list(RECIPES)
    unknown = [name for name in names if name not in RECIPES]
    if unknown:
        parser.error(f"no binding {unknown[0]!r}: there are {', '.join(RECIPES)}")
    pythons = [os.environ[variable] for variable in VARIABLES if os.environ.get(variable)]
    if not pythons:
        parser.error(f"neither {' nor '.join(VARIABLES)} is set")
    try:
        outcomes = build_all(names, [Target.of(python) for python in pythons])
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(outcomes))
    results = [result for of_python in outcomes.values() for result in of_python.values()]
    for result in results:
        if "failed" in result:
            print(result["failed"], file=sys.stderr)
    return 1 if any("failed" in result for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
