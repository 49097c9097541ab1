"""`gilscope races --native` under a real interpreter that is built for ThreadSanitizer."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gilscope.errors import InterpreterError
from gilscope.runner.tsan_interpreter import SILENT, find

if TYPE_CHECKING:
    from gilscope.runner.tsan_interpreter import Sanitized

SOURCE = Path(__file__).parents[1] / "targets" / "racy_native.c"
SECONDS = 200
WHERE = (
    "import sysconfig; print(sysconfig.get_path('include'), sysconfig.get_config_var('EXT_SUFFIX'))"
)


@pytest.fixture(scope="module")
def interpreter() -> Sanitized:
    """Return the interpreter of the cache; there need not be one."""
    try:
        return find(None)
    except InterpreterError as error:
        pytest.skip(str(error))


def build(interpreter: Sanitized, folder: Path, *flags: str) -> None:
    """Compile the extension for it."""
    said = subprocess.run(
        interpreter.command("-c", WHERE),
        env={**os.environ, "TSAN_OPTIONS": SILENT},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    include, suffix = said.stdout.split()
    compiler = [*shlex.split(os.environ.get("CC", "gcc")), *flags]
    options = ["-g", "-O1", "-shared", "-fPIC", "-pthread", f"-I{include}"]
    output = folder / f"racy_native{suffix}"
    subprocess.run([*compiler, *options, str(SOURCE), "-o", str(output)], check=True)


def races(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command with the extension at hand."""
    return subprocess.run(
        [sys.executable, "-m", "gilscope", "races", "--native", *words],
        env={**os.environ, "PYTHONPATH": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def test_race_of_native_code_is_found(interpreter: Sanitized, tmp_path: Path) -> None:
    """A counter without a lock is one race, as JSON of the usual shape; under a lock it is none."""
    build(interpreter, tmp_path, "-fsanitize=thread")
    code = "import racy_native; racy_native.run_bare(); print('ran')"
    done = races(tmp_path, "--json", "--fail-on", "certain", "-c", code)
    assert done.returncode == 1, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["races"]
    assert [(race["class"], race["variable"]) for race in found] == [("native-race", "total")]
    assert all(access["file"].endswith("racy_native.c") for access in found[0]["accesses"])
    assert "ran" in done.stderr
    done = races(tmp_path, "--json", "-c", "import racy_native; racy_native.run_locked()")
    assert json.loads(done.stdout) == {"races": []}, done.stderr


def test_run_that_can_find_nothing_is_refused(interpreter: Sanitized, tmp_path: Path) -> None:
    """An extension that is not built for ThreadSanitizer, and a GIL that is on."""
    build(interpreter, tmp_path)
    done = races(tmp_path, "-c", "import racy_native")
    assert done.returncode == 2
    assert "not built for ThreadSanitizer: racy_native" in done.stderr
    build(interpreter, tmp_path, "-fsanitize=thread")
    done = races(tmp_path, "-c", "import sys, racy_native; sys.exit(3)")
    assert done.returncode == 3, done.stderr
    done = subprocess.run(
        [sys.executable, "-m", "gilscope", "races", "--native", "-c", "import racy_native"],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHON_GIL": "1"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 2
    assert "the GIL was on" in done.stderr
