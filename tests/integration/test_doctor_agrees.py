"""`gilscope doctor` and `gilscope compare` say the same about the interpreters that there are."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import gilscope
from command import TIMEOUT_S, Done
from gilscope.runner import provisioning

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.skipif(
    "GILSCOPE_FT_PYTHON" not in os.environ, reason="no interpreters: run `make test`"
)

WHERE = "import sys, sysconfig; print(sys.base_prefix, sysconfig.get_path('purelib'), sep='\\n')"
FT = "no interpreter for the free-threaded build"


def places(python: str | Path) -> tuple[Path, Path]:
    """Return the prefix of an interpreter's base, and its directory of packages."""
    done = subprocess.run([python, "-c", WHERE], capture_output=True, text=True, check=True)
    base, packages = map(Path, done.stdout.splitlines())
    return base, packages


def environment(place: Path, python: str) -> Path:
    """Make an environment without gilscope from the base of another one."""
    base = places(python)[0] / "bin" / Path(python).resolve().name
    command = [base, "-m", "venv", "--without-pip", place]
    subprocess.run(command, check=True, timeout=TIMEOUT_S)
    return place / "bin" / "python"


def both(
    place: Path, *words: str, python: str | Path = sys.executable, **env: str
) -> tuple[Done, Done]:
    """Run doctor, and compare of a program, in the same surroundings."""
    around: Mapping[str, str] = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GILSCOPE_")},
        "PATH": "/usr/bin:/bin",
        "XDG_CACHE_HOME": str(place / "cache"),
        "PIP_NO_INDEX": "1",
        **env,
    }
    found = []
    for command in (("doctor",), ("compare", "--repeat", "1", *words)):
        done = subprocess.run(
            [python, "-m", "gilscope", *command],
            cwd=place,
            env=around,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        found.append(Done(done.returncode, done.stdout, done.stderr))
    return found[0], found[1]


def alone(place: Path) -> tuple[Path, str]:
    """Return an interpreter with no other beside it, and the path that leads it to gilscope."""
    python = environment(place / "env", sys.executable)
    return python, os.pathsep.join(path for path in sys.path if path)


def test_without_a_free_threaded_interpreter(tmp_path: Path) -> None:
    """Both say how to get one; compare says it before anything runs, and again in its result."""
    python, path = alone(tmp_path)
    doctor, compare = both(tmp_path, "-c", "pass", python=python, PYTHONPATH=path)
    [line] = [line.strip() for line in doctor.out.splitlines() if FT in line]
    assert "uv python install" in line
    assert compare.err.splitlines()[0] == f"gilscope: {line}"
    assert f"note: {line}" in compare.out
    assert (doctor.status, compare.status) == (0, 0)


def test_a_named_interpreter_that_is_broken(tmp_path: Path) -> None:
    """Neither takes another one in its place."""
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no such version >&2\nexit 3\n")
    broken.chmod(0o755)
    doctor, compare = both(tmp_path, "-c", "pass", GILSCOPE_FT_PYTHON=str(broken))
    reason = f"{broken} does not work as a Python interpreter: no such version"
    assert compare.error_line == f"GILSCOPE_FT_PYTHON: {reason}"
    assert f"error: GILSCOPE_FT_PYTHON: {reason}" in doctor.out
    assert (doctor.status, compare.status) == (1, 2)


def test_an_interpreter_beside_this_one_that_is_broken(tmp_path: Path) -> None:
    """The advice says what is wrong with it."""
    python, path = alone(tmp_path)
    broken = tmp_path / "env-ft/bin/python"
    broken.parent.mkdir(parents=True)
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    doctor, compare = both(tmp_path, "-c", "pass", python=python, PYTHONPATH=path)
    [line] = [line.strip() for line in doctor.out.splitlines() if FT in line]
    assert f"{broken} does not work as a Python interpreter" in line
    assert f"note: {line}" in compare.out


def test_an_interpreter_without_gilscope(tmp_path: Path) -> None:
    """Doctor says that compare makes one; compare tries to, and says the same command."""
    bare = environment(tmp_path / "bare", os.environ["GILSCOPE_FT_PYTHON"])
    doctor, compare = both(tmp_path, "-c", "pass", GILSCOPE_FT_PYTHON=str(bare))
    assert f"gilscope is not installed for {bare}" in doctor.out
    assert "`gilscope compare` makes one in gilscope's cache" in doctor.out
    first, error = compare.err.splitlines()
    assert first.startswith(f"gilscope: building gilscope for {bare}")
    assert f"gilscope is not installed for {bare} and could not be built for it" in error
    command = f"{bare} -m pip install --no-deps "
    assert command in doctor.out
    assert command in error
    assert (doctor.status, compare.status) == (0, 2)


def test_an_interpreter_that_has_its_gilscope_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It serves both, and nothing is made."""
    given = os.environ["GILSCOPE_FT_PYTHON"]
    bare = environment(tmp_path / "bare", given)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place = provisioning._place(bare, provisioning.own_source())
    shutil.copytree(places(given)[1] / "gilscope", place / "gilscope")
    doctor, compare = both(tmp_path, "-c", "pass", GILSCOPE_FT_PYTHON=str(bare))
    assert f"free-threaded build: {bare} (" in doctor.out
    assert "building gilscope" not in compare.err
    assert "no interpreter" not in doctor.out + compare.out
    assert (doctor.status, compare.status) == (0, 0)


def test_an_interpreter_with_another_gilscope(tmp_path: Path) -> None:
    """Neither takes it, and both say which version is needed."""
    given = os.environ["GILSCOPE_FT_PYTHON"]
    other = environment(tmp_path / "other", given)
    package = places(other)[1] / "gilscope"
    shutil.copytree(places(given)[1] / "gilscope", package)
    start = package / "__init__.py"
    own = rf'(__version__ = ")({re.escape(gilscope.__version__)})"'
    text, changed = re.subn(own, r'\g<1>0.0.1"', start.read_text())
    assert changed
    start.write_text(text)
    doctor, compare = both(tmp_path, "-c", "pass", GILSCOPE_FT_PYTHON=str(other))
    reason = f"gilscope 0.0.1 is installed for {other}, and {gilscope.__version__} is needed"
    assert reason in compare.error_line
    assert f"error: GILSCOPE_FT_PYTHON: {reason}" in doctor.out
    assert (doctor.status, compare.status) == (1, 2)


def test_a_module_that_one_build_does_not_have(tmp_path: Path) -> None:
    """Doctor knows nothing of the program; compare says where to install what, and how."""
    bare = environment(tmp_path / "ft", os.environ["GILSCOPE_FT_PYTHON"])
    shutil.copytree(
        places(os.environ["GILSCOPE_FT_PYTHON"])[1] / "gilscope", places(bare)[1] / "gilscope"
    )
    names = {"GILSCOPE_PYTHON": sys.executable, "GILSCOPE_FT_PYTHON": str(bare)}
    doctor, compare = both(tmp_path, "-c", "import numpy", **names)
    assert doctor.status == 0
    assert compare.status == 1
    [line] = [line for line in compare.out.splitlines() if "is not installed" in line]
    where = f"numpy is not installed in the environment {bare.parent.parent} ({bare}): "
    assert line.startswith(f"note: free-threaded build: {where}")
    assert f"--python {bare} install " in line
    assert line.endswith(" --only-binary=:all: numpy`")
