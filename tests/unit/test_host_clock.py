"""The clock of another host, as round trips tell it."""

from __future__ import annotations

import time

from gilscope.dask.clocks import HostClock, Reading, read_clock


def test_the_shortest_round_trip_counts() -> None:
    """And the answer was given within it: that is the error."""
    waits = iter([0.02, 0.0, 0.01])
    ahead = 5_000_000_000

    def ask() -> int:
        there = time.monotonic_ns() + ahead
        time.sleep(next(waits))
        return there

    reading = read_clock(ask, rounds=3)
    assert reading is not None
    assert reading.error_ns < 10_000_000
    assert abs(reading.there - ahead - reading.here) <= reading.error_ns


def test_who_does_not_answer_has_no_clock() -> None:
    """Nothing is guessed."""
    assert read_clock(lambda: None) is None


def test_between_two_readings_the_clock_drifts() -> None:
    """Evenly; outside of them the difference stays."""
    clock = HostClock([Reading(1_000, 5_000, 3), Reading(2_000, 6_100, 7)])
    assert [clock.here(there) for there in (0, 1_000, 1_500, 2_000, 3_000)] == [
        4_000,
        5_000,
        5_550,
        6_100,
        7_100,
    ]
    assert (clock.error_ns, clock.drift_known) == (7, True)


def test_one_reading_says_that_the_drift_is_not_known() -> None:
    """As of a worker on a host that joined late."""
    clock = HostClock([Reading(1_000, 5_000, 2_000_000)])
    assert clock.here(9_000) == 13_000
    assert clock.remark() == (
        "its clock was compared by round trips, to within 2 ms when the recording ended; "
        "its drift is not known"
    )
