"""Debian's arm64 Python, an emulator for it and a C++ library, unpacked in the cache.

Nothing is installed.

The packages come by apt, which checks their signatures, from the machine's own mirror or
GILSCOPE_DEBIAN_MIRROR. Standard library only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import interpreters
from interpreters import InterpreterError

SUITE = "trixie"
SERIES = "3.13"
PACKAGES = (f"python{SERIES}", "libstdc++6")
HEADERS = f"libpython{SERIES}-dev"  # without the C library's, which the compiler has
CXX_SUITE, CXX_VERSION = "bookworm", "12"
CXX_PACKAGES = (f"libstdc++-{CXX_VERSION}-dev", "libstdc++6", "libgcc-s1")
EMULATORS = ("qemu-aarch64-static", "qemu-aarch64")
MARKER = "complete"
TRIPLET = "aarch64-linux-gnu"


@dataclass(frozen=True)
class Root:
    """A directory with Debian's arm64 Python.

    Attributes:
        path: Where it is unpacked.
        emulator: The emulator of user programs.
    """

    path: Path
    emulator: Path

    @property
    def include(self) -> Path:
        """The Python's headers; their pyconfig.h finds that of the architecture."""
        return self.path / "usr/include" / f"python{SERIES}"

    @property
    def python(self) -> Path:
        """The interpreter: a command that runs it in the emulator, also for its own children."""
        return self.path / "usr/bin" / f"python{SERIES}"

    @property
    def site(self) -> Path:
        """Where it finds packages that are no part of it."""
        return self.path / "usr/local/lib" / f"python{SERIES}/dist-packages"

    def run(self, *words: str, timeout: float = 120) -> str:
        """Run the interpreter with arguments; return its standard output.

        Raises:
            InterpreterError: It failed.
        """
        command = [str(self.python), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
        if done.returncode != 0:
            raise InterpreterError(f"the arm64 Python failed: {done.stderr.strip()[-500:]}")
        return done.stdout


def private_apt(directory: Path, architecture: str, suite: str) -> dict[str, str]:
    """Lay out an apt of our own for binary packages of an architecture."""
    env = interpreters.private_apt(directory, suite)
    sources = directory / "etc/sources.list"
    sources.write_text(sources.read_text().replace("deb-src ", "deb ", 1))
    with (directory / "etc/apt.conf").open("a") as file:
        file.write(f'APT::Architecture "{architecture}";\nAPT::Architectures "{architecture}";\n')
    return env


def unpack(
    packages: tuple[str, ...], architecture: str, into: Path, *, alone: bool, suite: str = SUITE
) -> None:
    """Download packages and unpack them.

    Args:
        packages: Their names.
        architecture: Debian's name of it.
        into: The directory to unpack to.
        alone: Without what they depend on.
        suite: Debian's name of the release.

    Raises:
        InterpreterError: apt failed.
    """
    with tempfile.TemporaryDirectory(prefix="gilscope-arm64-") as directory:
        place = Path(directory)
        env = {**os.environ, **private_apt(place / "apt", architecture, suite)}
        quiet = ["apt-get", "-qq"]
        install = ["-y", "--no-install-recommends", "-d", "install"]
        steps = [[*quiet, "update"], [*quiet, *(["download"] if alone else install), *packages]]
        for step in steps:
            done = subprocess.run(
                step, cwd=place, env=env, capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                raise InterpreterError(f"{' '.join(step)}: {done.stderr.strip()[-800:]}")
        found = [*place.glob("*.deb"), *place.glob("apt/cache/archives/*.deb")]
        for package in found:
            subprocess.run(["dpkg-deb", "-x", package, into], check=True)  # noqa: S607


def emulator() -> Path:
    """Return the emulator: that of the machine, or Debian's, unpacked in the cache.

    Raises:
        InterpreterError: There is none, and none can be had.
    """
    for name in EMULATORS:
        if found := shutil.which(name):
            return Path(found)
    place = interpreters.cache_root() / "qemu"
    path = place / "usr/bin" / EMULATORS[1]
    if not path.exists():
        host = subprocess.check_output(["dpkg", "--print-architecture"], text=True)  # noqa: S607
        unpack(("qemu-user",), host.strip(), place, alone=True)
    return path


@dataclass(frozen=True)
class CxxLibrary:
    """The C++ library of an older Debian: what is linked against it runs with later ones, too.

    Attributes:
        include: Directories of its headers.
        libraries: libstdc++ and libgcc, which has the unwinder.
    """

    include: tuple[Path, Path]
    libraries: tuple[Path, Path]


def cxx_library(machine: str) -> CxxLibrary:
    """Return the C++ library for x86_64 or aarch64, made if it is not there yet.

    Raises:
        InterpreterError: It cannot be had.
    """
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[machine]
    base = interpreters.cache_root()
    place = base / f"libstdc++-{architecture}-{CXX_SUITE}"
    with interpreters.locked(base, interpreters.Progress()):
        if not (place / MARKER).exists():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            unpack(CXX_PACKAGES, architecture, place, alone=True, suite=CXX_SUITE)
            (place / MARKER).touch()
    triplet = f"{machine}-linux-gnu"
    usr = place / "usr"
    [libgcc] = place.glob(f"**/{triplet}/libgcc_s.so.1")
    return CxxLibrary(
        (usr / "include/c++" / CXX_VERSION, usr / "include" / triplet / "c++" / CXX_VERSION),
        (usr / "lib" / triplet / "libstdc++.so.6", libgcc),
    )


def wrap(root: Root) -> None:
    """Put a command in the interpreter's place, so that the kernel can execute it.

    The emulator tells the interpreter the command's name, so it finds its library and itself.
    """
    program = root.python.with_name(f"{root.python.name}.elf")
    root.python.rename(program)
    words = f'"{root.emulator}" -0 "{root.python}" -L "{root.path}" "{program}"'
    root.python.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
    root.python.chmod(0o755)


def provide() -> Root:
    """Return the root, made if it is not there yet.

    Raises:
        InterpreterError: It cannot be made.
    """
    if shutil.which("apt-get") is None:
        raise InterpreterError("needs apt-get: Debian's arm64 packages are used")
    base = interpreters.cache_root()
    with interpreters.locked(base, interpreters.Progress()):
        place = base / f"arm64-{SUITE}"
        if not (place / MARKER).exists():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            # As on an installed system: the loader's path goes through it.
            (place / "usr/lib").mkdir(parents=True)
            (place / "lib").symlink_to("usr/lib")
            unpack(PACKAGES, "arm64", place, alone=False)
            unpack((HEADERS,), "arm64", place, alone=True)
            wrap(Root(place, emulator()))
            (place / MARKER).touch()
        return Root(place, emulator())
