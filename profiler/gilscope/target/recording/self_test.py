"""The probe's self-test: in a process of its own, once an interpreter.

It makes threads and has them wait, and what an interpreter does at its first threads it does once:
in the program's process the program would not meet that any more. So a fresh interpreter does the
test, and its report is kept for later processes, in a private file of the user's cache.

Standard library only, and of that only what each interpreter has loaded when it starts.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

PATIENCE_NS = 20_000_000_000
"""After which the child is ended; it takes some 50 ms."""

PRIVATE = 0o077
"""Nobody but its owner may do anything with what is believed here."""

LARGEST = 1 << 16
"""Bytes of a report; it has less than one thousand."""

# What the dynamic loader and sanitizers need. All other variables belong to the program.
INHERITED = ("LD_LIBRARY_PATH", "ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS")

# Loads the extension by its path: the child has neither the program's paths nor its packages.
CODE = """
import posix, sys
from _frozen_importlib import ModuleSpec, _load
from _frozen_importlib_external import ExtensionFileLoader
path = sys.argv[1]
name = "gilscope._probe"
probe = _load(ModuleSpec(name, ExtensionFileLoader(name, path), origin=path))
posix.write(3, probe.test_here().encode())
posix._exit(0)
"""


def provide(native: ModuleType) -> None:
    """Make sure that the probe knows what it can believe in this interpreter.

    Raises:
        RuntimeError: The probe runs, or does not know this interpreter.
    """
    key, outcomes, _ = native.self_test_state()
    if not outcomes and not _adopt_kept(native, key):
        run(native)


def run(native: ModuleType) -> dict[str, str]:
    """Test now, keep the report, and return the outcome by class of event.

    Raises:
        RuntimeError: The probe runs, or does not know this interpreter.
    """
    key, _, _ = native.self_test_state()
    if (report := _tested(native, key)) is not None:
        _, outcomes, complete = native.self_test_state()
        # What failed may succeed in another process, to which the system refuses less.
        if complete and not any(x.startswith("not measured") for x in outcomes.values()):
            _keep(key, report)
    return native.self_test_state()[1]  # type: ignore[no-any-return]


def _tested(native: ModuleType, key: str) -> bytes | None:
    """Return the report of a child, which the probe has adopted."""
    reason = "no interpreter is known that could run the self-test (sys.executable)"
    for path in interpreters():
        command = [path, "-I", "-S", "-B", *_options(key), "-c", CODE, str(native.__file__)]
        report: bytes
        report, error, late = native.run_program(
            [os.fsencode(word) for word in command], _environment(), PATIENCE_NS
        )
        if error:
            reason = f"the self-test could not be started ({path}: {os.strerror(error)})"
        elif late:
            reason = f"the self-test did not end within {PATIENCE_NS // 10**9} s"
        elif native.adopt_self_test(key, report):
            return report
        else:
            reason = f"{path} did not run the self-test as this interpreter"
    native.lack_self_test(key, reason)
    return None


def interpreters() -> Iterator[str]:
    """Find what is this interpreter as a program; the report says whether it was.

    A program that has Python built in may be named by sys.executable, too, and must not be started:
    so by its name it has to be a Python.
    """
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}{getattr(sys, 'abiflags', '')}"
    seen = set()
    for path in (
        sys.executable,
        getattr(sys, "_base_executable", None),
        os.path.join(sys.base_exec_prefix, "bin", version),  # noqa: PTH118 - os is loaded anyway
    ):
        if not path or path in seen or not os.path.isabs(path):  # noqa: PTH117 - see above
            continue
        seen.add(path)
        name = os.path.basename(path)  # noqa: PTH119 - see above
        is_python = name.startswith("python") and not name[6:].strip("0123456789.td")
        if is_python and os.access(path, os.X_OK):
            yield path


def _options(key: str) -> list[str]:
    """Return what switches the GIL on or off: not as it is now, as imports have it on a moment."""
    if "t" not in getattr(sys, "abiflags", ""):
        return []
    return ["-X", f"gil={int(key.endswith('-gil'))}"]


def _environment() -> list[bytes]:
    return [os.fsencode(f"{name}={os.environ[name]}") for name in INHERITED if name in os.environ]


def _adopt_kept(native: ModuleType, key: str) -> bool:
    """Have the probe adopt the report that is kept, if there is one and it is ours and whole."""
    folder = _folder()
    if folder is None:
        return False
    try:
        file = os.open(
            f"{folder}/{key}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
        )
    except OSError:
        return False
    try:
        report = os.read(file, LARGEST) if _is_private(os.fstat(file)) else b""
    except OSError:
        return False
    finally:
        os.close(file)
    return bool(report) and native.adopt_self_test(key, report)


def _keep(key: str, report: bytes) -> None:
    """Keep a report, as a whole or not at all; what cannot be kept is made again."""
    folder = _folder(make=True)
    if folder is None:
        return
    draft = f"{folder}/{key}.{os.getpid()}.{os.urandom(4).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        file = os.open(draft, flags, 0o600)
        try:
            written = os.write(file, report)
        finally:
            os.close(file)
        if written == len(report):
            os.rename(draft, f"{folder}/{key}")  # noqa: PTH104 - os is loaded anyway
            return
    except OSError:
        pass
    with contextlib.suppress(OSError):
        os.unlink(draft)  # noqa: PTH108 - see above


def _folder(*, make: bool = False) -> str | None:
    """Return the folder of the reports if it is nobody else's."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # noqa: PTH117 - os is loaded anyway
        home = os.environ.get("HOME", "")
        if not os.path.isabs(home):  # noqa: PTH117
            return None
        base = f"{home}/.cache"
    folder = f"{base}/gilscope/self-test"
    try:
        if make and _is_own_place(base):
            os.makedirs(folder, 0o700, exist_ok=True)  # noqa: PTH103 - see above
        return folder if _is_private(os.lstat(folder)) else None
    except OSError:
        return None


def _is_own_place(base: str) -> bool:
    """Return whether a folder, or where it would be made, belongs to the user of this process."""
    while not os.path.isdir(base):  # noqa: PTH112 - os is loaded anyway
        base = os.path.dirname(base)  # noqa: PTH120
    return os.stat(base).st_uid == os.geteuid()  # noqa: PTH116


def _is_private(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & PRIVATE
