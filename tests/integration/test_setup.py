"""`gilscope setup`: the environment of the other build, with gilscope and a project in both."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import gilscope

pytestmark = pytest.mark.skipif(
    "GILSCOPE_FT_PYTHON" not in os.environ, reason="no interpreters: run `make test`"
)

NAME = f"gilscope-{gilscope.__version__}.dist-info"
PURELIB = "import sysconfig; print(sysconfig.get_path('purelib'))"
# A build backend without dependencies, so that nothing is downloaded.
BACKEND = """
import pathlib, subprocess, sysconfig, zipfile
def build_wheel(directory, config_settings=None, metadata_directory=None):
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    include = sysconfig.get_path("include")
    command = ["gcc", "-shared", "-fPIC", "-I", include, "tiny.c", "-o", "tiny.so"]
    subprocess.run(command, check=True)
    name = "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(directory) / name, "w") as wheel:
        wheel.write("tiny.so", "tiny" + suffix)
        about = "tiny-1.0.dist-info/"
        wheel.writestr(about + "METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n")
        facts = "Wheel-Version: 1.0\\nRoot-Is-Purelib: false\\nTag: py3-none-any\\n"
        wheel.writestr(about + "WHEEL", facts)
        wheel.writestr(about + "RECORD", "")
    return name
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "tiny"
version = "1.0"
"""
SOURCE = """
#include <Python.h>
static PyModuleDef_Slot slots[] = {
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, NULL},
};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "tiny", NULL, 0, NULL, slots};
PyMODINIT_FUNC PyInit_tiny(void) { return PyModuleDef_Init(&definition); }
"""


def installed(python: str) -> Path:
    """Return the directory of packages of ``python``."""
    done = subprocess.run([python, "-c", PURELIB], capture_output=True, text=True, check=True)
    return Path(done.stdout.strip())


def copy(packages: Path, place: Path) -> None:
    """Copy gilscope out of ``packages``, as if it had been installed from an index."""
    shutil.copytree(packages / "gilscope", place / "gilscope")
    shutil.copytree(
        packages / NAME, place / NAME, ignore=shutil.ignore_patterns("direct_url.json", "INSTALLER")
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an environment of the GIL build, and an index with the other's gilscope."""
    place = tmp_path_factory.mktemp("setup") / "a place"
    python = os.environ["GILSCOPE_PYTHON"]
    subprocess.run([python, "-m", "venv", place / ".venv"], check=True, timeout=120)
    copy(installed(python), installed(str(place / ".venv/bin/python")))
    copy(installed(os.environ["GILSCOPE_FT_PYTHON"]), place / "unpacked")
    tag = "cp{0}{1}-cp{0}{1}t-linux_{2}".format(*sys.version_info[:2], os.uname().machine)
    (place / "index").mkdir()
    with zipfile.ZipFile(
        place / "index" / f"gilscope-{gilscope.__version__}-{tag}.whl", "w"
    ) as wheel:
        for file in (place / "unpacked").rglob("*"):
            wheel.write(file, file.relative_to(place / "unpacked"))
    return place


@pytest.fixture
def place(made: Path) -> Path:
    """The same directory with a project, and with nothing that another test has made."""
    place = made
    tiny = installed(str(place / ".venv/bin/python")).glob("tiny*")
    for left in (place / ".venv-ft", place / "tiny", *tiny):
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink(missing_ok=True)
    (place / "tiny").mkdir()
    (place / "tiny" / "pyproject.toml").write_text(PYPROJECT)
    (place / "tiny" / "backend.py").write_text(BACKEND)
    (place / "tiny" / "tiny.c").write_text(SOURCE)
    return place


def setup(place: Path, *words: str, python: str = ".venv") -> subprocess.CompletedProcess[str]:
    """Run ``gilscope setup`` in the environment ``python``."""
    index = (place / "index").as_uri()
    env = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": index}
    return subprocess.run(
        [place / python / "bin/python", "-m", "gilscope", "setup", *words],
        cwd=place,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_both_environments_are_made_and_kept(place: Path) -> None:
    """The other environment is made, gilscope and the project work in both; again, all is kept."""
    done = setup(place, "tiny")
    assert (done.returncode, done.stderr.count("installing")) == (0, 3), done.stderr + done.stdout
    assert done.stdout.count("gilscope works here") == 2
    assert done.stdout.endswith("now: gilscope compare SCRIPT\n")
    check = "import sysconfig, gilscope, tiny; print(sysconfig.get_config_var('Py_GIL_DISABLED'))"
    for name, answer in ((".venv", "0\n"), (".venv-ft", "1\n")):
        command = [place / name / "bin/python", "-c", check]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == answer
    # From the environment of the other build, this one is the one beside it.
    assert setup(place, "--print", python=".venv-ft").stdout == ""
    again = setup(place)
    assert (again.returncode, again.stderr) == (0, "")


def test_nothing_is_run_by_print(place: Path) -> None:
    """--print shows the four commands, and nothing is made."""
    done = setup(place, "--print", "tiny")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 4), done.stderr
    assert not (place / ".venv-ft").exists()


def test_a_failed_step_is_told(place: Path) -> None:
    """A project that cannot be built is one line of ours below what pip says."""
    (place / "tiny" / "tiny.c").write_text("this is no C\n")
    done = setup(place, "tiny")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("gilscope: error: installing")
    assert "failed (status 1)" in done.stderr


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("nosuch",), "nosuch has neither pyproject.toml nor setup.py"),
        (("--tsan-python", "x"), "--tsan-python goes with --tsan PROJECT"),
        (("tiny", "--tsan", "tiny"), "PROJECT is set up for both builds or for --tsan"),
    ],
)
def test_wrong_words_are_told(place: Path, words: tuple[str, ...], reason: str) -> None:
    """One line says what is wrong, and nothing is made."""
    done = setup(place, *words)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert reason in done.stderr
    assert not (place / ".venv-ft").exists()


def test_another_environment_in_its_place_is_refused(place: Path) -> None:
    """What stands there already and is of the wrong build is left alone."""
    subprocess.run(
        [os.environ["GILSCOPE_PYTHON"], "-m", "venv", "--without-pip", place / ".venv-ft"],
        check=True,
        timeout=120,
    )
    done = setup(place)
    assert done.returncode == 2
    assert "is there already and is no fit" in done.stderr
    assert "is not a free-threaded build" in done.stderr
