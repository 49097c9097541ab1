"""What commands print and which files they replace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gilscope.cli import main
from gilscope.errors import ExportError, GilscopeError
from gilscope.jupyter import dump
from gilscope.trace.reading.reader import read
from trace_builder import TraceBuilder
from trace_examples import gil_trace

if TYPE_CHECKING:
    from pathlib import Path

MS = 1_000_000
NASTY = "a\x1b[31m\x9b2J\x07\rb\u202e"


def nasty() -> TraceBuilder:
    """A trace whose every name would control a terminal."""
    builder = TraceBuilder(free_threaded=True)
    threads = [builder.thread(NASTY) for _ in range(2)]
    lock = builder.lock("object", address=0x1000, type=NASTY)
    stack = builder.stack((builder.code(NASTY, f"/{NASTY}", 3, NASTY), 4))
    for number in range(40):
        thread, other = threads[number % 2], threads[1 - number % 2]
        start = number * 10 * MS
        builder.wait(thread, lock, start, start + 9 * MS, peer=other, stack=stack)
    return builder


@pytest.mark.parametrize(
    "command",
    [
        ["info"],
        ["findings"],
        ["top"],
        ["diff", "y\x1b[1m.gilscope"],
        ["report", "-o", "out\x1b[1m"],
        ["export", "-o", "out\x1b[1m"],
        ["pack", "-o", "out\x1b[1m"],
        ["merge", "y\x1b[1m.gilscope", "-o", "out\x1b[1m"],
    ],
    ids=lambda command: command[0],
)
def test_names_do_not_control_the_terminal(
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Names of threads, functions, types, programs and files are printed without their controls."""
    monkeypatch.chdir(tmp_path)
    for name in ("x\x1b[1m.gilscope", "y\x1b[1m.gilscope"):
        nasty().write(tmp_path / name)
    name, *rest = command
    assert main([name, "x\x1b[1m.gilscope", *rest]) == 0
    output = capsys.readouterr()
    assert output.out
    assert [c for c in output.out + output.err if not c.isprintable() and c != "\n"] == []


def test_errors_do_not_control_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor do names of files that are not there, nor words that no command knows."""
    assert main(["info", "no\x1b[31m.gilscope"]) == 2
    with pytest.raises(SystemExit):
        main(["info", "x", "--no\x1b[31m"])
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize("link", [False, True])
def test_a_report_replaces_nothing_of_others(
    *, link: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that gilscope did not write stays, also behind a link, unless --force is given."""
    trace = str(gil_trace().write(tmp_path / "x.gilscope"))
    thesis = tmp_path / "thesis.html"
    thesis.write_text("<!DOCTYPE html>\n<html lang='en'>years of work")
    target = tmp_path / "link" if link else thesis
    if link:
        target.symlink_to(thesis)
    assert main(["report", trace, "-o", str(target)]) == 2
    assert "was not written by gilscope" in capsys.readouterr().err
    assert thesis.read_text().endswith("years of work")
    assert main(["report", trace, "-o", str(target), "--force"]) == 0
    assert "years of work" not in thesis.read_text()


def test_a_report_replaces_an_earlier_one_and_an_empty_file(tmp_path: Path) -> None:
    """Nothing is lost by that."""
    trace = str(gil_trace().write(tmp_path / "x.gilscope"))
    (tmp_path / "r.html").touch()
    for _ in range(2):
        assert main(["report", trace, "-o", str(tmp_path / "r.html")]) == 0


def test_the_magic_replaces_exports_only(tmp_path: Path) -> None:
    """-D refuses before anything runs, but for what an earlier -D has written."""
    trace = str(gil_trace().write(tmp_path / "x.gilscope"))
    for suffix, name in dump.EXPORTS.items():
        path = tmp_path / f"x{suffix}"
        path.write_text("{}")
        with pytest.raises(ExportError, match="was not written by gilscope"):
            dump.check(str(path))
        assert main(["export", trace, "--format", name, "-o", str(path), "--force"]) == 0
        dump.check(str(path))


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    """The error names those that are."""
    trace = read(gil_trace().write(tmp_path / "x.gilscope"))
    with pytest.raises(GilscopeError, match="no table 'x': there are intervals, wakes"):
        trace.table("x")
