"""How sure a speed-up is, and what the outputs of the arms have in common."""

from __future__ import annotations

import numpy as np
import pytest

from gilscope.comparison.outputs import first_difference
from gilscope.results import statistics
from gilscope.results.statistics import speedup


def test_the_factor_is_the_ratio_of_medians() -> None:
    """Outliers do not matter."""
    found = speedup([2.0, 2.0, 9.0], [1.0, 1.0, 0.1])
    assert found is not None
    assert found.factor == 2.0


def test_the_interval_of_a_clear_difference_leaves_one_out() -> None:
    """Times that do not overlap."""
    found = speedup([2.0, 2.1, 2.2, 2.0, 2.1, 2.1, 2.2], [1.0, 1.1, 1.0, 1.1, 1.0, 1.05, 1.1])
    assert found is not None
    assert found.interval is not None
    low, high = found.interval
    assert 1.7 < low < found.factor < high < 2.3
    assert found.shown


def test_the_interval_of_noise_spans_one() -> None:
    """Times that overlap widely."""
    found = speedup([1.0, 1.5, 0.9, 1.2, 1.1, 1.4, 0.8], [1.1, 1.0, 1.3, 0.9, 1.4, 1.2, 0.9])
    assert found is not None
    assert found.shown is False


def test_what_slows_a_whole_round_down_does_not_matter() -> None:
    """The rounds differ by a factor of four, the arms by exactly two in each of them."""
    found = speedup([2.0, 4.0, 8.0, 2.0, 4.0], [1.0, 2.0, 4.0, 1.0, 2.0])
    assert found is not None
    assert found.interval == pytest.approx((2.0, 2.0))


def test_the_same_times_give_the_same_interval() -> None:
    """Chance is seeded; another number of repetitions is no problem."""
    times = [1.0, 1.3, 1.2], [0.9, 1.1, 1.0, 1.2]
    assert speedup(*times) == speedup(*times)


def test_two_rounds_show_large_differences_only() -> None:
    """By chance alone both are on the same side of 1 every second time."""
    small, large = speedup([1.05, 1.06], [1.0, 1.0]), speedup([2.0, 2.1], [1.0, 1.0])
    assert small is not None
    assert large is not None
    assert small.shown is False
    assert large.shown is True


@pytest.mark.parametrize("rounds", [2, 3, 4])
def test_few_rounds_are_as_sure_as_they_say(rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of arms that differ by chance only, as programs do, 19 of 20 show no difference."""
    monkeypatch.setattr(statistics, "RESAMPLES", 500)
    chance = np.random.default_rng(rounds)
    runs = np.exp(chance.normal(0, 0.05, (200, 2, rounds)))
    found = [speedup(gil.tolist(), ft.tolist()) for gil, ft in runs]
    assert sum(one is not None and one.shown is False for one in found) >= 190


def test_one_repetition_has_no_interval() -> None:
    """Nothing is known about its spread."""
    found = speedup([2.0], [1.0, 1.1])
    assert found is not None
    assert found.interval is found.shown is None
    assert speedup([], [1.0]) is speedup([1.0], []) is None


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("a\n", "a\n"),
        ("took 0.412 s\n", "took   12.1 ms\n"),
        ("12:30:01 done", "12:30:07,5 done"),
        ("<object at 0x7fa0>", "<object at 0x55b1>"),
    ],
)
def test_what_varies_from_run_to_run_is_no_difference(mine: str, theirs: str) -> None:
    """Durations, times of day and addresses."""
    assert first_difference(mine, theirs) is None


def test_the_first_line_that_differs_is_quoted() -> None:
    """Also one that is missing."""
    assert first_difference("a\nb 1\n", "a\nb 2\n") == "line 2 is 'b 1', not 'b 2'"
    assert first_difference("a\n", "a\nb\n") == "line 2 is missing, not 'b'"
    assert first_difference("x" * 100, "") == f"line 1 is {'x' * 69 + '…'!r}, not missing"
