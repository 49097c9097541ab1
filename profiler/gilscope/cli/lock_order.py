"""``gilscope lock-order``: a program in this interpreter, watched for deadlocks to come."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope.cli.plain import say
from gilscope.errors import UsageError
from gilscope.severity import Severity
from gilscope.target.worker.program import run_as_main

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from gilscope.analysis.order.hazards import Found

FOUND = 1
TRACE_SUFFIX = ".gilscope"


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = commands.add_parser(
        "lock-order",
        program=True,
        help="run a program in this interpreter and report deadlocks that can strike",
        description="Run a program as `python PROGRAM` would, in this interpreter, and report "
        "where its threads take locks in an order that can make them wait for each other for "
        "ever, although they did not in this run.",
        epilog="The report goes to standard error. With --json it goes to standard output, and the "
        "program's own output to standard error. Exit status: 1 if there is a hazard as severe as "
        "--fail-on, else the program's.",
    )
    parser.add_argument("--json", action="store_true", help="the report as JSON, on one line")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write the report to a file"
    )
    parser.add_argument(
        "--fail-on",
        choices=tuple(map(str, Severity)),
        help="exit with status 1 if there is a hazard of this severity or above",
    )
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Run the program and report its hazards.

    Raises:
        GilscopeError: There is no such program, or it cannot be watched.
    """
    # Not with the commands that do not watch: it loads more than they leave in a program.
    from gilscope.target.order.watch import Watch  # noqa: PLC0415

    options.program.check()
    if options.program.kind == "script" and options.program.value.endswith(TRACE_SUFFIX):
        raise UsageError(
            "a trace does not have the locks that were free when they were taken: run the program "
            "itself under gilscope lock-order"
        )
    watch = Watch()
    recorded: dict[str, Any] = {}

    @contextmanager
    def session() -> Iterator[None]:
        watch.begin()
        try:
            yield
        finally:
            recorded.update(watch.end())

    descriptor = _own_output() if options.json and options.output is None else None
    outcome = run_as_main(options.program, session())
    found = _find(recorded)
    _write(found, options, descriptor)
    worst = found.worst()
    if options.fail_on and worst is not None and worst.rank <= Severity(options.fail_on).rank:
        return FOUND
    return outcome.status


def _find(recorded: dict[str, Any]) -> Found:
    # The program has ended: only now may more be loaded.
    from gilscope.analysis.order.hazards import Found, find  # noqa: PLC0415
    from gilscope.analysis.order.recorded import Recorded  # noqa: PLC0415

    return find(Recorded(recorded)) if recorded else Found((), 0, 0, 0, ())


def _own_output() -> int:
    """Keep standard output for the report, and give the program standard error instead."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    return kept


def _write(found: Found, options: argparse.Namespace, descriptor: int | None) -> None:
    from gilscope.analysis.order.text import text  # noqa: PLC0415 - after the program

    report = json.dumps(found.as_json()) if options.json else text(found)
    if options.output is not None:
        options.output.write_text(report + "\n", encoding="utf-8")
    elif descriptor is None:
        sys.stdout.flush()
        say(report, sys.stderr)
    else:
        sys.stdout.flush()
        with open(descriptor, "w", encoding="utf-8") as output:  # noqa: PTH123 - it is no path
            output.write(report + "\n")
