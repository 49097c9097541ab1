"""``gilscope export``: traces in a format that other tools read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import gilscope

if TYPE_CHECKING:
    import argparse

FORMATS = ("chrome", "perfetto")


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = commands.add_parser(
        "export",
        help="write traces in a format that other tools read",
        description="Write one or more traces into one file, on one time axis, for "
        "ui.perfetto.dev or chrome://tracing. Traces of one session (of a program and the "
        "processes that it made) begin when they began, others side by side.",
    )
    option = parser.add_argument
    option("traces", type=Path, nargs="+", metavar="TRACE")
    option("--format", choices=FORMATS, default="perfetto", help="by default perfetto")
    option("-o", "--output", type=Path, metavar="FILE", help="by default beside the first trace")
    option("--force", action="store_true", help="replace FILE if it is there")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Read the traces, write the file, print its name.

    Raises:
        TraceError: A trace cannot be read.
        ExportError: The file cannot be written.
    """
    with gilscope.reader_side():
        from gilscope.export import FORMATS as EXPORTERS  # noqa: PLC0415 - loaded on demand
        from gilscope.export import export_file  # noqa: PLC0415 - loaded on demand
        from gilscope.trace.family import on_one_axis  # noqa: PLC0415 - loaded on demand
    traces = on_one_axis([gilscope.open(path) for path in options.traces])
    default = options.traces[0].with_suffix(EXPORTERS[options.format].suffix)
    path = options.output or default
    export_file(traces, options.format, path, force=options.force)
    print(path)
    return 0
