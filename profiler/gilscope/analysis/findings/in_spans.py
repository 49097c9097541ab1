"""Spans of the program, such as the tasks of a Dask worker, in what findings say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.findings.model import share
from gilscope.analysis.inside_spans import NONE
from gilscope.text import count_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.analysis.facts import Facts
    from gilscope.analysis.findings.model import Finding
    from gilscope.trace.arrays import Bools

MOST_LINES = 4
"""The most kinds of spans that are named: those for which most was waited."""


def held_in(facts: Facts, chosen: Bools) -> Iterator[str]:
    """Yield a line for each kind of span, and thread, in which these pieces of holds were.

    Args:
        facts: of the trace.
        chosen: bool[n], of `Facts.pieces`.
    """
    trace, pieces = facts.trace, facts.pieces
    if not len(trace.spans):
        return
    # In the middle: a span begins after its thread has got the GIL.
    threads = trace.intervals.thread[pieces.holds[chosen]].astype(np.int64)
    middles = (pieces.starts[chosen] + pieces.ends[chosen]) // 2
    rows = facts.inside_spans.at(threads, middles)
    caused = pieces.caused_ns[chosen]
    groups: dict[tuple[int, str], dict[int, int]] = {}
    for thread, row, ns in zip(threads.tolist(), rows.tolist(), caused.tolist(), strict=True):
        if row != NONE and ns:
            found = groups.setdefault((thread, facts.inside_spans.kind(row)), {})
            found[row] = found.get(row, 0) + ns
    whole = int(caused.sum())
    order = sorted(groups.items(), key=lambda group: -sum(group[1].values()))
    for (thread, _), found in order[:MOST_LINES]:
        worst = facts.inside_spans.name(max(found, key=lambda row: found[row]))
        several = f"{count_text(len(found), 'span')} such as " if len(found) > 1 else ""
        part = share(sum(found.values()), whole)
        yield f"{part} of it in {several or 'span '}{worst} of thread {trace.thread_name(thread)}"
    if order[MOST_LINES:]:
        rest = sum(sum(found.values()) for _, found in order[MOST_LINES:])
        more = sum(len(found) for _, found in order[MOST_LINES:])
        yield f"{share(rest, whole)} of it in {count_text(more, 'other span')}"


def with_spans(facts: Facts, finding: Finding) -> Finding:
    """Return the finding with the span in the note of each interval that begins in one."""
    if not len(facts.trace.spans) or not finding.intervals:
        return finding
    threads = np.array([jump.thread for jump in finding.intervals], np.int64)
    middles = [(jump.start_ns + jump.end_ns) // 2 for jump in finding.intervals]
    rows = facts.inside_spans.at(threads, np.array(middles, np.int64)).tolist()
    named = [
        jump if row == NONE else replace(jump, note=_note(jump.note, facts.inside_spans.name(row)))
        for jump, row in zip(finding.intervals, rows, strict=True)
    ]
    return replace(finding, intervals=tuple(named))


def _note(note: str, span: str) -> str:
    return f"{note}, in span {span}" if note else f"in span {span}"
