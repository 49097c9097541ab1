"""The tool that runs the probe's tests in a Debian chroot, as far as that needs no root."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tool as a module."""
    monkeypatch.syspath_prepend(str(TOOLS))
    spec = importlib.util.spec_from_file_location("debian", TOOLS / "debian.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "debian", module)
    spec.loader.exec_module(module)
    return module


def test_who_is_not_root_is_refused_in_one_line(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without root nothing is tried, and the line says what to do."""
    monkeypatch.setattr(tool.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(sys, "argv", ["debian.py"])
    assert tool.main() == tool.EXIT_REFUSED
    (line,) = capsys.readouterr().err.splitlines()
    assert "as root" in line


def test_wrapper_keeps_directory_and_arguments(tool: ModuleType, tmp_path: Path) -> None:
    """A program in the chroot gets the arguments as they are, where the caller stands."""
    commands = tmp_path / "commands"
    commands.mkdir()
    # Stands in for chroot, which needs root: drops the directory that would be the new root.
    fake = commands / "chroot"
    fake.write_text('#!/bin/sh\nshift\nexec "$@"\n', encoding="utf-8")
    fake.chmod(0o755)
    chroot = tool.Chroot(tmp_path / "a root", None)
    program = f"{sys.executable}"
    wrapper = tool.write_wrapper(tmp_path / "python", chroot, program)
    place = tmp_path / "a place"
    place.mkdir()
    code = "import json, os, sys; print(json.dumps([os.getcwd(), sys.argv[1:]]))"
    done = subprocess.run(
        [wrapper, "-c", code, "two words", "$HOME", ""],
        cwd=place,
        env={"PATH": f"{commands}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [str(place), ["two words", "$HOME", ""]]


def test_step_is_due_until_it_is_recorded(tool: ModuleType, tmp_path: Path) -> None:
    """A step that failed is done again; one that was recorded, only when its sources change."""
    file = tmp_path / "done.json"
    assert tool.Once(file).is_due("gilscope", "first")
    once = tool.Once(file)
    assert once.is_due("gilscope", "first")
    once.record()
    assert not tool.Once(file).is_due("gilscope", "first")
    assert tool.Once(file).is_due("gilscope", "second")


def test_only_a_whole_chroot_is_used(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A chroot whose making failed does not get the name of a whole one."""
    commands = tmp_path / "commands"
    commands.mkdir()
    fake = commands / "unshare"
    fake.write_text(f"#!/bin/sh\nmkdir -p {tmp_path}/sid/draft\nexit 1\n", encoding="utf-8")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:/usr/bin:/bin")
    progress = tool.Progress()
    runner = tool.Runner(progress, tmp_path / "log", 2)
    with pytest.raises(tool.InterpreterError, match="could not be made"):
        tool.prepared(tmp_path / "sid", runner, fresh=False)
    assert not (tmp_path / "sid" / "root").exists()
