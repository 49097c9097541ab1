"""Programs with libraries that replace or watch threads run as ever, and have whole traces."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Recorded

    type Record = Callable[..., Recorded]

EXPECTED = {
    "gevent": [[0, 1, 2], [0, 1, 4]],
    "eventlet": [0, 0, 1, 1, 2, 2],
    "greenlet": [True, True, True],
    "uvloop": [[0, 1, 2, 3], "hi\n", 0],
    "trio": [[0, 1, 2], "hi\n"],
    "coverage": [[0, 1, 2], True],
}
STOCK = pytest.mark.parametrize("interpreter", ["gil"], indirect=True)


@STOCK
@pytest.mark.parametrize("library", EXPECTED)
def test_program_with_a_library(record: Record, library: str) -> None:
    """It computes what it should; the main thread is the main thread, whoever borrows it."""
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    recorded = record("libraries.py", library)
    assert recorded.facts == EXPECTED[library]
    trace = recorded.trace
    assert (trace.end_reason, trace.problems) == ("stop", ())
    assert [thread.name for thread in trace.threads if thread.tid == trace.pid] == ["MainThread"]


def test_traced_threads(record: Record) -> None:
    """A trace function sees each line of the program and none of ours."""
    recorded = record("libraries.py", "settrace")
    assert recorded.facts == sorted(["call", "line", "line", "return"] * 3)


def test_stand_ins_for_threads(record: Record) -> None:
    """What is no thread is left out; nothing of the program is called, nothing is raised."""
    recorded = record("libraries.py", "stand_ins")
    assert recorded.facts == "went on"
    assert (recorded.trace.end_reason, recorded.trace.problems) == ("stop", ())
