"""The command that makes a report of traces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gilscope.cli import main
from trace_examples import ft_trace, gil_trace

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SECTION = '<section class="gilscope" id='


def test_two_builds_share_a_time_axis(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Traces of different builds are one section with both timelines."""
    gil = gil_trace().write(tmp_path / "gil.gilscope")
    ft = ft_trace().write(tmp_path / "ft.gilscope")
    out = tmp_path / "r.html"
    assert main(["report", str(gil), str(ft), "-o", str(out), "--title", "Both"]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    html = out.read_text()
    assert html.count(SECTION) == 1
    assert "<h1>Both</h1>" in html
    assert "timeline-1" in html


def test_two_runs_of_a_build_have_sections_of_their_own(tmp_path: Path) -> None:
    """What cannot be told apart by its build is not put on one axis."""
    traces = [gil_trace().write(tmp_path / f"{name}.gilscope") for name in ("a", "b")]
    assert main(["report", *map(str, traces)]) == 0
    assert (tmp_path / "a.html").read_text().count(SECTION) == 2


def test_a_section_begins_where_a_build_comes_again(tmp_path: Path) -> None:
    """Two programs under two builds each are two sections with two timelines."""
    makers = {"gil": gil_trace, "ft": ft_trace}
    traces = [makers[b]().write(tmp_path / f"{n}-{b}.gilscope") for n in "ab" for b in makers]
    assert main(["report", *map(str, traces)]) == 0
    html = (tmp_path / "a-gil.html").read_text()
    assert html.count(SECTION) == 2
    assert html.count("timeline-1") == 2


def test_a_report_never_replaces_a_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says that the name is that of a trace."""
    trace = gil_trace().write(tmp_path / "a.gilscope")
    before = trace.read_bytes()
    assert main(["report", str(trace), "-o", str(trace)]) == 2
    assert "is a trace" in capsys.readouterr().err
    assert trace.read_bytes() == before
