"""``gilscope compare``: a program under the GIL build and the free-threaded build."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gilscope
from gilscope.cli.plain import say
from gilscope.errors import Interrupted, UsageError
from gilscope.options import COMPARE, add_options
from gilscope.options import comparison as comparison_options
from gilscope.trace.writing.output import check_replaceable, replace_text

if TYPE_CHECKING:
    import argparse

    from gilscope.cli.listener import Listener
    from gilscope.results.model import ComparisonData


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = commands.add_parser(
        "compare",
        program=True,
        help="run a program under the GIL build and the free-threaded build and compare",
        description="Run a program under several builds of Python, timed without recording and "
        "recorded, and compare the results. The program's standard input is empty. Its "
        "output is shown for the first run under each build.",
        epilog="What follows the program is passed to it. Exit status: 0; 1 if the program failed "
        "under a build; 2 if nothing could be run.",
    )
    option = parser.add_argument
    add_options(parser, COMPARE)
    option("--json", type=Path, metavar="FILE", help="write the results as JSON (docs/summary.md)")
    option("--html", type=Path, metavar="FILE", help="write a report with timelines and tables")
    option("--force", action="store_true", help="replace files also that gilscope did not write")
    option(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="keep one trace of each build in this directory",
    )
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Run, print the table, write what was asked for."""
    with gilscope.reader_side():
        from gilscope.cli.listener import Listener  # noqa: PLC0415 - loaded on demand
        from gilscope.comparison.table import summary_text  # noqa: PLC0415 - loaded on demand
    for path in filter(None, (options.json, options.html)):
        if not path.absolute().parent.is_dir():
            raise UsageError(f"cannot write {path}: No such file or directory")
        if not options.force:
            check_replaceable(path)
    with Listener() as listener:
        comparison, interrupt = _compare(options, listener)
    listener.show_unseen(comparison)
    say(summary_text(comparison))
    if comparison.findings:
        say(comparison.findings_text())
    _write(comparison, options)
    if interrupt:
        raise interrupt
    return 1 if comparison.failed else 0


def _compare(
    options: argparse.Namespace, listener: Listener
) -> tuple[ComparisonData, Interrupted | None]:
    """Return the comparison, as far as it came if it was interrupted."""
    from gilscope.comparison import compare_target  # noqa: PLC0415 - loaded on demand
    from gilscope.results.model import ComparisonData  # noqa: PLC0415 - loaded on demand

    try:
        comparison = compare_target(
            options.program,
            out_dir=options.output,
            title=options.program.title,
            **comparison_options(options),
            progress=listener.progress,
            output=listener.output,
        )
    except Interrupted as interrupt:
        if not isinstance(interrupt.found, ComparisonData):
            raise
        return interrupt.found, interrupt
    return comparison, None


def _write(comparison: ComparisonData, options: argparse.Namespace) -> None:
    """Write the files that were asked for."""
    if options.json:
        from gilscope.comparison.summary import comparison_summary  # noqa: PLC0415 - as above

        summary = comparison_summary(comparison)
        if not options.output:  # the traces are gone when the command ends
            summary["runs"] = [{**run, "trace": None} for run in summary["runs"]]
        replace_text(options.json, json.dumps(summary, indent=2) + "\n", force=options.force)
    if options.html:
        from gilscope.view.html.report import write_report  # noqa: PLC0415 - loaded on demand

        title = f"gilscope: {comparison.title}"
        write_report([comparison], options.html, title, force=options.force)
