"""The laws that are fitted to wall times by number of threads."""

from __future__ import annotations

import pytest

from gilscope.comparison.table import summary_text
from gilscope.results.model import ComparisonData
from gilscope.results.scaling import Law, Point, Scaling, fit, scaling
from gilscope.results.statistics import Speedup
from gilscope.view.html.scaling import scaling as scaling_html


def usl(threads: int, contention: float, coherence: float, one: float = 2.0) -> float:
    """The time that the Universal Scalability Law gives."""
    serial = contention + (1 - contention) / threads
    return one * (serial + coherence * (threads - 1))


def test_amdahls_law_is_found_again() -> None:
    """Times that follow it exactly."""
    law = fit({n: usl(n, 0.25, 0) for n in (1, 2, 4, 8)}, coherence=False)
    assert law is not None
    assert (law.contention, law.coherence) == (pytest.approx(0.25), 0)
    assert law.error == pytest.approx(0, abs=1e-9)
    assert law.best_threads is None


def test_the_universal_scalability_law_is_found_again() -> None:
    """Contention, coherence, and where the curve turns."""
    law = fit({n: usl(n, 0.1, 0.01) for n in (1, 2, 4, 8, 16)}, coherence=True)
    assert law is not None
    assert (law.contention, law.coherence) == (pytest.approx(0.1), pytest.approx(0.01))
    assert law.best_threads == pytest.approx(90**0.5)


def test_nothing_becomes_negative() -> None:
    """Threads that gain more than their number, or lose: the nearest law that makes sense."""
    superlinear = fit({1: 4.0, 2: 1.5, 4: 0.5}, coherence=True)
    slower = fit({1: 1.0, 2: 2.0, 4: 4.0}, coherence=False)
    assert superlinear is not None
    assert slower is not None
    assert (superlinear.contention, superlinear.coherence) == (0, 0)
    assert slower.contention == 1


def test_too_few_points_for_a_law() -> None:
    """As many as there are unknowns."""
    assert fit({1: 1.0}, coherence=False) is None
    assert fit({1: 1.0, 2: 1.0}, coherence=True) is None


def test_the_speedup_is_against_one_thread() -> None:
    """Without a time of one thread there is none."""
    curve = scaling("ft", {4: (0.5, 0.5), 1: (2.0, 2.0), 2: ()})
    assert [(p.threads, p.speedup and p.speedup.factor) for p in curve.points] == [
        (1, 1.0),
        (4, 4.0),
    ]
    assert scaling("ft", {2: (1.0,)}).points[0].speedup is None


def test_the_curves_are_shown() -> None:
    """As text and as a picture with a table; a build that failed has no curve."""
    points = (Point(1, (2.0,), Speedup(1.0)), Point(4, (1.0,), Speedup(2.0)))
    full = Scaling("gil", points, Law(0.25, 0.0, 0.03), Law(0.25, 0.01, 0.03))
    empty = Scaling("ft", (), None, None)
    text = summary_text(ComparisonData("x", (), (), scaling=(full, empty)))
    assert "1 s, 2.00x" in text
    assert "25.0%, 1.00% (error 3%)" in text
    html = scaling_html([full, empty])
    assert "<svg" in html
    assert "1 s (2.00×)" in html
    assert scaling_html([empty]) == scaling_html([]) == ""
