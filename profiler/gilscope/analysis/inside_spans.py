"""In which span of the program something happened: the innermost one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.span_totals import UNNAMED
from gilscope.analysis.states.nesting import edges, nested_spans

if TYPE_CHECKING:
    from gilscope.analysis.states.nesting import Edges
    from gilscope.trace.arrays import I64
    from gilscope.trace.model import Trace

NONE = -1
_TOKEN = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32}")
"""A UUID or a digest, as Dask ends the keys of its tasks with."""

_NUMBER = re.compile(r"\d+")

SHOWN = 8
"""Characters of such a token that people need to find the task."""


class InsideSpans:
    """The spans of a trace, ready to be asked for moments."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._edges: dict[int, Edges] = {
            thread.index: edges(found) for thread, found in nested_spans(trace)
        }

    def at(self, threads: I64, times: I64) -> I64:
        """Return the row of `Trace.spans` of the innermost span at each moment, or `NONE`.

        Args:
            threads: i64[n], `Thread.index`.
            times: i64[n], ns from the trace's start.
        """
        found = np.full(len(threads), NONE, np.int64)
        for index, known in self._edges.items():
            mine = np.flatnonzero(threads == index)
            places = np.searchsorted(known.times, times[mine], "right") - 1
            found[mine] = np.where(places >= 0, known.after[places], NONE)
        return found

    def name(self, row: int) -> str:
        """Return what people call the span of a row: its tokens are cut short."""
        spans = self._trace.spans
        text = spans.names.get(int(spans.name[row])) or UNNAMED
        return _TOKEN.sub(lambda token: f"{token[0][:SHOWN]}…", text)

    def kind(self, row: int) -> str:
        """Return what spans that do the same have in common: their name but tokens and numbers."""
        spans = self._trace.spans
        text = spans.names.get(int(spans.name[row])) or UNNAMED
        return _NUMBER.sub("…", _TOKEN.sub("…", text))
