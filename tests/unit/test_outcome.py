"""The outcome of a comparison in words."""

from __future__ import annotations

from typing import Any

import pytest

from gilscope.analysis.findings import Finding
from gilscope.comparison import Run
from gilscope.results.model import ComparisonData
from gilscope.results.outcome import Outcome, outcome
from gilscope.results.ratios import factor_text, range_text, ratio_text
from gilscope.results.statistics import Speedup
from gilscope.severity import Severity

TURNED_ON = "the GIL was turned on, so this run does not show free threading"


def run(build: str, *wall_s: float, **changes: Any) -> Run:
    """Return a run of a build that took so long."""
    free = build != "gil"
    facts: dict[str, Any] = {
        "build": build,
        "python": "3.13.5",
        "executable": "python",
        "free_threaded": free,
        "gil_enabled_before": not free,
        "gil_enabled_after": not free,
        "gil_enabled_by": None,
        "wall_s": wall_s,
        "probed_wall_s": (),
        "trace_path": None,
        "trace": None,
        "status": 0,
    }
    return Run(**{**facts, **changes})


def finding(title: str, cost_s: float, *, suspected: bool = False) -> Finding:
    """Return something that was found."""
    return Finding("name", title, Severity.MEDIUM, (), "", (), int(cost_s * 1e9), suspected)


def outcome_of(*runs: Run, found: tuple[tuple[str, Finding], ...] = ()) -> Outcome:
    """Return what these runs come to."""
    comparison = ComparisonData("x", ("x.py",), runs)
    comparison.__dict__["findings"] = found
    return outcome(comparison)


def test_a_slow_down_is_named_with_its_times_and_interval() -> None:
    """Never a speed-up below 1; the interval is in the same unit."""
    found = outcome_of(run("gil", 0.71, 0.72, 0.73), run("ft", 1.56, 1.57, 1.58))
    assert found.kind == "slower"
    assert found.headline == (
        "Slower without the GIL: 720 ms with the GIL → 1.57 s without (2.2 × slower, 2.0 to 2.4)"
    )


def test_a_speed_up_is_named_so() -> None:
    """With its factor above 1."""
    found = outcome_of(run("gil", 3.0, 3.1, 3.2), run("ft", 2.0, 2.0, 2.1))
    assert found.headline.startswith(
        "Faster without the GIL: 3.1 s with the GIL → 2 s without (1.6 × faster, "
    )


def test_no_difference_has_no_number_in_the_headline() -> None:
    """The interval spans 1: its ends stand below."""
    found = outcome_of(run("gil", 1.0, 1.2, 1.4), run("ft", 1.1, 1.2, 1.3))
    assert (found.kind, found.headline) == (
        "no difference shown",
        "No difference shown without the GIL",
    )
    assert found.times == "1.2 s with the GIL → 1.2 s without (1.16 × slower to 1.16 × faster)"


def test_a_difference_that_no_number_shows_is_none() -> None:
    """Times may differ by less than a hundredth, each time: that is neither faster nor slower."""
    found = outcome_of(run("gil", *[0.2004] * 5), run("ft", *[0.2] * 5))
    assert found.kind == "no difference shown"
    assert found.times == "200 ms with the GIL → 200 ms without (equal)"


def test_a_single_pair_gives_no_verdict() -> None:
    """Two times differ by chance as well."""
    found = outcome_of(run("gil", 1.0), run("ft", 2.0))
    assert found.kind == "not compared"
    assert "slower" not in " ".join(found.lines)
    assert found.times == "1 s with the GIL → 2 s without; run each build several times (--repeat)"


@pytest.mark.parametrize(
    ("runs", "headline", "times"),
    [
        (
            (run("gil", 1.0, 1.0), run("ft", error="ended by SIGSEGV")),
            "Not compared: the program failed under the free-threaded build",
            "GIL build: 1 s; free-threaded build: no complete run",
        ),
        (
            (run("gil", 1.0, 1.0), run("ft", 2.0, 2.0, gil_enabled_after=True)),
            f"Not compared: free-threaded build: {TURNED_ON}",
            "GIL build: 1 s; free-threaded build: 2 s",
        ),
        (
            (run("gil", 1.0, error="ValueError: no"), run("ft", 2.0, 2.0)),
            "Not compared: the program failed under the GIL build",
            "GIL build: 1 s, then it failed; free-threaded build: 2 s",
        ),
        ((run("gil", 1.0, 1.2),), "Not compared: GIL build only", "GIL build: 1.1 s"),
        ((), "Not compared: nothing was run", "no run was recorded"),
    ],
)
def test_what_is_missing_is_said(runs: tuple[Run, ...], headline: str, times: str) -> None:
    """And the times that there are."""
    found = outcome_of(*runs)
    assert (found.kind, found.headline, found.times) == ("not compared", headline, times)


def test_the_main_cause_has_taken_most_of_what_was_lost() -> None:
    """What took less is a finding, not the cause; what is only suspected says so."""
    runs = run("gil", 1.0, 1.0, 1.0), run("ft", 2.0, 2.0, 2.0)
    found = outcome_of(*runs, found=(("ft", finding("a", 0.2)), ("ft", finding("b", 0.6))))
    assert [cause.text for cause in found.causes] == ["Main cause: b"]
    found = outcome_of(*runs, found=(("ft", finding("a", 0.2)),))
    assert [cause.text for cause in found.causes] == ["Main finding without the GIL: a"]
    found = outcome_of(*runs, found=(("ft", finding("a", 9, suspected=True)),))
    assert [cause.text for cause in found.causes] == ["Main finding without the GIL: a (suspected)"]


def test_what_holds_the_gil_build_up_is_the_last_line() -> None:
    """A program that is faster without the GIL has no cause to name but that."""
    runs = run("gil", 2.0, 2.0, 2.0), run("ft", 1.0, 1.0, 1.0)
    found = outcome_of(*runs, found=(("ft", finding("a", 1)), ("gil", finding("b", 1))))
    assert [cause.text for cause in found.causes] == ["GIL build: b"]


@pytest.mark.parametrize(
    ("speedup", "text"),
    [
        (Speedup(0.46, (0.42, 0.48)), "2.2 × slower, 2.1 to 2.4"),
        (Speedup(1.5, (1.4, 1.6)), "1.5 × faster, 1.4 to 1.6"),
        (Speedup(0.97, (0.96, 0.98)), "1.03 × slower, 1.02 to 1.04"),
        (Speedup(30.4, (25.2, 1234.0)), "30 × faster, 25 to 1,234"),
        (Speedup(1.04, (0.9, 1.2)), "no difference shown: 1.11 × slower to 1.2 × faster"),
        (Speedup(1.001, (0.98, 1.02)), "no difference shown: 1.02 × slower to 1.02 × faster"),
        (Speedup(1.002, (1.001, 1.004)), "no difference shown: equal"),
        (Speedup(2.0), "not known from one run of each"),
    ],
)
def test_a_ratio_is_faster_or_slower(speedup: Speedup, text: str) -> None:
    """By a factor of at least 1."""
    assert ratio_text(speedup) == text


def test_a_factor_next_to_one_is_equal() -> None:
    """Not 1.00 times slower."""
    assert factor_text(0.999) == factor_text(1.001) == "equal"
    assert range_text(1.5, 1.4, 1.75) == "1.5 × faster (1.4 to 1.8)"
    assert range_text(1.0, 0.8, 1.3) == "equal (1.3 × slower to 1.3 × faster)"
    assert range_text(1.0, 1.0, 1.8) == "equal (up to 1.8 × faster)"
    assert range_text(1.0, 0.8, 1.0) == "equal (up to 1.3 × slower)"
    assert range_text(1.5, 1.0, 1.8) == "1.5 × faster (1.00 to 1.8)"
    assert range_text(1.0, 0.998, 1.001) == "equal"
