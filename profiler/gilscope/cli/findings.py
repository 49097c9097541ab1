"""``gilscope findings``: lists problems in traces, with what to do about them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gilscope
from gilscope.cli.markdown import item
from gilscope.cli.plain import clean, say, say_problems
from gilscope.cli.traces import add_traces, traces_in
from gilscope.identity import read_baseline
from gilscope.severity import Severity

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from gilscope.analysis.findings import Finding
    from gilscope.trace.model import Trace

    type Found = list[tuple[Trace, list[Finding]]]

FOUND = 1
UNDECIDED = 2
JUMPS_SHOWN = 3
FORMATS = ("text", "json", "sarif", "markdown")


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = commands.add_parser(
        "findings",
        help="list problems in traces, with what to do about them",
        description="List the problems that an expert would point out in each trace: the evidence, "
        "where to look, what to do. `gilscope explain NAME` prints the page of each, with an "
        "example and a fix.",
        epilog="Exit status: 0; 1 if there is a finding as severe as --fail-on; 2 if a trace "
        "cannot be read, or with --fail-on if one is incomplete and has no such finding.",
    )
    option = parser.add_argument
    add_traces(parser)
    option(
        "--fail-on",
        choices=tuple(map(str, Severity)),
        help="exit with 1 if there is a finding of this severity or above",
    )
    option(
        "--baseline",
        type=Path,
        metavar="FILE",
        help="earlier output of --json: findings that it contains are marked as known and do "
        "not count for --fail-on",
    )
    option(
        "--format",
        choices=FORMATS,
        default="text",
        help="text; json: a list of traces (docs/findings/README.md); sarif: for code-scanning "
        "services; markdown: for the summary of a CI job",
    )
    option(
        "--json",
        dest="format",
        action="store_const",
        const="json",
        help="the same as --format json",
    )
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Print the findings.

    Raises:
        TraceError: A trace cannot be read.
        UsageError: There is no trace in a directory.
    """
    with gilscope.reader_side():
        from gilscope.analysis.findings import find  # noqa: PLC0415 - loaded on demand
        from gilscope.cli.tables import working  # noqa: PLC0415 - loaded on demand
    known = read_baseline(options.baseline, "findings") if options.baseline else frozenset()
    found = []
    for path in traces_in(options.traces, apart=True):
        with working(f"reading {path}"):
            trace = gilscope.open(path)
            found.append((trace, find(trace)))
    say(_WRITERS[options.format](found, known))
    gaps = _gaps(found)
    if options.format != "text":
        say_problems(gaps)
    if not options.fail_on:
        return 0
    limit = Severity(options.fail_on).rank
    new = [one for _, findings in found for one in findings if one.id not in known]
    if any(one.severity.rank <= limit for one in new):
        return FOUND
    if gaps:
        say(f"gilscope: error: --fail-on cannot be decided: {gaps[0]}", sys.stderr)
    return UNDECIDED if gaps else 0


def incomplete(trace: Trace) -> list[str]:
    """Return why there may be more findings than a trace shows; nothing if it is whole."""
    gaps = list(trace.problems)
    if trace.dropped_events:
        gaps.append(f"{trace.dropped_events:,} events did not fit into it")
    if trace.ended_early and not gaps:
        gaps.append("it has no end: the process was killed, or the file was cut")
    return gaps


def _gaps(found: Found) -> list[str]:
    return [f"{trace.path}: {gap}" for trace, _ in found for gap in incomplete(trace)]


def _json(found: Found, known: frozenset[str]) -> str:
    objects = [
        {
            "trace": str(trace.path),
            "incomplete": incomplete(trace),
            "findings": [
                {**one.as_dict(trace), **({"known": True} if one.id in known else {})}
                for one in findings
            ],
        }
        for trace, findings in found
    ]
    return json.dumps(objects, indent=2)


def _sarif(found: Found, known: frozenset[str]) -> str:
    from gilscope.export.sarif import document, of_finding  # noqa: PLC0415 - loaded on demand

    results = [of_finding(trace, one, known) for trace, findings in found for one in findings]
    return json.dumps(document(results, gilscope.__version__, problems=_gaps(found)), indent=2)


def _markdown(found: Found, known: frozenset[str]) -> str:
    """Return headings and lists as a forge's job summary shows them."""
    return "\n\n".join(
        "\n".join([f"### Threads in `{trace.path.name}`", "", *_items(trace, findings, known)])
        for trace, findings in found
    )


def _items(trace: Trace, findings: list[Finding], known: frozenset[str]) -> Iterator[str]:
    for gap in incomplete(trace):
        yield f"**Incomplete, so there may be more findings**: {clean(gap)}\n"
    if not findings:
        yield "No findings."
    for one in findings:
        marks = [str(one.severity)] + ["suspected"] * one.suspected + ["known"] * (one.id in known)
        yield from item(one.title, marks, one.name, one.evidence, one.advice)


def _texts(found: Found, known: frozenset[str]) -> str:
    return "\n\n".join(_text(trace, findings, known, len(found) > 1) for trace, findings in found)


def _text(trace: Trace, findings: list[Finding], known: frozenset[str], named: bool) -> str:  # noqa: FBT001 - private
    lines = [f"{trace.path}:"] if named else []
    if not findings:
        lines.append("no findings")
    lines += [
        f"note: the trace is incomplete, so there may be more findings: {clean(gap)}"
        for gap in incomplete(trace)
    ]
    for number, one in enumerate(findings):
        lines += [""] * bool(number or named)
        marks = ", suspected" * one.suspected + ", known" * (one.id in known)
        lines.append(f"{one.severity}{marks}: {clean(one.title)}")
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


_WRITERS = {"text": _texts, "json": _json, "sarif": _sarif, "markdown": _markdown}
