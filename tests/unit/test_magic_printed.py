"""What the program of a cell prints, in the cell's outputs."""

from __future__ import annotations

import pytest

from gilscope.jupyter.printed import without

PLAIN = 'Traceback:\n  File "<cell 4>", line 2\nError: no\n'


@pytest.mark.parametrize(
    "printed",
    [
        PLAIN,
        PLAIN.replace('"<cell 4>"', '\x1b[35m"<cell 4>"\x1b[0m').replace("no", "\x1b[1mno\x1b[0m"),
        "\x1b[31m" + PLAIN + "\x1b[0m",
    ],
)
def test_a_traceback_is_shown_once(printed: str) -> None:
    """It comes with the error of the cell, whatever colours it was printed in before."""
    text = without(f"\x1b[32msaid\x1b[0m\n{printed}later\n", PLAIN)
    assert "Traceback" not in text
    assert "Error" not in text
    assert text.startswith("\x1b[32msaid\x1b[0m\n")
    assert text.endswith("later\n")


def test_what_is_not_there_is_not_taken_away() -> None:
    """A program may print its errors otherwise."""
    assert without("\x1b[32msaid\x1b[0m\n", PLAIN) == without("\x1b[32msaid\x1b[0m\n", "")
