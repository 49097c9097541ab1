"""Threads and callbacks that waited for the GIL, and how much of it for one cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.findings.model import share
from gilscope.analysis.states.state import State
from gilscope.text import count_text, time_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.analysis.facts import Facts
    from gilscope.trace.arrays import I64, Bools

MOST_LINES = 4
"""The most victims that are named: those that waited longest for the cause."""


def victims(facts: Facts, chosen: Bools) -> Iterator[str]:
    """Yield a line for each callback, or else thread, that waited for these pieces of holds."""
    rows = np.flatnonzero(facts.states == State.WAITING_GIL)
    shared = facts.pieces.shared(facts.trace, chosen, rows)
    names, groups = _named(facts, rows)
    waited = np.bincount(groups, facts.trace.intervals.duration[rows], len(names))
    caused = np.bincount(groups, shared, len(names))
    order = np.argsort(-caused, kind="stable")
    order = order[caused[order] > 0]
    for number in order[:MOST_LINES].tolist():
        yield f"{names[number]} {_part(caused[number], waited[number])}"
    rest = order[MOST_LINES:]
    if len(rest):
        more = count_text(len(rest), "other")
        yield f"{more} {_part(caused[rest].sum(), waited[rest].sum())}"


def _part(caused: float, waited: float) -> str:
    return f"waited {time_text(waited)} for the GIL, {share(caused, waited)} of it for this"


def _named(facts: Facts, rows: I64) -> tuple[list[str], I64]:
    """Return names, and the number of the name of each wait."""
    trace = facts.trace
    in_callback = facts.groups_at(rows)
    keys = np.where(in_callback >= 0, in_callback, -1 - trace.intervals.thread[rows])
    used, groups = np.unique(keys, return_inverse=True)
    names = [
        f"{facts.callbacks[key].name} (called by {facts.callbacks[key].function})"
        if key >= 0
        else f"thread {trace.thread_name(-1 - key)}"
        for key in used.tolist()
    ]
    return names, groups
