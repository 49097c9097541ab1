"""Findings as results of a SARIF log."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gilscope.sarif import LEVELS, Location, Result

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gilscope.analysis.findings import Finding
    from gilscope.trace.model import Trace

_PLACE = re.compile(r"([^\s`'\"(]+\.\w+):(\d+)")


def of_finding(trace: Trace, finding: Finding, baseline: frozenset[str] = frozenset()) -> Result:
    """Return a finding as a result."""
    message = "\n".join([finding.title, *finding.evidence, f"Do: {finding.advice}"])
    return Result(
        finding.name,
        LEVELS[str(finding.severity)],
        message,
        finding.id,
        tuple(_places(trace, finding)),
        {"trace": str(trace.path), "suspected": finding.suspected, "cost_ns": finding.cost_ns},
        finding.id in baseline,
    )


def _places(trace: Trace, finding: Finding) -> Iterable[Location]:
    """Return the lines that a finding names, else where its worst interval was."""
    known = _files(trace)
    seen = set()
    for text in (finding.title, *finding.evidence):
        for name, line in _PLACE.findall(text):
            file = known.get(name.rpartition("/")[2])
            if file and (file, line) not in seen:
                seen.add((file, line))
                yield Location(file, int(line), text)
    if not seen:
        yield from _elsewhere(trace, finding)


def _elsewhere(trace: Trace, finding: Finding) -> Iterable[Location]:
    """Return a function that a finding names, else where its worst interval was, or the program.

    Services refuse results without a place.
    """
    for called in trace.callables.values():
        if called.file and called.line and called.label and called.label in finding.title:
            yield Location(called.file, called.line, called.label)
            return
    for jump in finding.intervals:
        frame = _python_frame(trace, jump.thread, jump.start_ns)
        if frame is not None:
            yield Location(*frame, jump.note)
            return
    if trace.argv and trace.argv[0].endswith(".py"):
        yield Location(trace.argv[0], 1, "the program")


def _files(trace: Trace) -> dict[str, str]:
    """Return the source files of a trace by their names without folders."""
    found: dict[str, str] = {}
    for code in trace.codes.values():
        if code.file and not code.file.startswith("<"):
            found.setdefault(code.file.rpartition("/")[2], code.file)
    for site in trace.sites.values():
        if site.file:
            found.setdefault(site.file.rpartition("/")[2], site.file)
    return found


def _python_frame(trace: Trace, thread: int, start_ns: int) -> tuple[str, int] | None:
    """Return file and line of the innermost Python frame of an interval with a stack."""
    intervals = trace.intervals
    rows = (intervals.thread == thread) & (intervals.start == start_ns) & (intervals.stack != 0)
    for stack in intervals.stack[rows].tolist():
        for frame in trace.stacks[stack]:
            if not frame.native and frame.file and not frame.file.startswith("<"):
                return frame.file, frame.line
    return None
