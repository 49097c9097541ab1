"""``gilscope compare``: a program under the GIL build and the free-threaded build."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gilscope
from gilscope.cli.parser import numbers, positive, size
from gilscope.config import BUILDS, DEFAULT_BUILDS, DEFAULT_MAX_BYTES, PYTHON_OPTIONS
from gilscope.errors import Interrupted, UsageError
from gilscope.trace.writing.output import replace_text

if TYPE_CHECKING:
    from gilscope.cli.listener import Listener
    from gilscope.comparison import Comparison


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = commands.add_parser(
        "compare",
        program=True,
        behind={"--builds": "[a-z,-]+", "--repeat": "[0-9]+", "--threads": "[0-9]+(,[0-9]+)+"},
        help="run a program under the GIL build and the free-threaded build and compare",
        description="Run a program under several builds of Python, timed with the probe off and "
        "recorded with it on, and compare. The program reads nothing from standard input. Its "
        "output is shown the first time that it runs under each build.",
        epilog="--builds, --repeat and a list for --threads may also follow the program, unless -- "
        "comes before it. Exit status: 0, 1 if the program failed under a build, 2 if nothing "
        "could be run.",
    )
    option = parser.add_argument
    option(
        "--builds",
        type=_words,
        default=DEFAULT_BUILDS,
        help=f"of {','.join(BUILDS)}; ft-gil is the free-threaded build with its GIL on, which "
        "shows what the build alone costs (default gil,ft)",
    )
    option("--repeat", type=positive, default=3, metavar="N", help="runs of each kind (default 3)")
    option(
        "--threads",
        type=numbers,
        default=(),
        metavar="N,N",
        help="run with each of these numbers of threads, which the program takes from the "
        "environment variable GILSCOPE_THREADS; the highest one is recorded",
    )
    option("--affinity", type=numbers, default=(), metavar="CPU,CPU", help="processors to run on")
    option("--json", type=Path, metavar="FILE", help="write the numbers (docs/summary.md)")
    option("--html", type=Path, metavar="FILE", help="write the timelines and tables")
    option("-o", "--output", type=Path, metavar="DIR", help="keep one trace a build there")
    option("--timeout", type=_seconds, metavar="S", help="seconds that one run may take")
    option("--max-bytes", type=size, default=DEFAULT_MAX_BYTES, metavar="N", help="of a trace")
    for build, name in PYTHON_OPTIONS.items():
        option(name, dest=f"python_{build}", metavar="PATH", help=f"interpreter, {BUILDS[build]}")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Run, print the table, write what was asked for."""
    with gilscope.reader_side():
        from gilscope.cli.listener import Listener  # noqa: PLC0415 - loaded on demand
    for path in filter(None, (options.json, options.html)):
        if not path.absolute().parent.is_dir():
            raise UsageError(f"{path} cannot be written: there is no such directory")
    with Listener() as listener:
        comparison, interrupt = _compare(options, listener)
    listener.show_unseen(comparison)
    print(comparison.summary_text())
    if comparison.findings:
        print(comparison.findings_text())
    _write(comparison, options)
    if interrupt:
        raise interrupt
    return 1 if comparison.failed else 0


def _compare(
    options: argparse.Namespace, listener: Listener
) -> tuple[Comparison, Interrupted | None]:
    """Return the comparison, as far as it came if it was interrupted."""
    from gilscope.comparison import Comparison, compare_target  # noqa: PLC0415 - loaded on demand

    pythons = {build: getattr(options, f"python_{build}") for build in PYTHON_OPTIONS}
    try:
        comparison = compare_target(
            options.program,
            builds=options.builds,
            repeat=options.repeat,
            out_dir=options.output,
            title=options.program.title,
            pythons={build: path for build, path in pythons.items() if path},
            timeout=options.timeout,
            max_bytes=options.max_bytes,
            threads=options.threads,
            affinity=options.affinity,
            progress=listener.progress,
            output=listener.output,
        )
    except Interrupted as interrupt:
        if not isinstance(interrupt.found, Comparison):
            raise
        return interrupt.found, interrupt
    return comparison, None


def _write(comparison: Comparison, options: argparse.Namespace) -> None:
    """Write the files that were asked for."""
    if options.json:
        summary = comparison.summary()
        if not options.output:  # the traces are gone when the command ends
            summary["runs"] = [{**run, "trace": None} for run in summary["runs"]]
        replace_text(options.json, json.dumps(summary, indent=2) + "\n")
    if options.html:
        comparison.report(options.html)


def _words(text: str) -> tuple[str, ...]:
    """Parse a comma-separated list of builds."""
    words = tuple(text.split(","))
    for word in words:
        if word not in BUILDS:
            raise argparse.ArgumentTypeError(f"no build {word!r}: there are {', '.join(BUILDS)}")
    return words


def _seconds(text: str) -> float:
    """Parse a time limit."""
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text} is no time limit")
    return value
