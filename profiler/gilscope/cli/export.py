"""``gilscope export``: traces in a format that other tools read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gilscope
from gilscope.cli.plain import say, say_problems
from gilscope.cli.progress import bar
from gilscope.cli.traces import add_traces, traces_in

if TYPE_CHECKING:
    import argparse

# Those of `gilscope.export.FORMATS` and `gilscope.trace.tables.TABLES`, which need numpy.
FORMATS = {
    "perfetto": "ui.perfetto.dev and trace_processor",
    "chrome": "chrome://tracing, ui.perfetto.dev and others",
    "speedscope": "www.speedscope.app",
    "firefox": "profiler.firefox.com (experimental)",
    "collapsed": "stacks of waiting time, for flamegraph.pl and speedscope",
    "flamegraph": "the same as an SVG for any browser",
    "sampled": "what threads did by state, an SVG, of a recording with --sample",
    "csv": "a table",
    "parquet": "a table (needs pyarrow)",
    "arrow": "a table (needs pyarrow)",
}
TABLES = ("intervals", "wakes", "callbacks", "spans", "locks", "threads")


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = commands.add_parser(
        "export",
        help="write traces in a format that other tools read",
        description="Write one or more traces into one file, on one time axis. Traces of one "
        "session (a program and the processes that it started) keep their start times; others all "
        "start at 0.",
        epilog="Formats: "
        + "; ".join(f"{name}: {about}" for name, about in FORMATS.items())
        + ". Exit status: 0, or 2 if a trace cannot be read or the file cannot be written; then "
        "nothing half-written is left.",
    )
    option = parser.add_argument
    add_traces(parser)
    option("--format", choices=FORMATS, default="perfetto", help="output format (default perfetto)")
    option("--table", choices=TABLES, help="table for csv, parquet and arrow (default intervals)")
    option(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="output file (default: beside the first trace)",
    )
    option("--force", action="store_true", help="replace FILE if it exists")
    option("--json", action="store_true", help="describe the output as JSON")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Read the traces, write the file, print its name.

    Raises:
        TraceError: A trace cannot be read.
        ExportError: The file cannot be written.
        GilscopeError: A package that the format needs is not installed.
        UsageError: There is no trace in a directory.
    """
    with gilscope.reader_side():
        from gilscope.export import FORMATS as EXPORTERS  # noqa: PLC0415 - loaded on demand
        from gilscope.export import export_file  # noqa: PLC0415 - loaded on demand
        from gilscope.trace.reading.family import on_one_axis  # noqa: PLC0415 - loaded on demand
    paths = traces_in(options.traces)
    traces = on_one_axis([gilscope.open(path) for path in paths])
    suffix = EXPORTERS[options.format].suffix
    table = options.table
    default = paths[0].with_suffix(f".{table}{suffix}" if table else suffix)
    path = options.output or default
    intervals = sum(len(trace.intervals) for trace in traces)
    with bar(f"writing {path.name}", intervals) as advance:
        export_file(
            traces, options.format, path, force=options.force, table=table, progress=advance
        )
    say_problems(problem for trace in traces for problem in trace.problems)
    if options.json:
        problems = [problem for trace in traces for problem in trace.problems]
        facts = {"file": str(path), "format": options.format, "bytes": path.stat().st_size}
        print(json.dumps(facts | {"intervals": intervals, "problems": problems}, indent=2))
    else:
        say(path)
    return 0
