"""How the wall time of one build changes with the number of threads, and the laws fitted to it.

Both laws are one formula. A run with one thread takes T = S + P, of which S is serial. With n
threads it takes

    T(n) = S + P / n + K (n - 1)

Amdahl's law is that with K = 0 and the serial fraction S / T. The Universal Scalability Law
(N. J. Gunther) has the same S, there called contention, and K / T, the coherence: what each further
thread costs, because threads have to agree with each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import sqrt
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from gilscope.results.statistics import Speedup, speedup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


type F64 = np.typing.NDArray[np.float64]


@dataclass(frozen=True)
class Point:
    """One number of threads.

    Attributes:
        threads: How many.
        wall_s: Seconds, one a repetition, probe off.
        speedup: Against the same build with one thread; None if that was not timed.
    """

    threads: int
    wall_s: tuple[float, ...]
    speedup: Speedup | None


@dataclass(frozen=True)
class Law:
    """A law that was fitted to the medians.

    Attributes:
        contention: Share of the work of one thread that is done by one thread at a time.
        coherence: What each further thread adds, as a share of the work of one thread; 0 in
            Amdahl's law.
        error: Root mean square of the relative errors of the times.
    """

    contention: float
    coherence: float
    error: float

    @property
    def best_threads(self) -> float | None:
        """The number of threads from which on more of them make it slower; None: there is none."""
        if not self.coherence:
            return None
        return max(1.0, sqrt((1 - self.contention) / self.coherence))


@dataclass(frozen=True)
class Scaling:
    """The scaling curve of one build.

    Attributes:
        build: The build.
        points: By number of threads, the lowest first.
        amdahl: Amdahl's law; None from fewer than two points.
        usl: The Universal Scalability Law; None from fewer than three points.
    """

    build: str
    points: tuple[Point, ...]
    amdahl: Law | None
    usl: Law | None


def scaling(build: str, times: Mapping[int, Sequence[float]]) -> Scaling:
    """Return the curve of ``build``.

    Args:
        build: The build.
        times: Seconds by number of threads; those without any are left out.
    """
    walls = {threads: tuple(times[threads]) for threads in sorted(times) if times[threads]}
    points = [
        Point(threads, wall, speedup(walls.get(1, ()), wall)) for threads, wall in walls.items()
    ]
    medians = {threads: median(wall) for threads, wall in walls.items()}
    return Scaling(
        build,
        tuple(points),
        amdahl=fit(medians, coherence=False),
        usl=fit(medians, coherence=True),
    )


def fit(times: Mapping[int, float], *, coherence: bool) -> Law | None:
    """Fit a law to times by number of threads; None if there are fewer of them than unknowns.

    Relative errors are made small, so that the short times of many threads count as much as others.
    """
    threads = np.array(sorted(times), np.float64)
    if len(threads) < 2 + coherence:
        return None
    wall = np.array([times[int(n)] for n in threads])
    terms = [np.ones_like(threads), 1 / threads, *([threads - 1] if coherence else [])]
    matrix = np.stack(terms, axis=1) / wall[:, np.newaxis]
    serial, parallel, each = (*_non_negative(matrix, np.ones_like(wall)), 0.0)[:3]
    one = serial + parallel
    if not one:
        return None
    errors = matrix @ np.array([serial, parallel, each][: matrix.shape[1]]) - 1
    return Law(serial / one, each / one, float(np.sqrt(np.mean(errors**2))))


def _non_negative(matrix: F64, wanted: F64) -> list[float]:
    """Return the x ≥ 0 for which ``matrix @ x`` is nearest to ``wanted``.

    With three unknowns at most, all choices of those that are not 0 can be tried.
    """
    size = matrix.shape[1]
    best, least = [0.0] * size, float("inf")
    for choice in product((True, False), repeat=size):
        chosen = np.flatnonzero(choice)
        x = np.zeros(size)
        if len(chosen):
            x[chosen] = np.linalg.lstsq(matrix[:, chosen], wanted, rcond=None)[0]
        residual = float(np.sum((matrix @ x - wanted) ** 2))
        if x.min() >= 0 and residual < least:
            best, least = x.tolist(), residual
    return best
