"""The commands that make one file of traces: report, pack, merge."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from gilscope.cli import main
from trace_examples import ft_trace, gil_trace

if TYPE_CHECKING:
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


def test_report_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was written, for programs; what is missing in a trace is on standard error, too."""
    trace = gil_trace().write(tmp_path / "a.gilscope", end=False)
    out = tmp_path / "r.html"
    assert main(["report", str(trace), "-o", str(out), "--json"]) == 0
    said = capsys.readouterr()
    facts = json.loads(said.out)
    assert (facts["file"], facts["bytes"], facts["traces"]) == (str(out), out.stat().st_size, 1)
    assert all(f"problem: {problem}" in said.err for problem in facts["problems"])


def test_a_report_is_no_device(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pipe or a device is written to; it is not replaced by a file, whoever asks for it."""
    trace = gil_trace().write(tmp_path / "a.gilscope")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()), daemon=True)
    reader.start()
    assert main(["report", str(trace), "-o", str(pipe)]) == 0
    assert pipe.is_fifo()
    reader.join(60)
    assert "<h1>gilscope report</h1>" in got[0]
    assert main(["report", str(trace), "-o", "/dev/full"]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert Path("/dev/full").is_char_device()


def test_a_link_to_a_report_stays(tmp_path: Path) -> None:
    """What a symbolic link leads to is replaced, not the link."""
    trace = gil_trace().write(tmp_path / "a.gilscope")
    link, place = tmp_path / "link.html", tmp_path / "place.html"
    link.symlink_to(place)
    assert main(["report", str(trace), "-o", str(link)]) == 0
    assert link.is_symlink()
    assert SECTION in place.read_text()


def test_pack_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was packed, for programs."""
    trace = gil_trace().write(tmp_path / "a.gilscope")
    assert main(["pack", str(trace), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["file"] == str(tmp_path / "a.packed.gilscope")
    assert facts["bytes"] == Path(facts["file"]).stat().st_size
    assert facts["bytes_before"] > 0
    assert facts["events"] > 0


def test_no_trace_is_merged_with_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A trace that is given twice would count twice."""
    trace = gil_trace().write(tmp_path / "a.gilscope")
    (tmp_path / "b.gilscope").symlink_to(trace)
    names = [str(trace), str(tmp_path / "b.gilscope")]
    assert main(["merge", *names, "-o", str(tmp_path / "m.gilscope")]) == 2
    assert "is given twice" in capsys.readouterr().err
    assert not (tmp_path / "m.gilscope").exists()
