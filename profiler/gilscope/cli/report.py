"""``gilscope report``: traces as one HTML file with timelines and tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gilscope
from gilscope.cli.plain import say, say_problems
from gilscope.cli.traces import add_traces, traces_in
from gilscope.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from gilscope.comparison import Run
    from gilscope.trace.model import Trace


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = commands.add_parser(
        "report",
        help="write timelines and tables of traces as one HTML file",
        description="Write one HTML file with the timelines and tables of traces. It works "
        "offline. Traces of different builds share a time axis; a build that repeats starts a new "
        "section. An earlier report is replaced, any other file only with --force.",
        epilog="Exit status: 0, also for a trace that was cut short, or 2 if a trace cannot be "
        "read or the file cannot be written; then nothing half-written is left.",
    )
    option = parser.add_argument
    add_traces(parser)
    option(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="output file (default: beside the first trace)",
    )
    option("--force", action="store_true", help="replace FILE also if it is no report")
    option("--title", metavar="TEXT", help="heading (default: the names of the traces)")
    option("--json", action="store_true", help="describe the output as JSON")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Read the traces, write the file, print its name.

    Raises:
        TraceError: A trace cannot be read.
        ExportError: The file cannot be written.
        UsageError: The file would be a trace, or there is no trace in a directory.
    """
    with gilscope.reader_side():
        from gilscope.cli.tables import working  # noqa: PLC0415 - loaded on demand
        from gilscope.results.model import ComparisonData  # noqa: PLC0415 - loaded on demand
        from gilscope.trace.writing.output import check_replaceable  # noqa: PLC0415 - see above
        from gilscope.view.html.report import write_report  # noqa: PLC0415 - loaded on demand
    paths = traces_in(options.traces, apart=True)
    path = options.output or paths[0].with_suffix(".html")
    if path in paths:
        raise UsageError(f"{path} is a trace: choose another file with -o")
    traces = [gilscope.open(trace) for trace in paths]
    if not options.force:
        check_replaceable(path)
    sections = []
    with working(f"writing {path.name}"):
        for group in _sections(map(_run, traces)):
            title = ", ".join(str(run.trace_path) for run in group)
            sections.append(ComparisonData(title, ("traces",), tuple(group)))
        write_report(sections, path, options.title or "gilscope report", force=options.force)
    problems = list(dict.fromkeys(problem for trace in traces for problem in trace.problems))
    say_problems(problems)
    if options.json:
        facts = {"file": str(path), "bytes": path.stat().st_size, "traces": len(traces)}
        print(json.dumps(facts | {"problems": problems}, indent=2))
    else:
        say(path)
    return 0


def _sections(runs: Iterable[Run]) -> list[list[Run]]:
    """Divide runs into sections: no build appears twice in one."""
    groups: list[list[Run]] = [[]]
    for run in runs:
        if any(run.build == other.build for other in groups[-1]):
            groups.append([])
        groups[-1].append(run)
    return groups


def _run(trace: Trace) -> Run:
    """Return a trace as a run of a comparison, without times of the probe off."""
    from gilscope.comparison import Run  # noqa: PLC0415 - loaded on demand
    from gilscope.view.data.words import short_name  # noqa: PLC0415 - loaded on demand

    enabled = trace.gil_enabled_start
    return Run(
        build=short_name(trace),
        python=trace.python,
        executable=trace.executable,
        free_threaded=trace.free_threaded,
        gil_enabled_before=enabled,
        gil_enabled_after=trace.gil_enabled_end,
        gil_enabled_by=None,
        wall_s=(),
        probed_wall_s=(trace.duration_ns / 1e9,),
        trace_path=trace.path,
        trace=trace,
        status=0,
    )
