"""Parses gilscope's options, which end where the program under test begins."""

from __future__ import annotations

import argparse
import sys
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NoReturn

from gilscope.cli.plain import clean, say
from gilscope.options import argument
from gilscope.target.worker.program import Target

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS = {"-m": "module", "-c": "code"}


class CommandParser(argparse.ArgumentParser):
    """Parses one command; with ``program=True`` one that ends in a program and its arguments.

    The program is left in ``options.program`` as a :class:`Target`. ``argparse`` alone would take
    the program's options for ours. What follows the program is the program's; where that looks like
    an option of ours, a line on stderr says so, unless ``--`` comes before the program.
    """

    def __init__(self, *, program: bool = False, **more: Any) -> None:
        self.takes_program = program
        self.own: set[str] = set()
        self.valued: set[str] = set()
        super().__init__(allow_abbrev=False, **more)
        if program:
            self.usage = "%(prog)s [options] {SCRIPT | -m MODULE | -c CODE} [ARGS ...]"

    def add_argument(self, *names: Any, **more: Any) -> argparse.Action:
        """Add an argument whose errors are the parser function's own; note if it takes a value."""
        parse = more.get("type")
        if parse is not None and not isinstance(parse, type):
            more["type"] = argument(parse)  # argparse would print the name of the function
        action = super().add_argument(*names, **more)
        self.own.update(action.option_strings)
        if action.nargs != 0:
            self.valued.update(action.option_strings)
        return action

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Parse gilscope's options; the rest is the program."""
        words = list(sys.argv[1:] if args is None else args)
        begin = self._program_begins(words) if self.takes_program else len(words)
        rest = words[begin:]
        if found := self._like_own(rest):
            text = "passed to the program; options of gilscope come before it"
            say(f"{self.prog}: {' '.join(found)}: {text}", sys.stderr)
        options, unknown = super().parse_known_args(words[:begin], namespace)
        if unknown:  # reported here, with the usage of the command that does not know it
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        if self.takes_program:
            options.program = self._program(rest)
        return options, unknown

    def error(self, message: str) -> NoReturn:
        """Print what is wrong with the arguments, made printable, and exit."""
        super().error(clean(message))

    def _program_begins(self, words: Sequence[str]) -> int:
        place = 0
        while place < len(words):
            word = words[place]
            if word in KINDS or word in ("-", "--") or not word.startswith("-"):
                return place
            place += 2 if word in self.valued else 1
        return len(words)

    def _like_own(self, words: Sequence[str]) -> list[str]:
        """Return the program's options that have names of ours."""
        if words[:1] == ["--"]:
            return []
        first = 2 if words[:1] and words[0] in KINDS else 1
        names = (word.partition("=")[0] for word in takewhile("--".__ne__, words[first:]))
        return [name for name in names if name.startswith("--") and name in self.own]

    def _program(self, words: Sequence[str]) -> Target:
        if words[:1] == ["--"]:
            words = words[1:]
        kind = KINDS.get(words[0], "script") if words else "script"
        value, args = (words[1:2], words[2:]) if kind != "script" else (words[:1], words[1:])
        if not value:
            self.error("no program: give a script, -m MODULE or -c CODE")
        return Target(kind, value[0], tuple(args))
