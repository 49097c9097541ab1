"""The pictures of the documentation are of the view as it is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import pictures  # noqa: E402 - a tool, not a package


@pytest.mark.parametrize(
    "path", sorted((ROOT / "docs" / "images").glob("*.png")), ids=lambda p: p.name
)
def test_a_picture_shows_the_view_of_today(path: Path) -> None:
    """Its states with their colours, and its signs; `make pictures` takes it anew."""
    assert pictures.said_by(path.read_bytes()) == pictures.facts()


def test_what_a_picture_says_survives_in_a_valid_file() -> None:
    """The text stands before the end of the file."""
    png = pictures.marked(b"\x89PNG\r\n\x1a\n" + pictures.chunk(b"IEND", b""), {"a": 1})
    assert pictures.said_by(png) == {"a": 1}
    assert png.endswith(pictures.chunk(b"IEND", b""))
    assert pictures.said_by(b"\x89PNG\r\n\x1a\n" + pictures.chunk(b"IEND", b"")) is None
