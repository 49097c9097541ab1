"""``gilscope dump``: which thread waits for which in a process, and whether it hangs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gilscope.options import whole_number

if TYPE_CHECKING:
    import argparse


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = commands.add_parser(
        "dump",
        help="show which thread waits for which in a process, and whether it hangs",
        description="Watch a process for some seconds and show which thread waits for which, with "
        "the stacks of all threads. It need not have imported gilscope. Forked children are "
        "included. py-spy reads the stacks if it can read the process, which it stops for a "
        "moment; otherwise gilscope reads them without stopping the process.",
        epilog="Exit status: 0; 1 if the process hangs; 2 if it cannot be inspected.",
    )
    parser.add_argument("pid", type=whole_number, metavar="PID")
    parser.add_argument("--json", action="store_true", help="print JSON (docs/hangs.md)")
    parser.add_argument(
        "--no-py-spy",
        dest="py_spy",
        action="store_false",
        help="read stacks without py-spy: the process is not stopped",
    )
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Print the report.

    Raises:
        GilscopeError: The process cannot be looked at.
    """
    # `gilscope run` loads this module into the program's process: it must import little.
    from gilscope.cli import dumping  # noqa: PLC0415

    return dumping.execute(options)
