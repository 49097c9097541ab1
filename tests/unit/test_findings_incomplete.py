"""Findings of traces that are not whole: every format says so, and --fail-on is not met."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gilscope.cli import main
from trace_examples import gil_trace

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A whole trace."""
    return gil_trace().write(tmp_path / "whole.gilscope")


@pytest.fixture
def cut(whole: Path) -> Path:
    """The same without its end."""
    path = whole.with_name("cut.gilscope")
    path.write_bytes(whole.read_bytes()[:-5000])
    return path


@pytest.mark.parametrize("form", ["text", "json", "sarif", "markdown"])
def test_every_format_says_so(cut: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    """On standard output; what is no text says it on standard error, too."""
    assert main(["findings", "--format", form, str(cut)]) == 0
    said = capsys.readouterr()
    assert "file" in said.out
    if form == "text":
        assert "the trace is incomplete, so there may be more findings: " in said.out
    else:
        assert f"problem: {cut}: " in said.err
    if form == "json":
        assert json.loads(said.out)[0]["incomplete"]
    if form == "sarif":
        (invocation,) = json.loads(said.out)["runs"][0]["invocations"]
        assert not invocation["executionSuccessful"]
        assert invocation["toolExecutionNotifications"]


def test_a_limit_cannot_be_decided(
    cut: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing was found, and more may be in what is missing: that is not success."""
    assert main(["findings", "--fail-on", "high", str(cut)]) == 2
    assert "error: --fail-on cannot be decided: " in capsys.readouterr().err
    assert main(["findings", "--fail-on", "high", str(whole)]) == 0
    assert not capsys.readouterr().err
