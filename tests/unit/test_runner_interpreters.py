"""Which interpreter is taken for a build, and why the others are not."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest

import gilscope
from gilscope.errors import InterpreterError
from gilscope.runner import interpreters
from gilscope.runner.interpreters import Interpreter, Refusal, examine, find

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SERIES = "{}.{}".format(*sys.version_info[:2])

type Fake = Callable[..., Path]


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    """Make a program that answers as an interpreter of these facts would."""

    def make(name: str, **facts: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        found = {
            "version": [3, 13, 5],
            "free_threaded": False,
            "gilscope": gilscope.__version__,
            **facts,
        }
        path.write_text(f"#!/bin/sh\necho '{json.dumps(found)}'\n")
        path.chmod(0o755)
        return path

    return make


@pytest.fixture(autouse=True)
def _nothing_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable, no sibling, an empty PATH and an empty cache; this is a build of its own."""
    for name in ("GILSCOPE_PYTHON", "GILSCOPE_FT_PYTHON"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "env"))
    monkeypatch.setattr(interpreters, "own_build", lambda: "neither")


def test_a_fit_interpreter(fake: Fake) -> None:
    """It is known by its path, version and source."""
    path = fake("python")
    assert examine(path, "gil", "here") == Interpreter("gil", path, "3.13.5", "here")


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"version": [3, 12, 9]}, "is Python 3.12.9; gilscope needs 3.13 or later"),
        ({"version": [3, 9, 1], "missing": "gilscope"}, "gilscope needs 3.13 or later"),
        ({"free_threaded": True}, "is a free-threaded build"),
        ({"missing": "gilscope"}, "-m pip install --no-deps gilscope"),
        ({"gilscope": "0.0.1"}, f"-m pip install --no-deps gilscope=={gilscope.__version__}"),
        ({"broken": "bad magic"}, "cannot be imported in "),
    ],
)
def test_an_unfit_interpreter(fake: Fake, facts: dict[str, Any], reason: str) -> None:
    """It is refused with the reason."""
    refusal = examine(fake("python", **facts), "gil", "here")
    assert isinstance(refusal, Refusal)
    assert reason in refusal.reason
    assert refusal.repairable == ("--no-deps" in reason)
    assert refusal.lacks_gilscope == ("missing" in facts and refusal.repairable)


NO_ANSWERS = ("echo hello", "echo '{}'", "echo 1", "true")


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ("exit 3", "it ended with status 3"),
        *((body, "it does not answer as Python does") for body in NO_ANSWERS),
    ],
)
def test_what_is_no_python(tmp_path: Path, body: str, cause: str) -> None:
    """It is refused in one short line, whatever it answers."""
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    refusal = examine(path, "gil", "here")
    assert isinstance(refusal, Refusal)
    assert refusal.reason == f"{path} does not work as a Python interpreter: {cause}"


def test_the_cause_is_the_last_line_of_what_it_said(tmp_path: Path) -> None:
    """As of a pyenv shim that knows no such version."""
    path = tmp_path / "python"
    path.write_text("#!/bin/sh\necho first >&2; echo no such version >&2; exit 127\n")
    path.chmod(0o755)
    refusal = examine(path, "gil", "here")
    assert isinstance(refusal, Refusal)
    assert refusal.reason.endswith("no such version")


def test_the_named_one_is_taken_or_nothing(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option goes before the variable; a wrong one is an error that names its origin."""
    good, wrong = fake("good"), fake("wrong", free_threaded=True)
    monkeypatch.setenv("GILSCOPE_PYTHON", str(wrong))
    found = find("gil", good).interpreter
    assert found == Interpreter("gil", good, "3.13.5", "--python")
    with pytest.raises(InterpreterError, match=r"^GILSCOPE_PYTHON: .*wrong is a free-threaded"):
        find("gil")
    with pytest.raises(InterpreterError, match=r"^--python: cannot find the program 'absent'"):
        find("gil", "absent")


def test_places_in_their_order(fake: Fake) -> None:
    """The environment beside this one, then PATH, then the cache."""
    cached = fake(f"cache/gilscope/{SERIES}.9/ft/bin/python{SERIES}t", free_threaded=True)
    assert found("ft") == ("cache", cached)
    on_path = fake(f"bin/python{SERIES}t", free_threaded=True)
    assert found("ft") == ("PATH", on_path)
    beside = fake("env-ft/bin/python", free_threaded=True)
    assert found("ft") == ("environment beside this one", beside)


def test_the_stock_environment_beside_a_free_threaded_one(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """.venv is beside .venv-ft as .venv-ft is beside .venv."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "env-ft"))
    beside = fake("env/bin/python")
    assert found("gil") == ("environment beside this one", beside)


def test_uv_is_asked_but_downloads_nothing(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has installed is taken."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    managed = fake("managed/python", free_threaded=True)
    uv = fake("bin/uv")
    uv.write_text(
        f'#!/bin/sh\n[ "$UV_PYTHON_DOWNLOADS" = never ] || exit 9\n'
        f'for last; do :; done\n[ "$last" = {SERIES}t ] && echo {managed}\n'
    )
    assert found("ft") == ("uv", managed)


def found(build: str) -> tuple[str, Path]:
    """Source and path of what is found."""
    interpreter = find(build).interpreter
    assert interpreter is not None
    return interpreter.source, interpreter.path


def test_the_advice_is_the_shortest_way(fake: Fake) -> None:
    """Where one lacks gilscope only: how to install it there. Else: how to get an interpreter."""
    nothing = find("ft")
    assert nothing.interpreter is None
    assert f"uv python install {SERIES}t" in nothing.advice
    assert "--ft-python or GILSCOPE_FT_PYTHON" in nothing.advice
    path = fake("env-ft/bin/python", free_threaded=True, missing="gilscope")
    assert f"{path} -m pip install --no-deps gilscope" in find("ft").advice


def test_python_gil_is_kept_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would decide about the GIL in place of the build."""
    monkeypatch.setenv("PYTHON_GIL", "0")
    assert "PYTHON_GIL" not in interpreters.environment()


def test_the_check_ignores_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A json.py that happens to lie there is not imported."""
    (tmp_path / "json.py").write_text("raise SystemExit('wrong json')")
    monkeypatch.chdir(tmp_path)
    real = shutil.which(sys.executable) or sys.executable
    result = examine(interpreters.Path(real), "gil", "here")
    assert "wrong json" not in str(result)
