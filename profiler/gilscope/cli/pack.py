"""``gilscope pack``: compresses a trace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gilscope
from gilscope.cli.plain import say, say_problems

if TYPE_CHECKING:
    import argparse


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = commands.add_parser(
        "pack",
        help="compress a trace",
        description="Write a compressed copy of a trace, a tenth of its size or less, with the "
        "names of native functions that can be found on this machine. All commands read it.",
        epilog="Exit status: 0, also for a trace that was cut short, or 2 if it cannot be read or "
        "the file cannot be written; then nothing half-written is left.",
    )
    option = parser.add_argument
    option("trace", type=Path, metavar="TRACE")
    option(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="output file (default TRACE.packed.gilscope)",
    )
    option("--force", action="store_true", help="replace FILE if it exists")
    option("--json", action="store_true", help="describe the result as JSON")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Pack the trace, print the new file's name and size.

    Raises:
        TraceError: The trace cannot be read.
        ExportError: The file cannot be written.
    """
    with gilscope.reader_side():
        from gilscope.cli.tables import working  # noqa: PLC0415 - loaded on demand
        from gilscope.trace.writing.pack import pack  # noqa: PLC0415 - loaded on demand
    path = options.output or options.trace.with_suffix(".packed.gilscope")
    with working(f"writing {path.name}"):
        done = pack(options.trace, path, force=options.force)
    say_problems(done.problems)
    if options.json:
        facts = {"file": str(path), "bytes": done.size, "bytes_before": done.size_before}
        more = {"events": done.events, "problems": done.problems}
        print(json.dumps(facts | more, indent=2))
        return 0
    each = f", {done.event_bytes / done.events:.1f} bytes an event" if done.events else ""
    say(f"{path}: {done.size:,} bytes, before {done.size_before:,}; {done.events:,} events{each}")
    return 0
