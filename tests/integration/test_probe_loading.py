"""Libraries that are loaded while the probe starts, runs and stops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Recorded

    type Record = Callable[..., Recorded]


def test_constructors_may_load_libraries(record: Record) -> None:
    """A constructor that loads a library does not meet a thread that imports a module."""
    assert record("loading.py", "constructors_that_load").facts["slots_left"] == 0


def test_sessions_may_end_while_libraries_are_loaded(record: Record) -> None:
    """Neither start nor stop waits for a thread that waits for them."""
    facts = record("loading.py", "stops_while_loading").facts
    assert facts["sessions"] > 1
    assert facts["slots_left"] == 0


@pytest.mark.parametrize("interpreter", ["gil"], indirect=True)
def test_library_that_is_loaded_unseen_is_noticed(record: Record) -> None:
    """Its calls into Python are recorded from then on, and the trace says that it was late."""
    recorded = record("loading.py", "loaded_unseen")
    assert len(recorded.trace.callbacks) > 1000
    (reason,) = recorded.trace.not_measured.values()
    assert "libentering.so until 0." in reason


@pytest.mark.parametrize("interpreter", ["gil"], indirect=True)
def test_library_that_is_loaded_unseen_is_noticed_among_threads(record: Record) -> None:
    """A thread of the probe's own looks, since another one may have the loader's lock."""
    recorded = record("loading.py", "loaded_unseen_among_threads")
    assert len(recorded.trace.callbacks) > 0
    assert "libentering.so" in recorded.trace.not_measured["objects_loaded_unseen"]


def test_library_that_was_loaded_unseen_and_never_noticed_is_named(record: Record) -> None:
    """The end of the session is the last chance to say so."""
    recorded = record("loading.py", "loaded_unseen_and_idle")
    assert "libentering.so" in recorded.trace.not_measured["objects_loaded_unseen"]


def test_library_that_is_loaded_in_the_usual_way_is_not_late(record: Record) -> None:
    """What a hooked call of the loader brings has its hooks in time."""
    assert record("loading.py", "constructors_that_load").trace.not_measured == {}
