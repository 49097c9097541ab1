"""``gilscope merge``: traces of several processes or hosts as one."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gilscope
from gilscope.cli.plain import say, say_problems
from gilscope.cli.progress import bar
from gilscope.cli.traces import add_traces, traces_in
from gilscope.errors import UsageError

if TYPE_CHECKING:
    import argparse


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = commands.add_parser(
        "merge",
        help="merge several traces into one, on one clock",
        description="Merge traces of one build into one, with all of their threads, named after "
        "their process. Traces from one boot share its clock; those of several hosts are aligned "
        "by their wall clocks. The result is an ordinary trace.",
        epilog="Exit status: 0, or 2 if a trace cannot be read, the traces do not fit together, or "
        "the file cannot be written; then nothing half-written is left.",
    )
    option = parser.add_argument
    add_traces(parser)
    option("-o", "--output", type=Path, metavar="FILE", required=True, help="the merged trace")
    option(
        "--family",
        action="store_true",
        help="also merge all traces that were recorded together with them",
    )
    option("--force", action="store_true", help="replace FILE if it exists")
    option("--json", action="store_true", help="describe the result as JSON")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Merge the traces, print the new file's name and what is in it.

    Raises:
        TraceError: A trace cannot be read.
        ExportError: The traces do not fit together, or the file cannot be written.
        UsageError: One is named twice, or there is none in a directory.
    """
    with gilscope.reader_side():
        from gilscope.trace.writing.merge import merge  # noqa: PLC0415 - loaded on demand
    paths = traces_in(options.traces)
    if options.family:
        found = [one for path in paths for one in gilscope.family(path)]
        paths = list({one.resolve(): one for one in found}.values())
    twice = [path for path, times in Counter(path.resolve() for path in paths).items() if times > 1]
    if twice:
        raise UsageError(f"{twice[0]} is given twice")
    total = sum(len(gilscope.open(path).intervals) for path in paths)
    with bar(f"writing {options.output.name}", total) as advance:
        done = merge(paths, options.output, force=options.force, progress=advance)
    say_problems(done.problems)
    if options.json:
        facts = {"file": str(options.output), "traces": done.traces, "events": done.events}
        print(json.dumps(facts | {"clock": done.clock, "problems": done.problems}, indent=2))
        return 0
    say(f"{options.output}: {done.traces} traces, {done.events:,} events")
    return 0
