"""Programs that have a finding, and their repair: what it gains while nothing is recorded."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

import findings_stage
from scenario import main, scenario, start_all

from gilscope.target.recording import session as probe

if TYPE_CHECKING:
    from collections.abc import Callable

    type Way = Callable[[], object]
    type Clock = Callable[[], int]

ROUNDS = 5
STATES = 30_000 if sys._is_gil_enabled() else 5000  # which is dear without it
CALLS = 200_000
BATCH = 10
KEPT_MS = 20


def measured(trace: str, bad: Way, good: Way, clock: Clock) -> dict[str, list[int]]:
    """Record the bad way; then time both in turns with nothing recorded, in ns of the clock."""
    probe.start(trace)
    bad()
    probe.stop()
    times: dict[str, list[int]] = {"bad": [], "good": []}
    for _ in range(ROUNDS):
        for name, way in (("bad", bad), ("good", good)):
            begin = clock()
            way()
            times[name].append(clock() - begin)
    return times


def nothing() -> None:
    """Be called."""


def batch() -> None:
    """Be called for many at once."""
    for _ in range(BATCH):
        nothing()


@scenario
def thread_states(trace: str) -> dict[str, list[int]]:
    """One thread state a callback, or one for all: processor time."""

    def way(attached: bool) -> Way:  # noqa: FBT001 - C takes no names
        return lambda: findings_stage.call(nothing, 1, STATES, attached)

    return measured(trace, way(False), way(True), time.process_time_ns)  # noqa: FBT003


@scenario
def chatty(trace: str) -> dict[str, list[int]]:
    """Two native threads call back for each result, or for ten at once."""

    def way(called: Way, count: int) -> Way:
        return lambda: findings_stage.call(called, 2, count, True)  # noqa: FBT003

    bad, good = way(nothing, CALLS), way(batch, CALLS // BATCH)
    return measured(trace, bad, good, time.perf_counter_ns)


@scenario
def kept(trace: str) -> dict[str, list[int]]:
    """Three threads sleep with the GIL and one object's lock, or without them."""
    shared: dict[str, int] = {}

    def way(wait: Way) -> Way:
        def work() -> None:
            for _ in range(8):
                wait()

        return lambda: start_all([threading.Thread(target=work) for _ in range(3)])

    bad = way(lambda: findings_stage.keep(shared, KEPT_MS))
    good = way(lambda: time.sleep(KEPT_MS / 1000))
    return measured(trace, bad, good, time.perf_counter_ns)


if __name__ == "__main__":
    main()
