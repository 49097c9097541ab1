"""Collapsed stacks of waiting time: one line a stack, for flamegraph.pl, speedscope and others."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, BinaryIO

from gilscope.export.progress import Progress, silent
from gilscope.export.waits import waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.trace.model import Trace


class CollapsedExporter:
    """Writes lines of frames, the outermost first, with the ns that were waited there."""

    name = "collapsed"
    suffix = ".collapsed.txt"
    description = "collapsed stacks of waiting time in ns, for flamegraph.pl and speedscope"

    def write(self, traces: Sequence[Trace], out: BinaryIO, progress: Progress = silent) -> None:
        """Write the lines of all traces."""
        lines: Counter[str] = Counter()
        for found in waiting(traces):
            # A semicolon separates frames.
            lines[";".join(part.replace(";", ",") for part in found.path)] += found.total_ns
        out.writelines(f"{line} {ns}\n".encode() for line, ns in sorted(lines.items()))
        progress(sum(len(trace.intervals) for trace in traces))
