"""Totals of one run, which all renderers show: holds and waits by thread and lock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gilscope.analysis.waits.contention import (
    GilTotals,
    LockTotals,
    ThreadTotals,
    blocked_totals,
    gil_totals,
    lock_totals,
    thread_totals,
)

if TYPE_CHECKING:
    from gilscope.trace.model import Trace


@dataclass(frozen=True, slots=True)
class Totals:
    """The totals of one trace.

    Attributes:
        gil: Of all GILs.
        threads: Of each thread, in the order of `Trace.threads`.
        locks: Of each lock that threads contended for, the one that was waited for longest first.
        blocked: The same of what is no contention: events, queues.
    """

    gil: GilTotals
    threads: tuple[ThreadTotals, ...]
    locks: tuple[LockTotals, ...]
    blocked: tuple[LockTotals, ...]

    @classmethod
    def of(cls, trace: Trace) -> Totals:
        """Work them out."""
        return cls(
            gil_totals(trace),
            tuple(thread_totals(trace)),
            tuple(lock_totals(trace)),
            tuple(blocked_totals(trace)),
        )
