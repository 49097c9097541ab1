"""What a run prints is taken apart: text, and displays at their places."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gilscope.runner.outputs import Display, Outputs
from gilscope.target.worker.display import mark

if TYPE_CHECKING:
    from pathlib import Path

MESSAGE = {
    "data": {"text/plain": "a table", "text/html": "<table>"},
    "metadata": {},
    "display_id": None,
    "update": False,
}


class Run:
    """A run with a display, and what was passed on of it."""

    def __init__(self, place: Path, text: str = json.dumps(MESSAGE)) -> None:
        self.passed: list[str | Display] = []
        self.outputs = Outputs(
            place,
            "gil",
            lambda _build, _stream, text: self.passed.append(text),
            lambda _build, shown: self.passed.append(shown),
            first=True,
        )
        (place / "7-0.json").write_text(text)
        assert self.outputs.place
        self.mark = mark(self.outputs.place["token"], "7-0")

    def take(self, *pieces: str) -> list[str | Display]:
        """Pass pieces on."""
        for piece in pieces:
            self.outputs.take("stdout", piece)
        self.outputs.finish()
        return self.passed


SHOWN = Display(MESSAGE["data"], {})  # type: ignore[arg-type]


def test_a_display_stands_at_its_mark(tmp_path: Path) -> None:
    """Between the texts around it."""
    run = Run(tmp_path)
    assert run.take(f"a{run.mark}b") == ["a", SHOWN, "b"]


@pytest.mark.parametrize("cut", range(1, 24))
def test_a_mark_may_come_in_pieces(tmp_path: Path, cut: int) -> None:
    """However the pipe has cut it."""
    run = Run(tmp_path)
    text = f"a{run.mark}b"
    found = run.take(text[:cut], text[cut:])
    assert [one for one in found if isinstance(one, Display)] == [SHOWN]
    assert "".join(one for one in found if isinstance(one, str)) == "ab"


def test_what_only_begins_like_a_mark_is_text(tmp_path: Path) -> None:
    """Colours of a terminal, and a mark that never ends."""
    run = Run(tmp_path)
    texts = "\x1b[31mred", run.mark[:-1], "x" * 100
    assert "".join(map(str, run.take(*texts))) == "".join(texts)
    assert run.outputs.plain("\x1b_ 7-0;") == "\x1b_ 7-0;"


def test_kept_text_has_the_displays_as_text(tmp_path: Path) -> None:
    """As runs that display nothing print them."""
    run = Run(tmp_path)
    assert run.outputs.plain(f"a\n{run.mark}b\n") == "a\na table\nb\n"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"data": 1, "metadata": {}, "display_id": 1, "update": 0}']
)
def test_what_is_no_display_is_left_out(tmp_path: Path, text: str) -> None:
    """A file that the program has spoilt."""
    run = Run(tmp_path, text)
    assert run.take(f"a{run.mark}b") == ["a", "b"]


def test_later_runs_pass_nothing_on(tmp_path: Path) -> None:
    """And are told to display nothing."""
    outputs = Outputs(tmp_path, "gil", print, print, first=False)
    assert outputs.place is None
