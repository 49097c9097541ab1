"""`gilscope races` in an environment that has the wheel and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 120
PROGRAMS = Path(__file__).parents[1] / "cases" / "races"
INTERPRETERS = [
    pytest.param(os.environ.get("GILSCOPE_PYTHON", sys.executable), id="gil"),
    pytest.param(os.environ.get("GILSCOPE_FT_PYTHON", ""), id="ft"),
]
# What `pip install --no-deps` of the wheel brings, copied from where it is installed.
COPY = """
import importlib.metadata, pathlib, shutil, sys
place = pathlib.Path(sys.argv[1])
for file in importlib.metadata.files("gilscope"):
    if ".." not in file.parts and "__pycache__" not in file.parts:
        target = place / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.locate(), target)
"""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command with a time limit."""
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


@pytest.fixture
def alone(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the Python of a new environment with gilscope without its dependencies."""
    python = str(request.param)
    if not python:
        pytest.skip("no interpreter of this build")
    made = run(python, "-m", "venv", "--without-pip", str(tmp_path / "venv"))
    assert made.returncode == 0, made.stderr
    own = str(tmp_path / "venv" / "bin" / "python")
    place = run(own, "-c", "import sysconfig; print(sysconfig.get_path('platlib'))").stdout.strip()
    copied = run(python, "-c", COPY, place)
    assert copied.returncode == 0, copied.stderr
    assert "No module named" in run(own, "-c", "import numpy").stderr
    return own


@pytest.mark.parametrize("alone", INTERPRETERS, indirect=True)
def test_races_need_no_dependencies(alone: str) -> None:
    """A race is found, as JSON, and confirmed in further runs."""
    program = str(PROGRAMS / "lost_counter_attribute.py")
    done = run(alone, "-m", "gilscope", "races", "--json", "--confirm", program)
    assert done.returncode == 0, done.stderr
    races = json.loads(done.stdout)["races"]
    assert [(race["class"], race["grade"]) for race in races] == [("lost-update", "witnessed")]
    assert races[0]["confirmation"].startswith("confirmed: ")


@pytest.mark.parametrize("alone", INTERPRETERS, indirect=True)
def test_text_and_suspected_need_no_dependencies(alone: str) -> None:
    """The text report and the other options work as well."""
    program = str(PROGRAMS / "iterate_set_changed.py")
    done = run(alone, "-m", "gilscope", "races", "--suspected", "--all", program)
    assert "race: changed during iteration on " in done.stderr
