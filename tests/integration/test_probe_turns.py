"""What happens when several threads start, stop, copy, fork and load at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Recorded

    type Record = Callable[..., Recorded]


def test_profile_works_while_threads_fork(record: Record) -> None:
    """A stop waits for a fork that is being made, and is not refused for it."""
    facts = record("turns.py", "profile_while_forking").facts
    assert facts == {"failures": [], "statuses": [0], "running": False}


def test_starts_stops_copies_forks_and_loads_may_come_at_once(record: Record) -> None:
    """Nobody waits for ever, and no child has a session of its parent's."""
    facts = record("turns.py", "everything_at_once").facts
    assert facts == {"failures": [], "statuses": [0], "running": False}


@pytest.mark.parametrize("interpreter", ["ft"], indirect=True)
def test_a_session_starts_while_modules_are_imported(record: Record) -> None:
    """An import that has the GIL on for a moment makes no other interpreter of this one."""
    recorded = record("turns.py", "starts_beside_imports")
    assert recorded.facts == {"failures": [], "running": False}
    trace = recorded.trace
    assert (trace.gil_enabled_start, trace.gil_enabled_end) == (False, False)


def test_handler_of_a_signal_may_stop_and_start(record: Record) -> None:
    """It is refused in the middle of a start or a stop of the same thread."""
    facts = record("turns.py", "stop_in_a_handler").facts
    known = ("the probe is", "this thread is starting or stopping")
    assert all(text.startswith(known) for text in facts["outcomes"])
    assert not facts["running"]
