"""``gilscope setup``: builds a project so that races of its native code can be found."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope.cli.plain import say

if TYPE_CHECKING:
    import argparse


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = commands.add_parser(
        "setup",
        help="build a project for ThreadSanitizer, for `gilscope races --native`",
        description="Build a project of scikit-build-core, meson-python, setuptools or maturin for "
        "ThreadSanitizer, and install it, without its dependencies, into an environment of its own "
        "in gilscope's cache. The command and its environment variables are printed.",
        epilog="Exit status: 0; 2 if there is no interpreter that is built for ThreadSanitizer, or "
        "the project could not be built.",
    )
    parser.add_argument(
        "--tsan", type=Path, metavar="PROJECT", required=True, help="the project's directory"
    )
    parser.add_argument(
        "--tsan-python", metavar="PATH", help="interpreter that is built for ThreadSanitizer"
    )
    parser.add_argument(
        "--print", action="store_true", dest="only_print", help="print the commands and run nothing"
    )
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Build the project.

    Raises:
        GilscopeError: It cannot be.
    """
    # Most commands need none of it.
    from gilscope.runner import tsan_interpreter, tsan_setup  # noqa: PLC0415

    interpreter = tsan_interpreter.find(options.tsan_python)
    project = options.tsan.absolute()
    if options.only_print:
        say(str(tsan_setup.plan(project, interpreter)))
        return 0
    made = tsan_setup.build(project, interpreter, lambda line: say(line, sys.stderr))
    for path in made:
        say(f"built for ThreadSanitizer: {path}")
    say("now: gilscope races --native SCRIPT")
    return 0
