"""What a finding is, and the thresholds that several of them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope import identity
from gilscope.analysis.waits.processors import reachable
from gilscope.text import count_text, time_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.severity import Severity
    from gilscope.trace.arrays import I64
    from gilscope.trace.model import Intervals, Trace

SHARE = 0.05
"""Of the run: waiting below it is left alone. The run cannot become faster by more than was waited,
and 5 % is what the times of one program differ by from run to run (docs/overhead.md)."""

LEAST_NS = 10_000_000
"""And at least this: two switch intervals, that is one hand-over that went badly."""

NEARLY_ALL = 0.95
"""Of what was waited: what is lost of it is not worth a word."""

TO_BE_MEASURED = "`gilscope compare`, or `%%profile_threads` in a notebook, measures the gain"
"""In advice to take the free-threaded build: a comparison has its result in place of it."""

MOST_JUMPS = 10
"""The most intervals that a finding names: the longest ones."""


@dataclass(frozen=True, slots=True)
class Jump:
    """An interval of the timeline to look at.

    Attributes:
        thread: `Thread.index`; 0 if it is of no thread.
        start_ns: from the trace's start.
        end_ns: from the trace's start.
        note: what is to be seen there.
    """

    thread: int
    start_ns: int
    end_ns: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem that an expert would point out.

    Attributes:
        name: of the kind of finding: what its page is called.
        title: one line for people that says what was found, where.
        severity: how bad it is.
        evidence: lines with the numbers that it stands on.
        intervals: where to look, the worst first.
        advice: what to do about it.
        cost_ns: thread time that a repair gains at most: what it took, without what the processors
            could not have done meanwhile (see `had_back`); 0 if it has no such price.
        suspected: the trace does not prove it.
        hazard: it may stop the program for good another time, whatever it cost this time.
    """

    name: str
    title: str
    severity: Severity
    evidence: tuple[str, ...]
    advice: str
    intervals: tuple[Jump, ...] = ()
    cost_ns: int = 0
    suspected: bool = False
    hazard: bool = False

    @property
    def id(self) -> str:
        """Stays the same in each run that has this problem, see `gilscope.identity`."""
        return identity.of_finding(self.name, self.title)

    @property
    def page(self) -> str:
        """The page that shows a minimal example and its repair."""
        return f"docs/findings/{self.name}.md"

    def as_dict(self, trace: Trace | None) -> dict[str, Any]:
        """Return the finding as the JSON object that docs/findings/README.md describes.

        Args:
            trace: Names the threads of the intervals; None for a finding without any.
        """
        return {
            "name": self.name,
            "id": self.id,
            "title": self.title,
            "severity": str(self.severity),
            "suspected": self.suspected,
            "cost_s": round(self.cost_ns / 1e9, 9),
            "evidence": list(self.evidence),
            "advice": self.advice,
            "page": self.page,
            "intervals": [
                {
                    "thread": jump.thread or None,
                    "thread_name": (trace and trace.thread_name(jump.thread)) or None,
                    "start_s": round(jump.start_ns / 1e9, 9),
                    "end_s": round(jump.end_ns / 1e9, 9),
                    "note": jump.note,
                }
                for jump in self.intervals
            ],
        }


def matters(trace: Trace, cost_ns: int) -> bool:
    """Return whether this much waiting is worth a finding."""
    return cost_ns >= max(SHARE * trace.duration_ns, LEAST_NS)


def had_back(trace: Trace, rows: I64, waited_ns: int) -> int:
    """Return how much of these waits a repair gains at most, ns: no more than processors allow."""
    return int(waited_ns * reachable(trace, rows))


def limit(trace: Trace, waited_ns: int, cost_ns: int) -> Iterator[str]:
    """Yield the line that says what processors leave of a cost, if that is less than all."""
    if cost_ns < NEARLY_ALL * waited_ns:
        yield (
            f"at most {time_text(cost_ns)} of that can be had back: the threads had "
            f"{count_text(trace.processors, 'processor')}, and work for more"
        )


def jumps(intervals: Intervals, rows: I64, note: str, most: int = MOST_JUMPS) -> tuple[Jump, ...]:
    """Return the longest of these rows as places to look at, of equal ones the first."""
    duration = intervals.duration[rows]
    if len(rows) > most:  # far fewer than there are: no need to sort them all
        long = duration >= np.partition(duration, -most)[-most]
        rows, duration = rows[long], duration[long]
    some = rows[np.argsort(-duration, kind="stable")[:most]]
    columns = (intervals.thread[some], intervals.start[some], intervals.end[some])
    return tuple(
        Jump(thread, start, end, note)
        for thread, start, end in zip(*(column.tolist() for column in columns), strict=True)
    )


def of_run(trace: Trace, ns: float) -> str:
    """Return thread time next to the length of the run, which it may exceed."""
    if ns <= trace.duration_ns:
        return f"{time_text(ns)}, {share(ns, trace.duration_ns)} of the run"
    return f"{time_text(ns)} in all threads together, the run {time_text(trace.duration_ns)}"


def share(ns: float, whole: float) -> str:
    """Return a share in percent."""
    return f"{ns / whole:.0%}" if whole else "0%"
