"""``gilscope findings``: what an expert would point out in traces, and what to do about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gilscope
from gilscope.cli.plain import clean, say
from gilscope.severity import Severity

if TYPE_CHECKING:
    import argparse

    from gilscope.analysis.findings import Finding
    from gilscope.trace.model import Trace

FOUND = 1
JUMPS_SHOWN = 3


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = commands.add_parser(
        "findings",
        help="list problems in traces, with what to do about them",
        description="List the problems that an expert would point out in each trace: the evidence, "
        "where to look, what to do. `gilscope explain NAME` prints the page of each, with an "
        "example and a fix.",
        epilog="Exit status: 0; 1 if there is a finding as severe as --fail-on; 2 if a trace "
        "cannot be read.",
    )
    option = parser.add_argument
    option("traces", type=Path, nargs="+", metavar="TRACE")
    option(
        "--fail-on",
        choices=tuple(map(str, Severity)),
        help="exit with 1 if there is a finding of this severity or above",
    )
    option(
        "--json", action="store_true", help="print JSON, a list of traces (docs/findings/README.md)"
    )
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Print the findings.

    Raises:
        TraceError: A trace cannot be read.
    """
    with gilscope.reader_side():
        from gilscope.analysis.findings import find  # noqa: PLC0415 - loaded on demand
        from gilscope.cli.tables import working  # noqa: PLC0415 - loaded on demand
    found = []
    for path in options.traces:
        with working(f"reading {path}"):
            trace = gilscope.open(path)
            found.append((trace, find(trace)))
    if options.json:
        objects = [
            {"trace": str(trace.path), "findings": [one.as_dict(trace) for one in findings]}
            for trace, findings in found
        ]
        print(json.dumps(objects, indent=2))
    else:
        say("\n\n".join(_text(trace, findings, len(found) > 1) for trace, findings in found))
    limit = Severity(options.fail_on).rank if options.fail_on else -1
    failed = any(one.severity.rank <= limit for _, findings in found for one in findings)
    return FOUND if failed else 0


def _text(trace: Trace, findings: list[Finding], named: bool) -> str:  # noqa: FBT001 - private
    lines = [f"{trace.path}:"] if named else []
    if not findings:
        lines.append("no findings")
    if trace.dropped_events or trace.ended_early:
        lines.append("note: the trace is incomplete, so there may be more findings")
    for number, one in enumerate(findings):
        lines += [""] * bool(number or named)
        suspected = ", suspected" if one.suspected else ""
        lines.append(f"{one.severity}{suspected}: {clean(one.title)}")
        lines += [f"    {clean(line)}" for line in one.evidence]
        lines += _places(trace, one)
        lines += [f"    do: {clean(one.advice)}", f"    see: gilscope explain {one.name}"]
    return "\n".join(lines)


def _places(trace: Trace, finding: Finding) -> list[str]:
    from gilscope.cli.tables import time  # noqa: PLC0415 - loaded on demand

    return [
        f"    at {jump.start_ns / 1e9:.6f} s for {time(jump.end_ns - jump.start_ns)}: "
        + clean(f"{trace.thread_name(jump.thread) or 'an unknown thread'} {jump.note}")
        for jump in finding.intervals[:JUMPS_SHOWN]
    ]
