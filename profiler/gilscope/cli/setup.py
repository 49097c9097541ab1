"""``gilscope setup``: makes what the other commands need. Standard library only."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope.cli.plain import say
from gilscope.errors import UsageError

if TYPE_CHECKING:
    import argparse


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = commands.add_parser(
        "setup",
        help="make the environment of the other build, with gilscope and a project in both",
        description="Make a virtual environment of the free-threaded build beside this one (from "
        ".venv the environment .venv-ft; from one of the free-threaded build that of the GIL "
        "build), install gilscope there and PROJECT in both, and see whether gilscope works. "
        "What is there already is kept. With --tsan: build a project of scikit-build-core, "
        "meson-python, setuptools or maturin for ThreadSanitizer, for `gilscope races --native`, "
        "and install it, without its dependencies, into an environment of its own in gilscope's "
        "cache. Each command is printed before it runs.",
        epilog="Exit status: 0; 1 if the probe cannot run in one of the builds; 2 if there is no "
        "interpreter, or the project could not be built.",
    )
    parser.add_argument(
        "project", nargs="?", type=Path, metavar="PROJECT", help="directory of your own extension"
    )
    parser.add_argument(
        "--tsan", type=Path, metavar="PROJECT", help="build this project for ThreadSanitizer"
    )
    parser.add_argument(
        "--tsan-python", metavar="PATH", help="interpreter that is built for ThreadSanitizer"
    )
    parser.add_argument(
        "--print", action="store_true", dest="only_print", help="print the commands and run nothing"
    )
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Make the environment.

    Raises:
        GilscopeError: It cannot be.
    """
    if options.tsan is not None:
        if options.project is not None:
            raise UsageError("PROJECT is set up for both builds or for --tsan, not for all at once")
        return _sanitized(options)
    if options.tsan_python is not None:
        raise UsageError("--tsan-python goes with --tsan PROJECT")
    return _pair(options)


def _pair(options: argparse.Namespace) -> int:
    """Make the environment of the other build, and see whether all works."""
    # Most commands need none of it.
    from gilscope.cli import doctor  # noqa: PLC0415
    from gilscope.runner import pair  # noqa: PLC0415
    from gilscope.runner.interpreters import own_build  # noqa: PLC0415

    project = options.project.absolute() if options.project else None
    environments = pair.find_pair()
    for step in pair.steps(environments, project):
        if options.only_print:
            say(str(step))
        else:
            pair.carry_out(step, lambda line: say(line, sys.stderr))
    if options.only_print:
        return 0
    pythons = {own_build(): environments.own, environments.build: environments.other}
    status = doctor.check(pythons)
    if not status:
        say("now: gilscope compare SCRIPT")
    return status


def _sanitized(options: argparse.Namespace) -> int:
    """Build the project for ThreadSanitizer."""
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
