"""tools/hostile.py: a program that ends otherwise with the probe is found, another one is not."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

TOOL = Path(__file__).resolve().parents[2] / "tools" / "hostile.py"
CASE = "signals"
SECONDS = 0.02


def load_tool() -> ModuleType:
    """Import the script by its path: tools/ is no package."""
    spec = importlib.util.spec_from_file_location("gilscope_tools_hostile", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


tool = load_tool()


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Compare a shell program with itself, with $trace "-" and with another one."""
    monkeypatch.setattr(tool, "PATIENCE_S", 1)
    monkeypatch.setattr(tool, "show_stacks", lambda _pid: None)

    def compare(text: str) -> str | None:
        program = tmp_path / "program"
        program.write_text(f"#!/bin/sh\ntrace=$5\n{text}\n", encoding="utf-8")
        program.chmod(0o755)
        found: str | None = tool.compare(
            tool.Patient("gil", [str(program)], tmp_path), CASE, 1, SECONDS
        )
        return found

    return compare


def test_the_same_is_no_difference(found) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    """Status and output are the same, whatever they are."""
    assert found('echo "all the same"; exit 3') is None


@pytest.mark.parametrize(
    "end",
    ["exit 3", "kill -SEGV $$", "echo more", "echo trouble >&2", "sleep 30"],
    ids=["status", "signal", "output", "errors", "hang"],
)
def test_another_end_is_a_difference(found, end: str) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    """Only with the probe, the program ends so."""
    assert "with the probe" in found(f"[ $trace = - ] || {{ {end}; }}")


def test_one_of_several_ends_is_no_difference(found, tmp_path: Path) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    """Without the probe, the program ends in turns with 0 and with 1; with it, with 1."""
    turns = f'[ $trace = - ] || exit 1; [ -e "{tmp_path}/turn" ] && exit 1; : > "{tmp_path}/turn"'
    assert found(turns) is None


def test_numbers_in_errors_are_no_difference(found) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    """Addresses and process ids in messages differ in any two runs."""
    assert found('echo "process $$ at 0x$$" >&2') is None


def test_every_case_is_found() -> None:
    """Cases are registered functions of the modules, each with its module."""
    assert {"constructors": "threads.py", "forks": "processes.py"}.items() <= tool.cases().items()
