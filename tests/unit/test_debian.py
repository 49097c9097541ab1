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


def commands_with(directory: Path, name: str, script: str) -> Path:
    """A folder of commands in which a shell script stands in for one."""
    commands = directory / "commands"
    commands.mkdir()
    command = commands / name
    command.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    command.chmod(0o755)
    return commands


def test_only_a_whole_chroot_is_used(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A chroot whose making failed does not get the name of a whole one."""
    commands = commands_with(tmp_path, "unshare", f"mkdir -p {tmp_path}/sid/draft\nexit 1")
    monkeypatch.setenv("PATH", f"{commands}:/usr/bin:/bin")
    progress = tool.Progress()
    runner = tool.Runner(progress, tmp_path / "log", 2)
    with pytest.raises(tool.InterpreterError, match="could not be made"):
        tool.prepared(tmp_path / "sid", runner, fresh=False)
    assert not (tmp_path / "sid" / "root").exists()


def test_free_threaded_build_is_made_once(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A build that was declared whole is used; nothing is downloaded or built."""
    monkeypatch.setattr(tool, "build_free_threaded", None)
    prefix = tmp_path / "opt/gilscope/python3.14t"
    prefix.mkdir(parents=True)
    marker = {
        "version": "3.14.10",
        "package": "python3.14=3.14.10-1",
        "flags": "--disable-gil",
        "executable": "/opt/gilscope/python3.14t/bin/python3.14t",
    }
    tool.interpreters.write_marker(prefix, marker)
    assert tool.free_threaded(tool.Chroot(tmp_path, None), "3.14") == marker


def test_missing_source_package_is_one_reason(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where there is no source package, the first line says of what, and what to do."""
    # An index that has the package, and a mirror that has not.
    index = r"Package: python3.14\nVersion: 3.14.10-1\n"
    text = f'case "$*" in *showsrc*) printf "{index}";; *download-only*) exit 100;; esac'
    commands = commands_with(tmp_path, "chroot", text)
    monkeypatch.setattr(tool, "CHROOT_PATH", f"{commands}:/usr/bin:/bin")
    monkeypatch.setenv("GILSCOPE_DEBIAN_MIRROR", "http://mirror.example/debian")
    (tmp_path / "etc/apt/sources.list.d").mkdir(parents=True)
    runner = tool.Runner(tool.Progress(), tmp_path / "log", 2)
    with pytest.raises(tool.InterpreterError) as caught:
        tool.free_threaded(tool.Chroot(tmp_path, runner), "3.14")
    first = str(caught.value).splitlines()[0]
    assert "python3.14=3.14.10-1" in first
    assert "GILSCOPE_DEBIAN_MIRROR" in first
    assert not (tmp_path / "opt/gilscope/build-3.14t").exists()
