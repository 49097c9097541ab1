"""The self-test runs in another process, once an interpreter; its report is kept."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Interpreter, Recorded

FOLDER = "gilscope/self-test"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache in which nothing is kept."""
    path = tmp_path / "cache"
    path.mkdir(mode=0o700)
    return path


def run(interpreter: Interpreter, scenario: str, cache: Path) -> Recorded:
    """Run a program with this cache."""
    trace = cache.parent / f"{scenario}.gilscope"
    return interpreter.run("proof.py", scenario, trace, XDG_CACHE_HOME=str(cache))


def report(cache: Path) -> Path:
    """The one report that is kept."""
    (path,) = (cache / FOLDER).iterdir()
    return path


def proven(outcomes: dict[str, str]) -> bool:
    """Whether all that can happen in this build is measured."""
    return not [x for x in outcomes.values() if not x.startswith(("ok", "not applicable"))]


def test_report_is_kept_privately(interpreter: Interpreter, cache: Path) -> None:
    """The first start makes a file of mode 0600 in a folder of mode 0700."""
    facts = run(interpreter, "start", cache).facts
    assert facts["before"] == []
    assert [mode for _, mode, _, _ in facts["kept"]] == [0o700, 0o600]
    assert proven(facts["outcomes"])


def test_later_processes_go_by_it(interpreter: Interpreter, cache: Path) -> None:
    """They know the same, and leave the file alone."""
    first = run(interpreter, "start", cache).facts
    again = run(interpreter, "start", cache).facts
    assert again["before"] == again["kept"] == first["kept"]
    assert again["outcomes"] == first["outcomes"]


@pytest.mark.parametrize("damage", ["text", "cut", "mode", "folder", "link", "pipe"])
def test_report_that_cannot_be_trusted(interpreter: Interpreter, cache: Path, damage: str) -> None:
    """It is not believed: another process is asked."""
    run(interpreter, "start", cache)
    path = report(cache)
    lie = path.read_text(encoding="ascii").replace(" ok\n", " not measured: a lie\n")
    if damage == "text":
        path.write_text(lie, encoding="ascii")
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-30])
    elif damage == "mode":
        path.chmod(0o644)
    elif damage == "folder":
        path.parent.chmod(0o755)
    elif damage == "link":
        path.rename(cache / "moved")
        path.symlink_to(cache / "moved")
    else:
        path.unlink()
        os.mkfifo(path, 0o600)
    facts = run(interpreter, "start", cache).facts
    assert proven(facts["outcomes"])
    # In a folder that is open to others, nothing is replaced.
    assert (facts["kept"] == facts["before"]) == (damage == "folder")


def test_cache_that_cannot_be_written(interpreter: Interpreter, cache: Path) -> None:
    """Each process has to ask; nothing is lost."""
    place = cache / "file"
    place.write_text("", encoding="ascii")
    facts = run(interpreter, "start", place).facts
    assert proven(facts["outcomes"])
    assert facts["kept"] == []


def test_program_does_not_see_the_child(interpreter: Interpreter, cache: Path) -> None:
    """No SIGCHLD, and no child to wait for."""
    recorded = run(interpreter, "children", cache)
    assert recorded.facts == {"signals": [], "child": None}
    assert recorded.err == ""


@pytest.mark.parametrize(
    ("scenario", "reason"),
    [
        ("no_interpreter", "not measured: no interpreter is known"),
        ("another_python", "not measured: /"),
    ],
)
def test_nothing_is_guessed(
    interpreter: Interpreter, cache: Path, scenario: str, reason: str
) -> None:
    """Without a report no class of event is measured, and the trace says so."""
    recorded = run(interpreter, scenario, cache)
    assert not recorded.facts.get("started")
    assert all(text.startswith(reason) for text in recorded.facts["outcomes"].values())
    trace = recorded.trace
    assert {"gil", "mutex", "thread_lock", "native_lock"} <= set(trace.not_measured)
    assert (trace.end_reason, trace.problems) == ("stop", ())
    assert not (cache / FOLDER).exists()
