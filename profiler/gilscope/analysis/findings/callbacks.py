"""Callbacks of native threads that queue for the GIL, or that do too little per call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.findings.model import (
    TO_BE_MEASURED,
    Finding,
    had_back,
    jumps,
    limit,
    matters,
    of_run,
)
from gilscope.analysis.grouping import order_by, typical_total
from gilscope.severity import Severity
from gilscope.text import time_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.analysis.facts import Facts

QUEUED = 10
"""Where n threads queue, each waits for the others' holds, and for hand-overs; ten times as
much is not their own doing: they wait for something else that holds the GIL."""

LEAST_RATE = 1000
"""Callbacks a second. Each costs a release, an acquire and often a hand-over, some tens of
microseconds together: at 1,000 a second that is a few per cent of a thread."""

SHORT_NS = 100_000
"""Work of a callback below which getting in and out is not small beside it: a hand-over of the GIL
to a sleeping thread takes 20 to 60 µs (measured on 2 cores with `examples/`)."""

BATCH = 10
"""Callbacks per batch in the estimate: nine tenths of the entries disappear."""


def serialised(facts: Facts) -> Iterator[Finding]:
    """Find callbacks from several threads that wait for each other's GIL."""
    trace = facts.trace
    rows, groups = facts.gil_waits_in_callbacks
    native = facts.waited_for_native(rows)
    for number, work in enumerate(facts.callbacks):
        mine = rows[groups == number]
        # Waiting for native code is a finding of its own, and is charged to that code.
        cost = work.gil_wait_ns - int(native[groups == number].sum())
        queue = QUEUED * work.threads * work.hold_ns
        if work.threads < 2 or cost > queue or not matters(trace, cost):  # noqa: PLR2004 - several
            continue
        gained = had_back(trace, mine, cost)
        yield Finding(
            name="serialised-callbacks",
            title=f"{work.threads} threads queue for the GIL to call {work.name}",
            severity=Severity.MEDIUM,
            evidence=(
                (
                    f"{work.count:,} callbacks from {work.function} ({work.entry.binding}) "
                    f"in {work.threads} threads"
                ),
                (
                    f"together they waited {time_text(cost)} for the GIL and held it "
                    f"{time_text(work.hold_ns)}; the run took {time_text(trace.duration_ns)}"
                ),
                (
                    f"the longest of {len(mine):,} waits took "
                    f"{time_text(int(trace.intervals.duration[mine].max(initial=0)))}"
                ),
                *limit(trace, cost, gained),
            ),
            advice="Under the GIL only one thread at a time runs Python. Do less in the callback, "
            "pass results through a native queue that one Python thread empties, or use the "
            f"free-threaded build ({TO_BE_MEASURED}).",
            intervals=jumps(trace.intervals, mine, f"waits for the GIL to call {work.name}"),
            cost_ns=gained,
        )


STAMPS_NS = 50
"""A shorter time to enter Python is the cost of measuring it: two time stamps take 48 to 75 ns on a
slow machine (docs/decisions/0007)."""


def chatty(facts: Facts) -> Iterator[Finding]:
    """Find callbacks that cost more to get into than batches of them would."""
    trace = facts.trace
    lost = _lost_at_entries(facts)
    rows, groups = facts.gil_waits_in_callbacks
    for number, work in enumerate(facts.callbacks):
        # What the probe adds is there only while it records: no batches gain it.
        enter_ns = max(work.enter_ns - round(trace.probe_cost_ns or 0), 0)
        if enter_ns < STAMPS_NS:
            enter_ns = 0
        entering = work.count * enter_ns + lost[number]
        rate = work.count / max(trace.duration_ns / 1e9, 1e-9)
        short = work.inside_ns < SHORT_NS and rate >= LEAST_RATE
        if not short or not matters(trace, entering):
            continue
        gain = entering * (BATCH - 1) // BATCH
        yield Finding(
            name="chatty-callbacks",
            title=f"{work.name} is called {rate:,.0f} times a second for "
            f"{time_text(work.inside_ns)} of work each",
            severity=Severity.MEDIUM,
            evidence=(
                (
                    f"{work.count:,} callbacks from {work.function} ({work.entry.binding}), "
                    f"the median one spends {time_text(work.inside_ns)} in Python"
                ),
                (
                    f"entering Python with the GIL free took {time_text(enter_ns)}; no thread "
                    f"held the GIL while it changed hands, for {of_run(trace, lost[number])}"
                ),
                (
                    f"passing {BATCH} results in each callback saves up to {of_run(trace, gain)}, "
                    "if there are idle processors"
                ),
            ),
            advice="Collect results in native code and pass many of them in one callback.",
            intervals=jumps(
                trace.intervals, rows[groups == number], f"waits for the GIL to call {work.name}"
            ),
            cost_ns=gain,
        )


def _lost_at_entries(facts: Facts) -> list[int]:
    """Return how long the GIL was free but wanted before a callback of each group got it, ns."""
    groups = facts.groups_at(facts.gaps.holds)
    order = order_by(groups)
    ends = np.searchsorted(groups[order], np.arange(len(facts.callbacks)), "right")
    first = np.count_nonzero(groups < 0)
    parts = np.split(facts.gaps.lost_ns[order], [first, *ends])[1:-1]
    return [typical_total(part) for part in parts]
