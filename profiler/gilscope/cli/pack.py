"""``gilscope pack``: a trace in little room."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import gilscope

if TYPE_CHECKING:
    import argparse


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = commands.add_parser(
        "pack",
        help="rewrite a trace so that it takes little room",
        description="Write a copy of a trace that takes a tenth of the room or less and says the "
        "same, with the names of native functions that can be found on this machine. It is read "
        "like any trace.",
    )
    option = parser.add_argument
    option("trace", type=Path, metavar="TRACE")
    option("-o", "--output", type=Path, metavar="FILE", help="by default TRACE.packed.gilscope")
    option("--force", action="store_true", help="replace FILE if it is there")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Pack the trace, print the new file's name and size.

    Raises:
        TraceError: The trace cannot be read.
        ExportError: The file cannot be written.
    """
    with gilscope.reader_side():
        from gilscope.trace.pack import pack  # noqa: PLC0415 - loaded on demand
    path = options.output or options.trace.with_suffix(".packed.gilscope")
    done = pack(options.trace, path, force=options.force)
    for problem in done.problems:
        print(f"problem: {problem}")
    each = f", {done.event_bytes / done.events:.1f} bytes an event" if done.events else ""
    print(f"{path}: {done.size:,} bytes, before {done.size_before:,}; {done.events:,} events{each}")
    return 0
