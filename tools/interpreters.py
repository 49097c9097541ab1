#!/usr/bin/env python3
"""Provide a stock and a free-threaded CPython of one version, newest first.

Sources, in this order: the environment (GILSCOPE_PYTHON, GILSCOPE_FT_PYTHON), PATH, uv, the cache
(~/.cache/gilscope, or below XDG_CACHE_HOME), and at last a build of Debian's own source package,
both builds with equal flags, into that cache. Needs the standard library of any Python >= 3.9.

    python3 tools/interpreters.py                 provide both, print them as JSON
    python3 tools/interpreters.py --find          look only: exit status 3 none, 4 only a stock one
    python3 tools/interpreters.py --list          all that was considered, and why it was refused
    python3 tools/interpreters.py --version 3.13  this series only
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import fcntl
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

SERIES = ("3.15", "3.14", "3.13")
SUITES = ("sid", "forky", "trixie")
MIRROR_VARIABLE = "GILSCOPE_DEBIAN_MIRROR"
MACHINE_SOURCES = Path("/etc/apt")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MARKER = ".gilscope-complete.json"
ARMS = ("gil", "ft")
# pip is bootstrapped in virtual environments only, so `make install` need not do it.
CONFIGURE_FLAGS = ("--with-ensurepip=no",)
FREE_SPACE_NEEDED = 2 * 1024**3  # bytes: unpacked source, one build tree, two installations
EXIT_NONE, EXIT_STOCK_ONLY, EXIT_INTERRUPTED = 3, 4, 130

COMPILED = re.compile(rb" -c [^\n]*\.o\b")  # a compiler's command in make's output

LAYOUT_PATCH = re.compile(
    rb"^\+.*(?:dist-packages|posix_local|deb_system|disabled_in_debian)", re.MULTILINE
)

# Runs inside the interpreter that is examined. Headers are looked up where a compiler would.
INSPECT = """
import json, os, platform, sys, sysconfig
include = sysconfig.get_path("include")
try:
    import ensurepip, venv
    pip = bool(ensurepip.version())
except Exception:
    pip = False
print(json.dumps({
    "executable": sys.executable,
    "implementation": platform.python_implementation(),
    "version": platform.python_version(),
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "include": include,
    "missing": [name for name in ("Python.h", "pyconfig.h", "internal/pycore_gil.h")
                if not any(os.path.exists(os.path.join(place, name))
                           for place in {include, sysconfig.get_path("platinclude")})],
    "ensurepip": pip,
}))
"""

# What a build needs: header (or None: a program), Debian package, what is lost without it.
REQUIRED_HEADERS = (
    ("stdio.h", "libc6-dev"),
    ("openssl/ssl.h", "libssl-dev"),
    ("ffi.h", "libffi-dev"),
    ("zlib.h", "zlib1g-dev"),
)
OPTIONAL_HEADERS = (
    ("bzlib.h", "libbz2-dev", "no bz2 module"),
    ("lzma.h", "liblzma-dev", "no lzma module"),
    ("sqlite3.h", "libsqlite3-dev", "no sqlite3 module"),
)


class InterpreterError(Exception):
    """No pair of interpreters can be had; the message is one line that says what to do."""


class RefusedError(Exception):
    """One candidate is unfit; the message is the reason."""


@dataclass(frozen=True)
class Interpreter:
    """One CPython that was run and found fit.

    Attributes:
        executable: Absolute path, as the interpreter itself gives it.
        version: Full version, for example "3.13.5".
        free_threaded: True if it was built with --disable-gil.
        has_ensurepip: True if `-m venv` can put pip into an environment.
    """

    executable: str
    version: str
    free_threaded: bool
    has_ensurepip: bool

    @property
    def series(self) -> str:
        """Major and minor version: "3.13"."""
        return series_of(self.version)


@dataclass(frozen=True)
class Pair:
    """The interpreters of one comparison, as the JSON output has them.

    Attributes:
        version: Full version of the stock interpreter.
        free_threaded_version: That of the other; the same, unless the user's own ones differ.
        source: "environment", "path", "uv", "cache" or "debian-source" (built just now).
        stock: Path of the stock interpreter.
        free_threaded: Path of the free-threaded one; None if there is only a stock one.
        has_ensurepip: True if `-m venv` puts pip into environments of both.
    """

    version: str
    free_threaded_version: str | None
    source: str
    stock: str
    free_threaded: str | None
    has_ensurepip: bool


@dataclass(frozen=True)
class Considered:
    """One line of `--list`: a candidate and what became of it."""

    source: str
    candidate: str
    verdict: str


@dataclass(frozen=True)
class SourcePackage:
    """A Debian source package whose index was signed; `version` includes Debian's revision."""

    name: str
    version: str
    suite: str

    @property
    def upstream(self) -> str:
        """The CPython version: "3.13.5" for "3.13.5-2+deb13u5"."""
        return self.version.rsplit("-", 1)[0]

    @property
    def label(self) -> str:
        """How apt names it: "python3.13=3.13.5-2+deb13u5"."""
        return f"{self.name}={self.version}"


def series_of(version: str) -> str:
    """Return major and minor of a full version: "3.13" for "3.13.5"."""
    return ".".join(version.split(".")[:2])


def version_key(version: str) -> tuple[int, ...]:
    """Return a sort key for CPython versions; a pre-release sorts before its final release."""
    match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)(?:~?(a|b|rc)(\d+))?\+?", version)
    if match is None:
        return (0,)
    stage = {"a": 0, "b": 1, "rc": 2, None: 3}[match[4]]
    return (int(match[1]), int(match[2]), int(match[3]), stage, int(match[5] or 0))


def cache_root() -> Path:
    """Return the cache directory; a relative XDG_CACHE_HOME is ignored, as its standard says."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "gilscope"


# ---------------------------------------------------------------- examining one interpreter


def inspect(executable: str, timeout: float = 60) -> tuple[Interpreter, list[str]]:
    """Run an interpreter and return what it is, and the header files that it lacks.

    Raises:
        RefusedError: It does not run, is not CPython, or does not answer within `timeout` seconds.
    """
    try:
        done = subprocess.run(
            [executable, "-I", "-c", INSPECT],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except OSError as error:
        raise RefusedError(f"does not run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise RefusedError(f"does not run: no answer within {timeout:.0f} s") from error
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no message"])[0]
        raise RefusedError(f"does not run: exit status {done.returncode}: {said}")
    try:
        facts: dict[str, Any] = json.loads(done.stdout)
        found = Interpreter(
            executable=str(facts["executable"]),
            version=str(facts["version"]),
            free_threaded=bool(facts["free_threaded"]),
            has_ensurepip=bool(facts["ensurepip"]),
        )
        missing = [f"{facts['include']}/{name}" for name in facts["missing"]]
        implementation = facts["implementation"]
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedError("does not run: its answer is not that of a Python") from error
    if implementation != "CPython":
        raise RefusedError(f"is {implementation}, not CPython")
    return found, missing


def check(executable: str, *, free_threaded: bool, series: Sequence[str]) -> Interpreter:
    """Return the interpreter if it is what is asked for.

    Args:
        executable: Path of the interpreter.
        free_threaded: Which of the two builds is wanted.
        series: The accepted versions, "3.13" and so on.

    Raises:
        RefusedError: Wrong version, wrong build, or no development headers; says which.
    """
    found, missing = inspect(executable)
    if found.series not in series:
        raise RefusedError(f"is Python {found.version}, wanted {' or '.join(series)}")
    if found.free_threaded != free_threaded:
        kind = {True: "a free-threaded", False: "a stock (GIL)"}
        raise RefusedError(
            f"is {kind[found.free_threaded]} build, wanted {kind[free_threaded]} one"
        )
    if missing:
        raise RefusedError(f"has no development headers: {missing[0]} is missing")
    return found


class Survey:
    """Examines candidates, and keeps a record of every one for `--list`."""

    def __init__(self) -> None:
        self.considered: list[Considered] = []

    def note(self, source: str, candidate: str, verdict: str) -> None:
        """Record a verdict on a candidate."""
        self.considered.append(Considered(source, candidate, verdict))

    def examine(
        self, source: str, executable: str, *, free_threaded: bool, series: Sequence[str]
    ) -> Interpreter | None:
        """Return the interpreter, or None if it was refused; the record keeps the reason."""
        try:
            found = check(executable, free_threaded=free_threaded, series=series)
        except RefusedError as refusal:
            self.note(source, executable, f"refused: {refusal}")
            return None
        kind = "free-threaded" if free_threaded else "stock"
        self.note(source, executable, f"accepted: Python {found.version}, {kind}")
        return found


# ---------------------------------------------------------------- places to look


@dataclass(frozen=True)
class Match:
    """What one source has of one series; either half may be missing."""

    source: str
    stock: Interpreter | None
    free_threaded: Interpreter | None


def pair_up(
    source: str, stocks: Iterable[Interpreter], free_threaded: Iterable[Interpreter]
) -> Match:
    """Choose one of each, of the very same version where that is possible."""
    left, right = list(stocks), list(free_threaded)
    for one in left:
        for other in right:
            if one.version == other.version:
                return Match(source, one, other)
    return Match(source, left[0] if left else None, right[0] if right else None)


def programs_on_path(name: str) -> Iterator[str]:
    """Yield every program of that name on PATH, first come first, each file once."""
    seen: set[str] = set()
    for directory in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = shutil.which(name, path=directory or os.curdir)
        if path is not None and os.path.realpath(path) not in seen:
            seen.add(os.path.realpath(path))
            yield str(Path(path).absolute())


def on_path(survey: Survey, series: Sequence[str]) -> Iterator[Match]:
    """Look for python3.X and python3.Xt on PATH, newest first."""
    for one in series:
        found: dict[bool, list[Interpreter]] = {False: [], True: []}
        for free_threaded, name in ((False, f"python{one}"), (True, f"python{one}t")):
            programs = list(programs_on_path(name))
            if not programs:
                survey.note("path", name, "not there")
            for program in programs:
                interpreter = survey.examine(
                    "path", program, free_threaded=free_threaded, series=[one]
                )
                if interpreter is not None:
                    found[free_threaded].append(interpreter)
        yield pair_up("path", found[False], found[True])


def ask_uv(uv: str, arguments: Sequence[str], timeout: float) -> str:
    """Run uv and return its standard output.

    Raises:
        RefusedError: It failed or took longer than `timeout` seconds; with its own first line.
    """
    # Only uv's own: PATH was looked at before, and a broken interpreter there ends uv's search.
    # --no-config: what is found must not depend on the project in the working directory.
    env = {key: value for key, value in os.environ.items() if not key.endswith("MANAGED_PYTHON")}
    env.update(UV_PYTHON_PREFERENCE="only-managed", UV_HTTP_RETRIES="1")
    try:
        done = subprocess.run(
            [uv, "--no-config", "--no-progress", "python", *arguments],
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except OSError as error:
        raise RefusedError(f"uv does not run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise RefusedError(f"uv took longer than {timeout:.0f} s") from error
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[0]
        raise RefusedError(f"uv: {said.strip().replace('error: ', '', 1)}")
    return done.stdout.strip()


def by_uv(survey: Survey, series: Sequence[str]) -> Iterator[Match]:
    """Ask uv for interpreters that are already installed, newest first; downloads nothing."""
    uv = shutil.which("uv")
    if uv is None:
        survey.note("uv", "uv", "not on PATH")
        return
    for one in series:
        halves: dict[bool, list[Interpreter]] = {False: [], True: []}
        for free_threaded, request in ((False, one), (True, f"{one}t")):
            arguments = ["find", "--system", "--no-project", "--no-python-downloads", request]
            try:
                path = ask_uv(uv, arguments, timeout=60)
            except RefusedError as refusal:
                survey.note("uv", request, f"refused: {refusal}")
                continue
            interpreter = survey.examine("uv", path, free_threaded=free_threaded, series=[one])
            if interpreter is not None:
                halves[free_threaded].append(interpreter)
        yield pair_up("uv", halves[False], halves[True])


def read_marker(prefix: Path) -> dict[str, str] | None:
    """Return what a whole build wrote last, or None if the build was never finished."""
    try:
        marker = json.loads((prefix / MARKER).read_text(encoding="utf-8"))
        return {key: str(marker[key]) for key in ("version", "package", "flags", "executable")}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_marker(prefix: Path, marker: Mapping[str, str]) -> None:
    """Declare a build whole: the last act of a build, atomic and durable."""
    temporary = prefix / (MARKER + ".new")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(marker, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(prefix / MARKER)


def cached_arm(survey: Survey, prefix: Path, series: Sequence[str]) -> Interpreter | None:
    """Return the interpreter of one cached build, or None if it is not whole."""
    marker = read_marker(prefix)
    if marker is None:
        if prefix.exists():
            survey.note("cache", str(prefix), "refused: a build that was never finished")
        return None
    return survey.examine(
        "cache", marker["executable"], free_threaded=prefix.name == "ft", series=series
    )


def in_cache(survey: Survey, series: Sequence[str]) -> Iterator[Match]:
    """Look for whole builds in the cache, newest first; both of one package, with equal flags."""
    root = cache_root()
    names = [path.name for path in root.glob("[0-9]*") if version_key(path.name) > (0,)]
    wanted = [name for name in names if series_of(name) in series]
    if not wanted:
        survey.note("cache", str(root), "holds no builds")
    for name in sorted(wanted, key=version_key, reverse=True):
        stock, free_threaded = (cached_arm(survey, root / name / arm, series) for arm in ARMS)
        markers = [read_marker(root / name / arm) or {} for arm in ARMS]
        if any(markers[0].get(key) != markers[1].get(key) for key in ("package", "flags")):
            if stock is not None and free_threaded is not None:
                survey.note("cache", str(root / name), "refused: the two were built differently")
            free_threaded = None
        yield Match("cache", stock, free_threaded)


def from_environment(survey: Survey, series: Sequence[str]) -> Match:
    """Return what GILSCOPE_PYTHON and GILSCOPE_FT_PYTHON name.

    Raises:
        InterpreterError: A variable names an interpreter that is unfit, or the two differ.
    """
    halves: list[Interpreter | None] = []
    for variable, free_threaded in (("GILSCOPE_PYTHON", False), ("GILSCOPE_FT_PYTHON", True)):
        value = os.environ.get(variable, "").strip()
        if not value:
            survey.note("environment", variable, "not set")
            halves.append(None)
            continue
        path = shutil.which(Path(value).expanduser()) or value
        found = survey.examine("environment", path, free_threaded=free_threaded, series=series)
        if found is None:
            reason = survey.considered[-1].verdict.replace("refused: ", "", 1)
            raise InterpreterError(f"{variable}={value}: {reason}")
        halves.append(found)
    stock, threaded = halves
    if stock and threaded and stock.series != threaded.series:
        raise InterpreterError(
            f"GILSCOPE_PYTHON is {stock.version}, GILSCOPE_FT_PYTHON is {threaded.version}:"
            " the two must be of one version"
        )
    return Match("environment", stock, threaded)


# ---------------------------------------------------------------- find


def as_pair(match: Match) -> Pair | None:
    """Return the pair of a match; None without a stock interpreter."""
    stock, other = match.stock, match.free_threaded
    if stock is None:
        return None
    return Pair(
        version=stock.version,
        free_threaded_version=other.version if other else None,
        source=match.source,
        stock=stock.executable,
        free_threaded=other.executable if other else None,
        has_ensurepip=stock.has_ensurepip and (other is None or other.has_ensurepip),
    )


def completed(pinned: Match, match: Match) -> Match:
    """Fill the half that the environment leaves open; what it names always wins."""
    if pinned.stock is None and pinned.free_threaded is None:
        return match
    return Match(
        "environment",
        pinned.stock or match.stock,
        pinned.free_threaded or match.free_threaded,
    )


def narrowed(pinned: Match, series: Sequence[str]) -> Sequence[str]:
    """Return the series still open once the environment has named one of the two."""
    named = pinned.stock or pinned.free_threaded
    return [named.series] if named else series


def find(series: Sequence[str] = SERIES, survey: Survey | None = None) -> Pair | None:
    """Look for interpreters; download and build nothing.

    Args:
        series: The versions to accept, in order of preference.
        survey: Receives a record of every candidate.

    Returns:
        The first whole pair; else a stock interpreter with `free_threaded` None; else None.

    Raises:
        InterpreterError: An environment variable names an unfit interpreter.
    """
    survey = survey or Survey()
    pinned = from_environment(survey, series)
    series = narrowed(pinned, series)
    partial = as_pair(pinned)
    if partial is not None and partial.free_threaded is not None:
        return partial
    for look in (on_path, by_uv, in_cache):
        for match in look(survey, series):
            pair = as_pair(completed(pinned, match))
            if pair is not None and pair.free_threaded is not None:
                return pair
            partial = partial or pair
    return partial


def survey_all(series: Sequence[str]) -> list[Considered]:
    """Look everywhere without stopping at the first pair, and return every verdict."""
    survey = Survey()
    with contextlib.suppress(InterpreterError):  # its reason is in the record
        from_environment(survey, series)
    for look in (on_path, by_uv, in_cache):
        for _ in look(survey, series):
            pass
    lacking, notices = missing_for_build(cache_root())
    for text in lacking:
        survey.note("debian-source", "build", f"refused: {text}")
    for text in notices:
        survey.note("debian-source", "build", f"notice: {text}")
    if not lacking:
        survey.note("debian-source", "build", "possible, tried last")
    return survey.considered


# ---------------------------------------------------------------- progress


class Progress:
    """Tells on a stream what goes on: one live line on a terminal, else a line now and then."""

    def __init__(self, stream: TextIO | None = None, interval: float = 20) -> None:
        self.stream = stream or sys.stderr
        self.interval = interval  # seconds between lines where there is no terminal
        self.live = self.stream.isatty()
        self.began = time.monotonic()
        self.last = self.began
        self.dirty = False

    def say(self, text: str) -> None:
        """Write a line that stays."""
        self._put(text, end="\n")

    def tick(self, text: str) -> None:
        """Show a passing state; seldom written where the stream is no terminal."""
        now = time.monotonic()
        if now - self.last >= (0.2 if self.live else self.interval):
            self._put(text, end="" if self.live else "\n")

    def _put(self, text: str, end: str) -> None:
        self.last = time.monotonic()
        wipe = "\r\033[K" if self.dirty else ""
        self.dirty = end == ""
        width = shutil.get_terminal_size().columns - 1 if self.dirty else 1000
        line = f"[{self.last - self.began:4.0f} s] {text}"
        with contextlib.suppress(OSError):  # a closed terminal must not end the build
            self.stream.write(wipe + line[:width] + end)
            self.stream.flush()


@contextlib.contextmanager
def locked(root: Path, progress: Progress) -> Iterator[int]:
    """Hold the cache's lock; a second run says that it waits.

    Yields:
        The lock's file descriptor. Commands inherit it, so that the lock outlives a killed run
        for as long as anything that it started still writes to the cache.

    Raises:
        InterpreterError: The cache cannot be written to.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise InterpreterError(f"cannot write to the cache {root}: {error.strerror}") from error
    try:
        waiting = False
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                text = f"another run is at work in {root}: waiting for it"
                (progress.tick if waiting else progress.say)(text)
                waiting = True
                time.sleep(0.2)
        yield descriptor
    finally:
        os.close(descriptor)


# ---------------------------------------------------------------- building


def compiler() -> list[str]:
    """Return the C compiler's command: CC if set, else gcc or cc; empty if there is none."""
    command = shlex.split(os.environ.get("CC", ""))
    if command:
        return command if shutil.which(command[0]) else []
    return next(([name] for name in ("gcc", "cc") if shutil.which(name)), [])


def has_header(cc: Sequence[str], header: str) -> bool:
    """Tell whether the compiler finds a header: asked by preprocessing, not by package name."""
    flags = shlex.split(os.environ.get("CPPFLAGS", ""))
    try:
        done = subprocess.run(
            [*cc, *flags, "-E", "-x", "c", "-"],
            input=f"#include <{header}>\n",
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def missing_for_build(root: Path) -> tuple[list[str], list[str]]:
    """Name what a build lacks, before anything is downloaded.

    Args:
        root: The cache directory, which the build is installed into.

    Returns:
        Errors (nothing can be built) and notices (something is left out), a line each.
    """
    packages: list[str] = []
    errors, notices = [], []
    cc = compiler()
    if not cc:
        packages += ["gcc", "libc6-dev"]
    packages += [] if shutil.which("make") else ["make"]
    headers = REQUIRED_HEADERS if cc else ()
    packages += [package for header, package in headers if not has_header(cc, header)]
    packages += [] if KEYRING.is_file() else ["debian-archive-keyring"]
    if packages:
        errors.append(f"missing {', '.join(packages)}: run apt-get install {' '.join(packages)}")
    if not shutil.which("apt-get"):
        errors.append("no apt-get on PATH: Debian's source package cannot be had")
    if re.search(r"\s", str(root)):
        errors.append(
            f"{root} holds a space, which CPython's build cannot bear: set XDG_CACHE_HOME"
        )
    place = next((path for path in (root, *root.parents) if path.exists()), Path("/"))
    if shutil.disk_usage(place).free < FREE_SPACE_NEEDED:
        errors.append(f"less than {FREE_SPACE_NEEDED >> 30} GiB free in {place}: free some")
    for header, package, loss in OPTIONAL_HEADERS if cc else ():
        if not has_header(cc, header):
            notices.append(f"{package} is not there: {loss}")
    if not has_dpkg_dev():
        notices.append("dpkg-dev is not there: Debian's patches are left out")
    return errors, notices


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a command and all that it started, by its process group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)


@dataclass(frozen=True)
class Runner:
    """Runs the commands of a build, their output in a log, and tells how far they are.

    Attributes:
        progress: Told what goes on.
        log: File that receives the commands and all that they write.
        lock: Descriptor of the cache's lock, which the commands inherit.
    """

    progress: Progress
    log: Path
    lock: int

    def run(
        self,
        what: str,
        command: Sequence[str],
        cwd: Path,
        env: Mapping[str, str] | None = None,
        timeout: float = 3600,
    ) -> None:
        """Run a command to its end.

        Args:
            what: The step's name, shown while it runs.
            command: Program and arguments.
            cwd: Directory to run in.
            env: Variables on top of the environment.
            timeout: Seconds after which it is ended.

        Raises:
            InterpreterError: It failed or took too long; with the log's last 20 lines.
        """
        self.progress.say(what)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output, self.log.open("rb") as text:
            output.write(f"\n$ {shlex.join(command)}\n".encode())
            output.flush()
            text.seek(0, os.SEEK_END)
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env={**clean_environment(), **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(self.lock,),
            )
            try:
                self._follow(what, process, text, timeout)
            finally:
                if process.poll() is None:
                    stop(process)
        if process.returncode != 0:
            raise InterpreterError(f"{what} failed (exit status {process.returncode}){self.tail()}")

    def _follow(
        self, what: str, process: subprocess.Popen[bytes], text: Any, timeout: float
    ) -> None:
        compiled, deadline = 0, time.monotonic() + timeout
        while process.poll() is None:
            compiled += len(COMPILED.findall(text.read()))
            self.progress.tick(what + (f": {compiled} files compiled" if compiled else ""))
            if time.monotonic() > deadline:
                raise InterpreterError(f"{what} took longer than {timeout:.0f} s{self.tail()}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.2)

    def tail(self, lines: int = 20) -> str:
        """Return the end of what the last command wrote, to follow an error's first line."""
        text = self.log.read_text(encoding="utf-8", errors="replace").rpartition("\n$ ")[2]
        said = text.splitlines()[1:][-lines:]  # the first line is the command
        return f", log: {self.log}\n" + "\n".join(f"  {line}" for line in said)


@contextlib.contextmanager
def work_directory(path: Path) -> Iterator[Path]:
    """Give an empty directory, and remove it with all its contents at the end, however it ends."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def mirror() -> str:
    """Return the Debian mirror to use: the variable's, else the one that the machine itself uses.

    Raises:
        InterpreterError: The machine uses none.
    """
    if os.environ.get(MIRROR_VARIABLE):
        return os.environ[MIRROR_VARIABLE]
    files = [MACHINE_SOURCES / "sources.list"]
    files += sorted(MACHINE_SOURCES.glob("sources.list.d/*.list"))
    files += sorted(MACHINE_SOURCES.glob("sources.list.d/*.sources"))
    for file in files:
        with contextlib.suppress(OSError):
            text = file.read_text(encoding="utf-8", errors="replace")
            lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
            found = re.search(r"https?://\S+/debian(?=/?(?:\s|$))", "\n".join(lines))
            if found:
                return found[0]
    raise InterpreterError(
        f"no Debian mirror is set up on this machine: name one in {MIRROR_VARIABLE}, "
        "or install a stock and a free-threaded CPython of one version on PATH"
    )


def proxies() -> str:
    """Return the proxy settings of the machine's apt; these and its mirror are taken over."""
    try:
        done = subprocess.run(
            ["apt-config", "dump"],  # noqa: S607 (apt's tools are wherever PATH has them)
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    wanted = r'^Acquire::https?::Proxy(?:::[\w.-]+)? "[^"\n]+";$'
    return "\n".join(re.findall(wanted, done.stdout, flags=re.MULTILINE))


def private_apt(directory: Path, suite: str) -> dict[str, str]:
    """Lay out an apt of our own, which neither reads nor writes the machine's.

    Args:
        directory: An empty directory; holds the configuration, lists and state.
        suite: The Debian suite whose source packages are wanted.

    Returns:
        The environment variable that makes apt's tools use it.
    """
    for part in ("etc/empty", "state/lists/partial", "cache/archives/partial"):
        (directory / part).mkdir(parents=True)
    (directory / "state/status").touch()
    (directory / "etc/sources.list").write_text(
        f"deb-src [signed-by={KEYRING}] {mirror()} {suite} main\n"
    )
    settings = f"""
Dir::Etc "{directory}/etc";
Dir::Etc::sourcelist "{directory}/etc/sources.list";
Dir::Etc::sourceparts "{directory}/etc/empty";
Dir::Etc::parts "{directory}/etc/empty";
Dir::Etc::preferencesparts "{directory}/etc/empty";
Dir::Etc::trustedparts "{directory}/etc/empty";
Dir::State "{directory}/state";
Dir::State::status "{directory}/state/status";
Dir::Cache "{directory}/cache";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "30";
// What is not signed, or signed too long ago, is refused: these must not be weakened from outside.
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::Check-Valid-Until "true";
APT::Get::AllowUnauthenticated "false";
APT::Update::Error-Mode "any";
// The directories are the caller's own: root's apt could not hand them to its user _apt.
APT::Sandbox::User "root";
"""
    path = directory / "etc/apt.conf"
    path.write_text(settings + proxies() + "\n")
    return {"APT_CONFIG": str(path)}


def newest_in(
    index: str, series: Sequence[str], suite: str, name: str = "python"
) -> SourcePackage | None:
    """Choose from the output of `apt-cache showsrc` the first series that is there.

    Args:
        index: Paragraphs with Package and Version fields.
        series: The versions to accept, in order of preference.
        suite: Where the index came from.
        name: The packages' common name, to which the series is appended.
    """
    offered: dict[str, list[str]] = {}
    for paragraph in index.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Version): (\S+)$", paragraph, flags=re.MULTILINE))
        if fields.keys() == {"Package", "Version"}:
            offered.setdefault(fields["Package"], []).append(fields["Version"])
    for one in series:
        packages = [
            SourcePackage(f"{name}{one}", version, suite)
            for version in offered.get(f"{name}{one}", [])
            if version_key(version.rsplit("-", 1)[0]) > (0,)
        ]
        if packages:
            return max(packages, key=lambda package: version_key(package.upstream))
    return None


def choose_package(
    runner: Runner, work: Path, series: Sequence[str], name: str = "python"
) -> tuple[SourcePackage, dict[str, str]]:
    """Find the newest source package whose index carries a valid signature.

    Returns:
        The package, and the environment in which apt knows it.

    Raises:
        InterpreterError: No suite has one; names each suite's reason.
    """
    reasons = []
    for suite in SUITES:
        env = private_apt(work / f"apt-{suite}", suite)
        try:
            runner.run(f"read Debian {suite}'s index", ["apt-get", "update"], work, env, 600)
        except InterpreterError as error:
            said = [line.strip() for line in str(error).splitlines() if "E: " in line]
            reasons.append(f"{suite}: {said[0].split('E: ', 1)[1] if said else 'unreachable'}")
            runner.progress.say(f"refused: {reasons[-1]}")
            continue
        names = [f"{name}{one}" for one in series]
        index = subprocess.run(
            ["apt-cache", "showsrc", "--only-source", *names],  # noqa: S607 (as above)
            env={**clean_environment(), **env},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        package = newest_in(index.stdout, series, suite, name)
        if package is not None:
            return package, env
        reasons.append(f"{suite}: has none of {', '.join(names)}")
    what, hint = name.capitalize(), ""
    if name == "python":
        what = "CPython"
        hint = ": set GILSCOPE_PYTHON and GILSCOPE_FT_PYTHON to interpreters of your own"
    raise InterpreterError(
        f"no {what} source package can be had from Debian ({'; '.join(reasons)}){hint}"
    )


def has_dpkg_dev() -> bool:
    """Tell whether Debian's patches can be applied."""
    return all(shutil.which(name) for name in ("dpkg-source", "patch"))


def wanted_patches(directory: Path) -> list[Path]:
    """Return the patches of a source package in their order, but for those of Debian's layout.

    They move packages to dist-packages, which fits Debian's own interpreter only: a free-threaded
    build would look for a virtual environment's packages in python3.13 and not in python3.13t.
    """
    lines = (directory / "series").read_text(encoding="utf-8").splitlines()
    names = [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]
    return [
        directory / name
        for name in names
        if not LAYOUT_PATCH.search((directory / name).read_bytes())
    ]


def fetch(runner: Runner, package: SourcePackage, env: Mapping[str, str], work: Path) -> Path:
    """Download a source package, which apt checks against its signed index, and unpack it.

    Returns:
        The source tree.

    Raises:
        InterpreterError: The download or the unpacking failed.
    """
    place = work / "download"
    place.mkdir()
    command = ["apt-get", "source", "--download-only", "--only-source", package.label]
    runner.run(f"fetch {package.label} from Debian {package.suite}", command, place, env, 900)
    return unpack(runner, package.label, place, work)


def unpack(runner: Runner, label: str, place: Path, work: Path) -> Path:
    """Unpack a source package into `work`, with Debian's patches if dpkg-dev is there.

    Args:
        runner: Runs the commands.
        label: The package's name in messages.
        place: Where it was downloaded to.
        work: Where its source tree is made.

    Returns:
        The source tree.

    Raises:
        InterpreterError: The unpacking failed.
    """
    source = work / "source"
    if has_dpkg_dev():
        command = ["dpkg-source", "--extract", "--skip-patches"]
        command += [*map(str, place.glob("*.dsc")), str(source)]
        runner.run("unpack", command, work, timeout=600)
        patches = wanted_patches(source / "debian/patches")
        # One shell for all: some sixty patches are one step, and the first failure ends it.
        applied = "; ".join(
            f"patch -p1 --no-backup-if-mismatch -i {shlex.quote(str(patch))}" for patch in patches
        )
        runner.run("apply Debian's patches", ["sh", "-ec", applied], source, timeout=600)
        return source
    runner.progress.say("unpack, without Debian's patches")
    try:
        with tarfile.open(next(place.glob("*.orig.tar.*[!c]"))) as archive:
            # The archive is the one that Debian signed; older Pythons have no filter to ask for.
            safe = {"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}
            archive.extractall(work / "unpacked", **safe)  # type: ignore[arg-type] # noqa: S202
    except (OSError, StopIteration, tarfile.TarError) as error:
        raise InterpreterError(f"cannot unpack {label}: {error}: install dpkg-dev") from error
    next((work / "unpacked").iterdir()).rename(source)
    return source


def build_flags(extra: Sequence[str] = ()) -> str:
    """Return all that decides how a build is made, for its marker: two must be equal in it."""
    variables = ("CC", "CFLAGS", "CPPFLAGS", "LDFLAGS")
    set_ones = [f"{name}={os.environ[name]}" for name in variables if os.environ.get(name)]
    return shlex.join([*CONFIGURE_FLAGS, *extra, *set_ones])


def clean_environment() -> dict[str, str]:
    """Return the environment without what an outer make or Python would pass on to a build."""
    unwanted = re.compile(r"MAKE|MFLAGS|PYTHON|VIRTUAL_ENV|DESTDIR|APT_CONFIG")
    kept = {name: value for name, value in os.environ.items() if not unwanted.match(name)}
    return {**kept, "LC_ALL": "C"}


def check_build(
    runner: Runner, what: str, executable: str, work: Path, launcher: Sequence[str] = ()
) -> Interpreter:
    """Make sure that a build is what the comparison needs.

    Args:
        runner: Runs the commands.
        what: The build's name in messages.
        executable: The installed interpreter.
        work: A directory to use, removed afterwards.
        launcher: A program, with its arguments, that runs what it is given.

    Raises:
        InterpreterError: A module is missing, or a virtual environment would not see its packages.
    """
    # make succeeds even if modules could not be built.
    modules = "import ctypes, ssl, zlib"
    packages = "import sys, sysconfig; sys.exit(sysconfig.get_path('purelib') not in sys.path)"
    with work_directory(work) as place:
        command = [*launcher, executable, "-c", modules]
        runner.run(f"{what}: check modules", command, place, timeout=60)
        command = [*launcher, executable, "-m", "venv", "--without-pip", "venv"]
        runner.run(f"{what}: make a virtual environment", command, place, timeout=120)
        command = [*launcher, str(place / "venv/bin/python"), "-c", packages]
        runner.run(f"{what}: check its packages", command, place, timeout=60)
    version = re.sub(r"t$", "", executable.rpartition("python")[2])
    try:
        return check(executable, free_threaded=executable.endswith("t"), series=[version])
    except RefusedError as refusal:
        raise InterpreterError(f"{what}: the build is unfit: {refusal}{runner.tail()}") from None


def build_arm(
    runner: Runner,
    package: SourcePackage,
    source: Path,
    prefix: Path,
    *,
    extra: Sequence[str] = (),
    launcher: Sequence[str] = (),
) -> None:
    """Configure, make and install one build, and declare it whole.

    Args:
        runner: Runs the commands.
        package: Where the source is from.
        source: The source tree; it stays clean, the build has a directory of its own.
        prefix: Where to install; its name begins with "gil" or "ft", which says which build it is.
            Wiped first.
        extra: Options of configure that this build has and others have not.
        launcher: A program, with its arguments, that runs the build's commands.

    Raises:
        InterpreterError: A step failed, or what was built does not work.
    """
    arm, _, special = prefix.name.partition("-")
    free_threaded = arm == "ft"
    kind = "free-threaded" if free_threaded else "stock"
    what = " ".join(filter(None, (kind, package.upstream, special)))
    shutil.rmtree(prefix, ignore_errors=True)
    with work_directory(source.parent / f"build-{prefix.name}") as build:
        flags = [f"--prefix={prefix}", *CONFIGURE_FLAGS, *extra]
        flags += ["--disable-gil"] if free_threaded else []
        command = [*launcher, str(source / "configure"), *flags]
        runner.run(f"{what}: configure", command, build)
        runner.run(f"{what}: make", [*launcher, "make", f"-j{os.cpu_count() or 1}"], build)
        # A special build is slow, and runs few modules: they are compiled when they are imported.
        options = ["COMPILEALL_OPTS=-r 0"] if special else []
        runner.run(f"{what}: install", [*launcher, "make", "install", *options], build)
    name = f"python{series_of(package.upstream)}{'t' if free_threaded else ''}"
    executable = str(prefix / "bin" / name)
    work = source.parent / f"check-{prefix.name}"
    found = check_build(runner, what, executable, work, launcher)
    marker = {
        "version": found.version,
        "package": package.label,
        "flags": build_flags(extra),
        "executable": executable,
    }
    write_marker(prefix, marker)


@contextlib.contextmanager
def reported() -> Iterator[None]:
    """Turn what the operating system refuses (a full disk, a lost program) into one line."""
    try:
        yield
    except (OSError, subprocess.SubprocessError) as error:
        raise InterpreterError(f"the build failed: {error}") from error


def build(series: Sequence[str], progress: Progress, lock: int) -> None:
    """Build both interpreters from Debian's source into the cache, whose lock is held.

    What an earlier run finished is kept, if it is of the same package and flags.

    Raises:
        InterpreterError: Something is missing, cannot be had, or failed; says what.
    """
    root = cache_root()
    errors, notices = missing_for_build(root)
    if errors:
        raise InterpreterError(f"cannot build CPython {'/'.join(series)}: {'; '.join(errors)}")
    for notice in notices:
        progress.say(f"notice: {notice}")
    runner = Runner(progress, root / "fetch.log", lock)
    runner.log.unlink(missing_ok=True)
    with reported(), work_directory(root / "work") as work:
        package, env = choose_package(runner, work, series)
        source: Path | None = None
        for arm in ARMS:
            prefix = root / package.upstream / arm
            marker = read_marker(prefix) or {}
            same = marker.get("package") == package.label and marker.get("flags") == build_flags()
            if same and cached_arm(Survey(), prefix, series) is not None:
                continue
            source = source or fetch(runner, package, env, work)
            log = prefix.with_name(f"build-{arm}.log")
            log.unlink(missing_ok=True)
            build_arm(dataclasses.replace(runner, log=log), package, source, prefix)


# ---------------------------------------------------------------- provide


def install_by_uv(series: Sequence[str], progress: Progress, budget: float = 400) -> None:
    """Let uv install the newest version of which it has both builds; no success is no error.

    Args:
        series: The versions to try, in order.
        progress: Told what goes on.
        budget: Seconds for all the attempts together.
    """
    uv = shutil.which("uv")
    deadline = time.monotonic() + budget
    for one in series if uv else ():
        left = deadline - time.monotonic()
        if left <= 0:
            return
        progress.say(f"uv python install {one} {one}t")
        try:
            # No links in ~/.local/bin: what is installed for gilscope is nobody's default.
            ask_uv(str(uv), ["install", "--no-bin", one, f"{one}t"], min(left, 300))
        except RefusedError as refusal:
            progress.say(f"refused: {refusal}")
        else:
            return


def provide(series: Sequence[str] = SERIES, progress: Progress | None = None) -> Pair:
    """Find both interpreters, or install or build them.

    Args:
        series: The versions to accept, in order of preference.
        progress: Told what goes on; standard error if None.

    Returns:
        A pair whose `free_threaded` is not None.

    Raises:
        InterpreterError: They cannot be had; the message says what to do.
    """
    progress = progress or Progress()
    pair = find(series)
    if pair is not None and pair.free_threaded is not None:
        return pair
    series = narrowed(from_environment(Survey(), series), series)
    with locked(cache_root(), progress) as lock:
        pair = find(series)  # another run may have made what this one has waited for
        if pair is None or pair.free_threaded is None:
            install_by_uv(series, progress)
            pair = find(series)
        if pair is None or pair.free_threaded is None:
            build(series, progress, lock)
            pair = find(series)
            if pair is not None and pair.source == "cache":
                pair = dataclasses.replace(pair, source="debian-source")
    if pair is None or pair.free_threaded is None:
        raise InterpreterError(f"what was built in {cache_root()} is unfit: see --list")
    return pair


# ---------------------------------------------------------------- command line


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="interpreters.py",
        description="Provide a stock and a free-threaded CPython of one version, newest first.",
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--find", action="store_true", help="look only: download and build nothing")
    group.add_argument("--list", action="store_true", help="show all that was considered, and why")
    parser.add_argument("--version", choices=SERIES, help="this version only")
    return parser.parse_args(argv)


def run(options: argparse.Namespace) -> int:
    """Do what the command line asks for, and return the exit status.

    Raises:
        InterpreterError: The interpreters cannot be had.
    """
    series = [options.version] if options.version else SERIES
    if options.list:
        for line in survey_all(series):
            print(f"{line.source}: {line.candidate}: {line.verdict}")
        return 0
    pair = find(series) if options.find else provide(series)
    if pair is None:
        wanted = options.version or "3.13 or newer"
        print(f"no CPython {wanted} found: run without --find to build one", file=sys.stderr)
        return EXIT_NONE
    print(json.dumps(dataclasses.asdict(pair)))
    if pair.free_threaded_version not in (None, pair.version):
        print(
            f"notice: the two differ: stock {pair.version},"
            f" free-threaded {pair.free_threaded_version}",
            file=sys.stderr,
        )
    if pair.free_threaded is None:
        print(
            f"no free-threaded CPython {series_of(pair.version)} found, only {pair.stock}:"
            " run without --find to build one",
            file=sys.stderr,
        )
        return EXIT_STOCK_ONLY
    return 0


def interrupt(number: int, _frame: object) -> NoReturn:
    """Turn SIGTERM and SIGHUP into what Ctrl-C is, so that commands are ended and files removed."""
    raise KeyboardInterrupt(number)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; every foreseen failure is a message and not a traceback."""
    options = arguments(argv)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        return run(options)
    except InterpreterError as error:
        print(f"interpreters.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interpreters.py: interrupted; what is not whole will not be used", file=sys.stderr)
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
