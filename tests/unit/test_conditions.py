"""Conditions by which a ring is written down."""

from __future__ import annotations

import pytest

from gilscope.errors import UsageError
from gilscope.target.recording.conditions import parse
from gilscope.target.recording.options import RecordingOptions


@pytest.mark.parametrize(
    ("text", "kind", "longer"),
    [
        ("gil_wait > 50 ms", "gil_wait", 50_000_000),
        ("lock_wait>1.5s", "lock_wait", 1_500_000_000),
        (" gil_wait > 2000 us ", "gil_wait", 2_000_000),
        ("pause > 20 ms", "pause", 20_000_000),
        ("hang", "hang", 0),
    ],
)
def test_a_condition_is_a_wait_and_a_time(text: str, kind: str, longer: int) -> None:
    """With a unit."""
    assert parse(text) == parse(text)
    assert (parse(text).kind, parse(text).longer_ns) == (kind, longer)


@pytest.mark.parametrize(
    "text",
    [
        "gil_wait",
        "gil_wait > 50",
        "hold > 5 ms",
        "gil_wait > 1 us",
        "gil_wait > 9999 s",
        "x",
        "hang > 1 s",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """By the options, too, before anything is recorded."""
    with pytest.raises(ValueError, match="gil_wait"):
        parse(text)
    with pytest.raises(UsageError):
        RecordingOptions(ring=True, when=text)


def test_it_takes_a_ring() -> None:
    """There is nothing to write down else."""
    with pytest.raises(UsageError, match="ring"):
        RecordingOptions(when="gil_wait > 50 ms")


def test_hangs_have_to_be_watched_for() -> None:
    """Or there is none to write down."""
    with pytest.raises(UsageError, match="on_hang"):
        RecordingOptions(ring=True, when="hang", on_hang="off")
