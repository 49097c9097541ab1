"""``gilscope snapshot``: what a process that is being recorded has recorded so far."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from gilscope.cli.attach import HOW, add_parser, trace_path
from gilscope.cli.plain import say

if TYPE_CHECKING:
    import argparse


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = add_parser(
        commands,
        "snapshot",
        "write what a process has recorded so far",
        "Write what a process that is being recorded has recorded so far; it goes on. " + HOW,
    )
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Write the snapshot.

    Raises:
        GilscopeError: There is none to be had.
    """
    # `gilscope run` loads this module into the program's process: it must import little.
    from gilscope.cli.dumping import check  # noqa: PLC0415
    from gilscope.runner.attaching import ask, connect  # noqa: PLC0415

    check(options.pid)
    path = trace_path(options)
    with connect(options.pid) as connection:
        next(ask(connection, {"do": "snapshot", "path": str(path)}))
    say(f"gilscope: {path}", sys.stderr)
    return 0
