"""The command ``gilscope``: one file a command, and here the one place that words its errors.

Exit status: 0 in order, 1 as a command's help says, 2 for what gilscope cannot do, 130 after
Ctrl-C, 143 after SIGTERM. ``gilscope run`` exits with the status of the program.
"""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from io import TextIOWrapper
from typing import TYPE_CHECKING

import gilscope
from gilscope.cli import (
    attach,
    compare,
    diff,
    doctor,
    dump,
    explain,
    export,
    findings,
    info,
    lock_order,
    memory,
    merge,
    pack,
    races,
    ready,
    report,
    run,
    setup,
    snapshot,
    top,
)
from gilscope.cli.parser import CommandParser
from gilscope.cli.plain import clean, say
from gilscope.cli.termination import terminate_as_exit
from gilscope.errors import GilscopeError
from gilscope.target.worker.ending import ProgramInterrupted

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = (
    *(run, races, lock_order, ready, compare, findings, explain, dump, attach, snapshot, top, diff),
    *(report, info, export, pack, merge, doctor, setup),
)
READERS = frozenset(
    module.execute for module in (findings, top, diff, report, info, export, pack, merge)
)
"""Commands that read traces, which may be larger than memory."""

FAILED = 2
INTERRUPTED = 130
BROKEN_PIPE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (by default this process's own) and return the exit status."""
    try:
        options = make_parser().parse_args(argv)
        # The program under test handles its own output and its own signals.
        ours = options.execute not in (run.execute, races.execute, lock_order.execute)
        if ours and isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # it need not be exact
        with terminate_as_exit() if ours else nullcontext():
            limit = memory.limit() if options.execute in READERS else None
            with memory.bounded(limit):
                status: int = options.execute(options)
            if ours and sys.stdout is not None:  # a program's own is flushed as the program ends
                sys.stdout.flush()
    except GilscopeError as error:
        say(f"gilscope: error: {clean(str(error))}", sys.stderr)
        return FAILED
    except ProgramInterrupted as interrupted:
        ended = interrupted
    except KeyboardInterrupt:
        print("gilscope: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of the output closed it; the interpreter's last flush must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    else:
        return status
    return ended.end()


def make_parser() -> CommandParser:
    """Return the parser of the command line."""
    description = (gilscope.__doc__ or "").partition("\n")[0]
    parser = CommandParser(prog="gilscope", description=description)
    parser.add_argument("--version", action="version", version=f"gilscope {gilscope.__version__}")
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=CommandParser
    )
    for module in COMMANDS:
        module.add(commands)
    return parser
