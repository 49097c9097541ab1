"""The options of the magics: a first line such as ``--repeat 5 -o result``."""

from __future__ import annotations

import argparse
import re
from typing import NoReturn

from gilscope.errors import UsageError
from gilscope.jupyter.dump import suffixes
from gilscope.options import MAGIC, WATCH, add_options, argument

NAME, RACES_NAME, ORDER_NAME = "profile_threads", "races", "lock_order"
WORD = re.compile(r"\s*(\S+)")


class HelpShown(Exception):  # noqa: N818 - not an error
    """The help was asked for and has been printed."""


class MagicParser(argparse.ArgumentParser):
    """A parser that never ends the process."""

    def error(self, message: str) -> NoReturn:
        """Raise argparse's message as our own error, with the usage.

        Raises:
            UsageError: Always.
        """
        usage = " ".join(self.format_usage().split())
        raise UsageError(f"{message}; {usage} (-h: help)")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """End the parsing, not the process.

        Raises:
            HelpShown: Always: only the help gets here.
        """
        raise HelpShown(message or status)


def make_parser() -> MagicParser:
    """Return the parser of the options of ``%%profile_threads``."""
    parser = MagicParser(
        prog=f"%%{NAME}",
        usage=f"%%%%{NAME} [--repeat N] [--builds gil,ft] [--threads 1,2] [--here] [-o NAME] "
        f"[-D FILE] ... above a cell, or %%{NAME} [options] STATEMENT",
        description="Run the code under the GIL build and the free-threaded build of CPython and "
        "show the timelines of its threads, one above the other. The code runs in processes of its "
        "own: variables, functions and classes of the notebook that it uses are copied there, and "
        "variables that it assigns are not copied back. With --here it runs in this kernel, under "
        "this build only, with the notebook's variables. The line form returns the result, which "
        "has summary(), to_pandas(), report(FILE) and export(FILE).",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add_options(parser, MAGIC)
    add("--here", action="store_true", help="run once in this kernel and keep its variables")
    add(
        "-D",
        dest="file",
        metavar="FILE",
        help=f"write the result to a file; its suffix chooses the format: {', '.join(suffixes())}",
    )
    _add_of_code(parser)
    return parser


def make_races_parser() -> MagicParser:
    """Return the parser of the options of ``%%races``."""
    return _watching(RACES_NAME, "races, and show what both found and what only one did")


def make_order_parser() -> MagicParser:
    """Return the parser of the options of ``%%lock_order``."""
    watched = "the order in which its threads take locks, and show the deadlocks that can strike"
    return _watching(ORDER_NAME, f"{watched}, although they did not")


def _watching(name: str, watched: str) -> MagicParser:
    """Return the parser of a magic that watches for something, and of what it shows."""
    parser = MagicParser(
        prog=f"%%{name}",
        usage=f"%%%%{name} [--builds gil] [--timeout SECONDS] [-o NAME] ... above a cell, or "
        f"%%{name} [options] STATEMENT",
        description="Run the code once under the GIL build and once under the free-threaded build "
        f"of CPython, watched for {watched}. Nothing is timed. The code runs in processes of its "
        "own, as with %%profile_threads. The line form returns the result, which has summary().",
        allow_abbrev=False,
    )
    add_options(parser, WATCH)
    _add_of_code(parser)
    return parser


def _add_of_code(parser: MagicParser) -> None:
    """Add the options that say what the code needs and where its result goes."""
    add = parser.add_argument
    add(
        "--setup",
        metavar="FILE",
        help="a Python file to execute before the code in each run, in the same namespace; it is "
        "neither timed nor recorded",
    )
    add(
        "--inputs",
        type=argument(_identifiers),
        default=(),
        metavar="NAME,NAME",
        help="variables to copy whatever their size, even if the code does not name them",
    )
    add(
        "-o",
        dest="name",
        type=argument(_identifier),
        metavar="NAME",
        help="store the result in a variable",
    )


def parse(line: str, parser: MagicParser) -> tuple[argparse.Namespace, str]:
    """Split a line into options and what follows them, which is returned letter by letter.

    Raises:
        UsageError: An option is not known or its value is off.
        HelpShown: The line asked for help.
    """
    words, position = [], 0
    flags = {flag: action for action in parser._actions for flag in action.option_strings}  # noqa: SLF001 - there is no public list
    while (match := WORD.match(line, position)) and match[1].startswith("-"):
        position = match.end()
        if match[1] == "--":
            break
        words.append(match[1])
        action = flags.get(match[1])
        takes_value = action is not None and action.nargs != 0
        if takes_value and (value := WORD.match(line, position)):
            words.append(value[1])
            position = value.end()
    return parser.parse_args(words), line[position:].strip()


def _identifiers(text: str) -> tuple[str, ...]:
    return tuple(map(_identifier, text.split(",")))


def _identifier(text: str) -> str:
    if not text.isidentifier():
        raise ValueError(f"{text!r} is not a valid variable name")
    return text
