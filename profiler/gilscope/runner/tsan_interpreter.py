"""Finds an interpreter that is built for ThreadSanitizer. Standard library only."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from gilscope.config import cache_directory
from gilscope.errors import InterpreterError

VARIABLE = "GILSCOPE_TSAN_PYTHON"
OPTION = "--tsan-python"
CHECK_SECONDS = 120
ENVIRONMENT = "tsan-environment"
SILENT = "report_bugs=0:exitcode=0"

CHECK = """
import json, sys, sysconfig
flags = " ".join(str(sysconfig.get_config_var(name)) for name in
                 ("CONFIG_ARGS", "PY_LDFLAGS_NODIST", "PY_CFLAGS", "LDFLAGS"))
print(json.dumps({
    "version": "%d.%d.%d" % sys.version_info[:3],
    "sanitized": "thread-sanitizer" in flags or "fsanitize=thread" in flags,
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "base": sys.base_prefix,
}))
"""


@dataclass(frozen=True)
class Sanitized:
    """Such an interpreter.

    Attributes:
        path: How it is started.
        version: As ``3.13.5``.
        suppressions: The interpreter's own list of races that are known; None if it is not there.
        launcher: What must stand before a command for it to run here: mostly nothing.
    """

    path: Path
    version: str
    suppressions: Path | None
    launcher: tuple[str, ...]

    def command(self, *words: str | Path) -> list[str]:
        """Return the command that runs it with these arguments."""
        return [*self.launcher, str(self.path), *map(str, words)]


def find(named: str | None) -> Sanitized:
    """Return the interpreter that was named, that of `gilscope setup --tsan`, or a cached one.

    Raises:
        InterpreterError: There is none, or it is not free-threaded or not built for
            ThreadSanitizer.
    """
    given = named or os.environ.get(VARIABLE)
    for path in [Path(given)] if given else _known():
        if given or path.exists():
            return _checked(path)
    raise InterpreterError(
        "no interpreter that is built for ThreadSanitizer: build one in a clone of gilscope with "
        f"`python3 tools/sanitized_interpreters.py ft-tsan`, or name one with {OPTION} or "
        f"{VARIABLE}"
    )


def _known() -> list[Path]:
    cache = cache_directory()
    made = sorted(cache.glob("[0-9]*/ft-tsan/bin/python3.*t"), reverse=True)
    return [environment_directory() / "bin" / "python", *made]


def environment_directory() -> Path:
    """Return where `gilscope setup --tsan` installs what it builds; it need not exist."""
    return cache_directory() / ENVIRONMENT


def _checked(path: Path) -> Sanitized:
    launcher, facts = _ask(path)
    if not facts["sanitized"]:
        raise InterpreterError(
            f"{path} is not built for ThreadSanitizer (configure --with-thread-sanitizer), so it "
            "reports no race of native code"
        )
    if not facts["free_threaded"]:
        raise InterpreterError(
            f"{path} has a GIL, which orders the threads: take a free-threaded build "
            "(configure --disable-gil --with-thread-sanitizer)"
        )
    found = Path(facts["base"]).parent / "tsan" / "suppressions_free_threading.txt"
    return Sanitized(path, facts["version"], found if found.exists() else None, launcher)


def _ask(path: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    """Run it; some kernels put memory where ThreadSanitizer expects none, unless told not to."""
    fixed = (shutil.which("setarch") or "setarch", platform.machine(), "-R")
    reason = ""
    for launcher in ((), fixed):
        try:
            done = subprocess.run(
                [*launcher, path, "-I", "-c", CHECK],
                capture_output=True,
                text=True,
                env={**os.environ, "TSAN_OPTIONS": SILENT},
                timeout=CHECK_SECONDS,
                check=True,
            )
            return launcher, json.loads(done.stdout)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            said = str(getattr(error, "stderr", None) or error).strip()
            reason = reason or (said.splitlines() or [""])[-1]
    raise InterpreterError(f"{path} does not work as a Python interpreter: {reason}")
